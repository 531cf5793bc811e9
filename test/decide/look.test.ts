import { expect, test } from 'vitest'

import { approve } from '../../src/decide/approve.ts'
import type { LookParts } from '../../src/decide/look.ts'
import type { Hold } from '../../src/deployment/deployment.ts'
import type { Closed } from '../../src/deployment/gates.ts'
import { OPEN } from '../support/claiming.ts'
import { openLooks } from '../support/looking.ts'
import { environmentConfig, newDeployment, newMerge } from '../support/samples.ts'

const HOUR = 60 * 60_000

const PRODUCTION = environmentConfig({ requiredContexts: ['ci/test'], branch: 'main' })

/** One merge that waits, and looks at it. */
async function mergeThat(given: { readonly hold?: Hold; readonly wasAsked?: boolean } = {}) {
  const { github, store, sha, take, lookAt: look } = await openLooks({ requiredContexts: ['ci/test'] })
  const { id } = await take(newMerge({ sha }))
  if (given.hold !== undefined) await store.hold(id, given.hold, { at: 1_000, reports: () => [] })
  if (given.wasAsked === true) await store.asking(id)
  const lookAt = async (at: number, parts: Partial<LookParts> = {}) => {
    await look(at, parts)
    return store.deployment(id)
  }
  return { github, lookAt }
}

test('what was recorded while its repository left the configuration ends with that reason', async () => {
  const { github, lookAt } = await mergeThat()

  const ended = await lookAt(2_000, { environmentOf: () => undefined })

  expect(ended).toMatchObject({ state: 'failed', reason: 'config_removed' })
  expect(github.requests).toEqual([])
})

test('of what was found in a source the newest goes, GitHub is asked nothing, and what is there already ends', async () => {
  const { github, store, environment, lookAt, claim, succeed } = await openLooks({
    via: 'none',
    deployOn: 'none',
    poll: { everySeconds: 60 },
  })
  const find = (sha: string) => store.takeUp(newMerge({ origin: 'poll', sha }), 1_000)
  const [one, other] = ['c'.repeat(40), 'd'.repeat(40)]
  await find(one)
  await find(other)

  await lookAt(2_000)
  const begun = await claim(2_000)
  expect(begun).toMatchObject({ number: 2, githubId: undefined })
  await find(one)
  await find(other)
  await lookAt(3_000)
  expect(await store.deployment(4)).toMatchObject({ hold: { reason: 'newer_first' } })
  await succeed(2, 4_000)
  await lookAt(4_000)

  expect(await store.inState('cancelled')).toMatchObject([
    { number: 1, reason: 'superseded' },
    { number: 3, reason: 'overtaken' },
    { number: 4, reason: 'overtaken', detail: '#2 has deployed this commit already.' },
  ])
  await find(one)
  await lookAt(5_000, { environmentOf: () => ({ ...environment, poll: undefined }) })
  expect(await store.deployment(5)).toMatchObject({
    reason: 'config_removed',
    detail: 'It was changed while this waited: poll is off now.',
  })
  expect(github.requests).toEqual([])
})

test('a source that goes back while something else runs is followed, and so it is after that has failed', async () => {
  const { store, lookAt, claim, succeed } = await openLooks({ via: 'none', poll: { everySeconds: 60 } })
  const find = async (sha: string, at: number) => {
    const found = await store.takeUp(newMerge({ origin: 'poll', sha }), at)
    await lookAt(at)
    return found?.id ?? 0
  }
  const [one, other] = ['c'.repeat(40), 'd'.repeat(40)]
  await find(one, 1_000)
  await claim(1_000)
  await succeed(1, 2_000)
  await find(other, 3_000)
  await claim(3_000)

  await find(one, 4_000)
  expect(await store.deployment(3)).toMatchObject({ state: 'queued', hold: undefined })
  await succeed(2, 5_000)
  expect(await claim(5_000)).toMatchObject({ number: 3, sha: one })
  await succeed(3, 6_000)
  await find(other, 7_000)
  await claim(7_000)
  await store.move(4, 'running', 'failed', { at: 8_000, reports: () => [] })
  await find(one, 9_000)
  expect(await claim(9_000)).toMatchObject({ number: 5, sha: one })
})

test('whoever has named no version gives way to one that a poll has found and deployed since', async () => {
  const { store, lookAt, claim, succeed } = await openLooks({ via: 'none', poll: { everySeconds: 60 } })
  const hold = { reason: 'locked', detail: '', since: 1_000, until: undefined } as const
  const ask = async (asked: string | undefined, sha: string) => {
    const payload = JSON.stringify({ asked_for: asked })
    const nonce = `${asked} ${sha}`
    const wish = newMerge({ origin: 'person', branch: undefined, sha, hold, payload, nonce })
    return (await store.ask({ ...wish, nonce }, 1_000)).deployment.id
  }
  const same = await ask(undefined, 'd'.repeat(40))
  const unnamed = await ask(undefined, 'c'.repeat(40))
  const named = await ask('v1.2', 'c'.repeat(40))
  const found = await store.takeUp(newMerge({ origin: 'poll', sha: 'd'.repeat(40) }), 2_000)
  await store.release(found?.id ?? 0, { at: 2_000, reports: () => [] })
  await claim(2_000)
  await lookAt(3_000)
  expect(await store.deployment(unnamed)).toMatchObject({ hold: { reason: 'newer_first' } })
  await succeed(found?.id ?? 0, 4_000)
  await lookAt(4_000)

  expect(await store.deployment(unnamed)).toMatchObject({
    reason: 'overtaken',
    detail: '#4 has deployed ddddddd, which is newer, already.',
  })
  expect(await store.deployment(named)).toMatchObject({ state: 'queued', hold: undefined })
  expect(await store.deployment(same)).toMatchObject({ state: 'queued', hold: undefined })
})

test('what was asked for in the meantime ends so, too', async () => {
  const { github, store, sha, take, lookAt } = await openLooks()
  const hold = { reason: 'deciding', detail: '', since: 1_000, until: undefined } as const
  const { id } = await take(newDeployment({ sha, hold }))

  await lookAt(2_000, { environmentOf: () => undefined })

  expect(await store.deployment(id)).toMatchObject({ state: 'failed', reason: 'config_removed' })
  expect(github.requests).toEqual([])
})

test('nobody knows whose change it is that was found in a source: anybody else may approve it', async () => {
  const { github, store, lookAt, gate, environment, claim } = await openLooks({
    via: 'none',
    deployOn: 'none',
    poll: { everySeconds: 60 },
    approval: { by: ['mona'], expiresSeconds: 60, allowsAuthor: false },
  })
  const found = await store.takeUp(newMerge({ origin: 'poll', sha: 'c'.repeat(40), actor: 'mona' }), 1_000)
  await lookAt(2_000)
  const hold = { reason: 'approval_pending', detail: 'Waiting for approval by mona' }
  expect(await store.deployment(found?.id ?? 0)).toMatchObject({ hold })

  const journal = { info() {}, warn() {}, error() {} }
  const parts = { store, gate, github: () => github as never, environmentOf: () => environment, decided() {} }
  await approve(found?.id ?? 0, 'mona', { ...parts, clock: () => 3_000, journal })
  await lookAt(3_000)

  expect(await claim(3_000)).toMatchObject({ id: found?.id, approvedBy: 'mona' })
  expect(github.requests).toEqual([])
})

test('GitHub is asked in vain for a day, and then it ends, whatever GitHub says about that', async () => {
  const since = 1_000
  const hold = { reason: 'github_forbids', detail: 'no', since, until: undefined } as const
  const { github, lookAt } = await mergeThat({ hold, wasAsked: true })
  const body = { message: 'Resource not accessible by personal access token' }
  github.fail({ times: 100, with: { status: 403, body } })

  expect(await lookAt(since + 23 * HOUR)).toMatchObject({ state: 'queued' })
  expect(await lookAt(since + 25 * HOUR)).toMatchObject({ state: 'failed', reason: 'wait_expired' })
})

test('what needs checks that the token may not read is tried for a day, and then it ends', async () => {
  const looks = await openLooks({ requiredContexts: ['ci/test'], enforceRequiredContexts: true })
  const { github, store, sha, take, lookAt } = looks
  const hold = { reason: 'deciding', detail: '', since: 1, until: undefined } as const
  const { id } = await take(newDeployment({ sha, hold }))
  const body = { message: 'Resource not accessible by personal access token' }
  github.fail({ times: 100, path: /check-runs|status/, with: { status: 403, body } })

  expect(await lookAt(2_000)).toMatchObject({ lookAgainMs: 600_000 })
  expect(await store.deployment(id)).toMatchObject({ hold: { reason: 'github_forbids' } })
  await lookAt(25 * HOUR)

  expect(await store.deployment(id)).toMatchObject({ state: 'failed', reason: 'wait_expired' })
})

test('one answer without the branch ends nothing; two minutes of them do', async () => {
  const hold = {
    reason: 'checks_pending',
    detail: 'Waiting for ci/test',
    since: 2_000,
    until: undefined,
  } as const
  const { github, lookAt } = await mergeThat({ hold })
  const missing = { path: /branches/, with: { status: 404, body: { message: 'Branch not found' } } } as const

  github.fail(missing)
  expect(await lookAt(HOUR / 2)).toMatchObject({ state: 'queued', hold: { reason: 'deciding' } })
  expect(await lookAt(HOUR / 2 + 10_000)).toMatchObject({ hold: { reason: 'checks_pending' } })
  github.fail({ ...missing, times: 2 })
  expect(await lookAt(HOUR / 2 + 20_000)).toMatchObject({ state: 'queued' })
  expect(await lookAt(HOUR / 2 + 140_000)).toMatchObject({ state: 'cancelled', reason: 'not_on_branch' })
})

test('what waits while its default branch is renamed ends with that reason', async () => {
  const { github, store, sha, take, lookAt } = await openLooks({ branch: undefined })
  const { id } = await take(newMerge({ sha }))
  const repository = github.addRepository('acme/shop', { id: 17 })
  repository.branches.delete('main')
  github.setBranch('acme/shop', 'trunk', sha)
  Object.assign(repository, { defaultBranch: 'trunk' })

  await lookAt(2_000)
  await lookAt(12_000)

  expect(await store.deployment(id)).toMatchObject({
    reason: 'config_removed',
    detail: 'It was changed while this waited: the branch is trunk now.',
  })
})

test('what another environment never takes ends after 30 days of that; a long lock does not count, and what bakes is waited for', async () => {
  const since = 1_000
  const detail = 'staging #12 failed with a84d88e'
  const hold = { reason: 'earlier_environment', detail, since, until: undefined } as const
  const { lookAt } = await mergeThat({ hold })
  const closed = (given: Partial<Closed> = {}) => ({
    environmentOf: () => ({ ...PRODUCTION, requiredContexts: undefined }),
    gate: { ...OPEN, judge: () => ({ ...hold, ...given }) },
  })

  const locked = await lookAt(since + 20 * HOUR, closed({ reason: 'locked' }))
  const unlocked = await lookAt(since + 900 * HOUR, closed())
  const still = await lookAt(since + 1_599 * HOUR, closed())
  const baking = await lookAt(since + 1_601 * HOUR, closed({ until: since + 1_700 * HOUR }))
  const ended = await lookAt(since + 1_701 * HOUR, closed())

  const reasons = [locked, unlocked, still].map((one) => one?.hold?.reason)
  expect(reasons).toEqual(['locked', 'earlier_environment', 'earlier_environment'])
  expect(baking).toMatchObject({ state: 'queued', hold: { until: since + 1_700 * HOUR } })
  expect(ended).toMatchObject({
    state: 'failed',
    reason: 'wait_expired',
    detail: `Not deployed within 30 days: ${detail}`,
  })
})

test('a clock that was years ahead for a while makes no wait longer than it was', async () => {
  const hold = { reason: 'earlier_environment', detail: 'not yet', since: 1_000, until: undefined } as const
  const { lookAt } = await mergeThat({ hold })
  const closed = (given: Partial<Closed> = {}) => ({
    environmentOf: () => ({ ...PRODUCTION, requiredContexts: undefined }),
    gate: { ...OPEN, judge: () => ({ ...hold, ...given }) },
    elapsed: () => HOUR,
  })

  await lookAt(9_000 * HOUR, closed({ reason: 'locked' }))
  await lookAt(HOUR, closed())

  expect(await lookAt(HOUR + 60_000, closed())).toMatchObject({ state: 'queued' })
})

test('what goes back to a success of before needs no GitHub; all else, and the other gates, wait as ever', async () => {
  const { github, store, sha, take, lookAt, claim } = await openLooks({ requiredContexts: ['ci/test'] })
  const payload = (to: string, goesBack = true) => JSON.stringify({ asked_for: to, goes_back: goesBack })
  const asked = {
    sha,
    origin: 'person',
    hold: { reason: 'deciding', detail: '', since: 1, until: undefined },
  } as const
  const forward = await take(newMerge({ ...asked, payload: payload('main') }))
  const deployed = await take(newMerge({ ...asked, payload: payload('#1', false) }))
  const back = await take(newMerge({ ...asked, payload: payload('#1') }))
  github.fail({ times: 100, with: { status: 503 } })
  const locked: Closed = { reason: 'locked', detail: 'by mona', until: undefined }

  await lookAt(2_000, { gate: { ...OPEN, judge: () => locked } })
  expect((await store.deployment(back.id))?.hold).toMatchObject(locked)
  await lookAt(3_000)

  expect((await claim(3_000))?.id).toBe(back.id)
  for (const { id } of [forward, deployed])
    expect(await store.deployment(id)).toMatchObject({ hold: { reason: 'github_unavailable' } })
})

test('who goes back while GitHub is away is let through though something has begun since they asked', async () => {
  const { github, store, sha, take, lookAt, claim } = await openLooks({ requiredContexts: ['ci/test'] })
  const payload = JSON.stringify({ asked_for: '#1', goes_back: true })
  const hold = { reason: 'deciding', detail: '', since: 1, until: undefined } as const
  const { id } = await take(newMerge({ sha, origin: 'person', hold, payload }))
  await take(newDeployment({ sha: 'c'.repeat(40) }))
  expect((await claim(2_000))?.number).toBe(2)
  github.fail({ times: 100, with: { status: 503 } })

  await lookAt(3_000)

  expect(await store.deployment(id)).toMatchObject({ state: 'queued', hold: undefined })
})

test('checks that nobody can skip are asked for before anybody goes back, too', async () => {
  const { github, store, sha, take, lookAt } = await openLooks({ evenWhenForced: ['security/audit'] })
  const payload = JSON.stringify({ asked_for: ':previous', goes_back: true })
  const hold = { reason: 'deciding', detail: '', since: 1, until: undefined } as const
  const { id } = await take(newMerge({ sha, origin: 'person', hold, payload }))
  github.fail({ times: 100, with: { status: 503 } })

  await lookAt(2_000)

  expect(await store.deployment(id)).toMatchObject({ hold: { reason: 'github_unavailable' } })
})
