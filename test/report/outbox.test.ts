import { expect, test } from 'vitest'

import { SLACK_EVENTS } from '../../src/config/schema.ts'
import { claimFrom } from '../support/claiming.ts'
import { mostWithin } from '../support/moments.ts'
import { eventually } from '../support/running.ts'
import { newDeployment, queuedIntake, slackNotices } from '../support/samples.ts'
import { sending, simulate } from '../support/sending.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const NOON = Date.UTC(2026, 10, 21, 12)

const statusesOf = (name: string): RegExp => new RegExp(`^/repos/${name}/deployments/\\d+/statuses$`)

test('many repositories that never answer delay no other', async () => {
  const { github, queue, start, told } = await sending({ timeoutMs: 60_000 })
  for (let index = 0; index < 5; index += 1) {
    await queue(`acme/hangs-${index}`, 5)
    github.fail({ path: statusesOf(`acme/hangs-${index}`), times: 100, with: 'hang' })
  }
  const [one] = await queue('acme/shop')

  start()
  await github.waitFor(({ path, answer }) => statusesOf('acme/shop').test(path) && answer?.status === 201)

  expect(one && told(one)).toEqual(['queued'])
})

test('repositories that did not answer are tried with half of the slots, and one at a time', async () => {
  const simulation = simulate(NOON)
  const { github, queue, start, store } = await sending({ clock: simulation.clock })
  for (let index = 0; index < 9; index += 1) {
    await queue(`acme/broken-${index}`, 4)
    github.fail({ path: statusesOf(`acme/broken-${index}`), times: 1_000, with: { status: 500, body: 'no' } })
  }
  let underWay = 0
  let most = 0
  start({
    time: {
      after: simulation.after,
      async during(work) {
        most = Math.max(most, (underWay += 1))
        return simulation.during(work).finally(() => (underWay -= 1))
      },
    },
  })
  await simulation.runUntil(NOON + MINUTE)

  most = 0
  const before = github.requests.length
  await simulation.runUntil(NOON + HOUR)

  expect(most).toBeLessThanOrEqual(6)
  // A minute each while they are quick to fail, then at most one in five minutes each, listing and writing.
  expect(github.requests.length - before).toBeLessThan(9 * 2 * 25)
  expect(await store.outbox.owed()).toBe(36)
})

test('one status that GitHub never takes does not hold up the others of its repository', async () => {
  const { github, queue, start, told } = await sending()
  const [poison, ...others] = await queue('acme/shop', 4)
  const path = new RegExp(`/deployments/${poison?.githubId}/statuses$`)
  github.fail({ path, times: 1_000, with: { status: 500, body: 'no' } })

  start()
  await eventually('the others are told', () => others.every((one) => told(one).length === 1))

  expect(poison && told(poison)).toEqual([])
})

test(
  'a thousand deployments at once stay within what GitHub takes, and every end arrives in order',
  { timeout: 120_000 },
  async () => {
    const simulation = simulate(NOON)
    const { github, queue, finish, start, told } = await sending({ clock: simulation.clock })
    const deployments = []
    for (let index = 0; index < 20; index += 1) deployments.push(...(await queue(`acme/shop-${index}`, 50)))
    const sender = start({ time: simulation })
    for (const [index, deployment] of deployments.entries())
      simulation.at(NOON + (index + 1) * 3 * SECOND, async () => {
        await finish(deployment)
        sender.wake()
      })

    await simulation.runUntil(NOON + 3 * HOUR)

    const written = github.requests.filter(
      ({ method, answer }) => method === 'POST' && answer?.status === 201,
    )
    const moments = written.map(({ at }) => at)
    expect(mostWithin(moments, MINUTE)).toBeLessThanOrEqual(80)
    expect(mostWithin(moments, HOUR)).toBeLessThanOrEqual(500)
    const stories = new Set(deployments.map((deployment) => told(deployment).join(' ')))
    const legal = ['success', 'queued success', 'in_progress success', 'queued in_progress success']
    expect([...stories].filter((story) => !legal.includes(story))).toEqual([])
  },
)

test('a restart gives no second budget', async () => {
  const simulation = simulate(NOON)
  const { github, queue, finish, start, resume, store } = await sending({ clock: simulation.clock })
  for (let index = 0; index < 8; index += 1)
    for (const one of await queue(`acme/shop-${index}`, 50)) await finish(one)

  for (let life = 1; life <= 6; life += 1) {
    await resume()
    const sender = start({ time: simulation })
    await simulation.runUntil(NOON + life * 5 * MINUTE)
    const stopped = sender.stop(0)
    await simulation.runUntil(NOON + life * 5 * MINUTE + SECOND)
    await stopped
  }

  const moments = github.requests.flatMap(({ method, at }) => (method === 'POST' ? at : []))
  expect(moments.length).toBeGreaterThan(200)
  expect(mostWithin(moments, MINUTE)).toBeLessThanOrEqual(80)
  // A hundred at once, then six a minute, as without any restart.
  expect(moments.length).toBeLessThanOrEqual(100 + 6 * 30 + 12)
  expect(await store.outbox.owed()).toBeGreaterThan(0)
})

test('a single deployment is told step by step, without delay, after a quiet time', async () => {
  const simulation = simulate(NOON)
  const { queue, finish, start, told } = await sending({ clock: simulation.clock })
  const sender = start({ time: simulation })
  const [one] = await queue('acme/shop')
  if (one === undefined) throw new Error('nothing was queued')
  await finish(one)
  sender.wake()

  await simulation.runUntil(NOON + SECOND)

  expect(told(one)).toEqual(['queued', 'in_progress', 'success'])
})

test('a flood in one repository does not delay the end of a deployment in another', async () => {
  const simulation = simulate(NOON)
  const { queue, finish, start, told } = await sending({ clock: simulation.clock })
  const flood = await queue('acme/monorepo', 400)
  for (const one of flood) await finish(one)
  const sender = start({ time: simulation })
  await simulation.runUntil(NOON + 20 * MINUTE)

  const [late] = await queue('acme/shop')
  if (late === undefined) throw new Error('nothing was queued')
  await finish(late)
  sender.wake()
  await simulation.runUntil(NOON + 21 * MINUTE)

  expect(flood.some((one) => told(one).length === 0)).toBe(true)
  expect(told(late)).toEqual(['success'])
})

test('Slack hears one message a second, the last of each deployment, and nothing is lost', async () => {
  const simulation = simulate(NOON)
  const { slack, queue, finish, start, store } = await sending({ clock: simulation.clock, slack: true })
  for (const one of await queue('acme/shop', 60)) await finish(one)

  start({ time: simulation })
  const sentAt: number[] = []
  slack.onMessage(() => sentAt.push(simulation.clock()))
  await simulation.runUntil(NOON + 2 * MINUTE)

  expect(mostWithin(sentAt, 30 * SECOND)).toBeLessThanOrEqual(40)
  expect(slack.messages.filter(({ text }) => text?.startsWith('Deployed'))).toHaveLength(60)
  expect(await store.outbox.countDue('slack', { at: simulation.clock(), most: 10 })).toBe(0)
})

test('a clock that is set back by hours delays nothing', async () => {
  let now = NOON
  const { github, queue, start, journal, told } = await sending({ clock: () => now })
  const [one] = await queue('acme/shop')
  github.fail({ method: 'POST', with: { status: 401, body: { message: 'Bad credentials' } } })
  const sender = start()
  await eventually('it is postponed', () => journal.some((line) => line.startsWith('report:postponed')))

  now = NOON - 5 * HOUR
  sender.wake()
  await eventually('it is told', () => one !== undefined && told(one).length === 1)
})

test('what was under way when somebody mended the token is tried again at once, too', async () => {
  const { github, queue, start, journal, store, told } = await sending()
  const [slow, quick] = await queue('acme/shop', 2)
  const to = (id: number | undefined) => ({ method: 'POST', path: new RegExp(`/${id}/statuses$`) })
  const refusal = { status: 403, body: { message: 'Resource not accessible' } }
  for (const one of [slow, quick]) github.fail({ ...to(one?.githubId), with: refusal })
  const answer = github.hold(to(slow?.githubId))
  const longBarred = (await store.outbox.list('owed', 9)).reports.find(
    ({ deployment }) => deployment.id === slow?.id,
  )
  await store.outbox.postpone(longBarred?.id ?? 0, 0, 'Resource not accessible', Date.now() - 8 * 24 * HOUR)
  const sender = start()
  await answer.arrived()
  await eventually('one is postponed', () => journal.some((line) => line.startsWith('report:postponed')))

  sender.again([])
  await eventually('that one is told', () => quick !== undefined && told(quick).length === 1)
  answer.release()
  await eventually('the other is told', () => slow !== undefined && told(slow).length === 1)
})

test('what waits for a right is tried again when somebody says so', async () => {
  const { github, queue, start, journal, told } = await sending()
  const [one] = await queue('acme/shop')
  github.fail({ method: 'POST', with: { status: 403, body: { message: 'Resource not accessible' } } })
  const sender = start()
  await eventually('it is postponed', () => journal.some((line) => line.startsWith('report:postponed')))

  sender.again([])
  await eventually('it is told', () => one !== undefined && told(one).length === 1)
})

test('who is left alone is not, when somebody wants something sent; nor is patience forgotten', async () => {
  const { github, queue, start, journal, store, told } = await sending()
  const [one] = await queue('acme/shop')
  const postponed = () => journal.filter((line) => line.startsWith('report:postponed')).length
  github.fail({ method: 'POST', with: { status: 401, body: { message: 'Bad credentials' } } })
  const retryAfter = { 'retry-after': '600' }
  github.fail({ method: 'POST', with: { status: 429, headers: retryAfter, body: { message: 'Slow down' } } })
  const sender = start()
  await eventually('it is postponed', () => postponed() === 1)
  const [report] = (await store.outbox.list('owed', 1)).reports
  if (one === undefined || report === undefined) throw new Error('nothing is owed')
  expect(sender.heldUp(report)?.why).toBe('GitHub answered 401: Bad credentials')

  await store.outbox.sendAgain(report.id, Date.now())
  sender.hurry(report)
  await eventually('it is tried again', () => postponed() === 2)
  sender.hurry(report)

  expect(sender.heldUp(report)?.why).toBe('GitHub answered 429: Slow down')
  expect(told(one)).toEqual([])
})

test('patience that GitHub asked for outlives a restart and a question, but not a new token', async () => {
  const { github, queue, start, journal, store, told } = await sending()
  const [one] = await queue('acme/shop')
  const retryAfter = { 'retry-after': '600' }
  github.fail({ method: 'POST', with: { status: 429, headers: retryAfter, body: { message: 'Slow down' } } })
  const first = start()
  await eventually('it is postponed', () => journal.some((line) => line.startsWith('report:postponed')))
  await first.stop(1_000)
  expect(await store.noted('outbox_limits')).toContain('Slow down')

  const second = start()
  second.again([])
  await queue('acme/shop')
  second.wake()
  await eventually('it has looked', async () => (await store.outbox.nextDueAfter(Date.now())) === undefined)
  await second.stop(1_000)
  expect(github.requests).toHaveLength(1)

  start().again(['github'])
  await eventually('it is told', () => one !== undefined && told(one).length === 1)
})

test('a message that hangs when the server ends is ended', async () => {
  const { slack, queue, finish, start, store } = await sending({ timeoutMs: 60_000, slack: true })
  const [one] = await queue('acme/shop')
  if (one === undefined) throw new Error('nothing was queued')
  await finish(one)
  slack.fail({ with: 'hang' })
  const sender = start()
  await slack.waitForRequest(({ answer }) => answer === undefined)

  await sender.stop(0)

  expect((await store.outbox.of(one.id)).filter(({ channel }) => channel === 'slack').at(0)).toMatchObject({
    state: 'owed',
    attempts: 1,
  })
})

test('what is being sent when the server ends is ended, and sent by the next one', async () => {
  const { github, queue, start, store, told } = await sending({ timeoutMs: 60_000 })
  const [one] = await queue('acme/shop')
  github.fail({ method: 'POST', with: 'hang' })
  const sender = start()
  await github.waitFor(({ lost }) => lost === 'hang')

  await sender.stop(0)
  expect(await store.outbox.of(one?.id ?? 0)).toMatchObject([{ state: 'owed', attempts: 1 }])

  start()
  await eventually('it is told', () => one !== undefined && told(one).length === 1)
})

test('an address of Slack that is broken, or asks for patience, holds up no other', async () => {
  const { slack, queue, finish, start, tellOf, store, journal } = await sending({ slack: true })
  const [broken, limited, sound] = [slack.addWebhook(), slack.addWebhook(), slack.addWebhook()]
  const told = (webhookUrl: string) => slackNotices({ webhookUrl, events: ['succeeded'] })
  tellOf({ 'acme/broken': told(broken), 'acme/limited': told(limited), 'acme/sound': told(sound) })
  const path = (url: string): RegExp => new RegExp(`^${new URL(url).pathname}$`)
  slack.fail({ path: path(broken), times: 1_000, with: 'reset' })
  slack.fail({
    path: path(limited),
    times: 1_000,
    with: { status: 429, headers: { 'retry-after': '3000' }, body: 'rate_limited' },
  })
  for (const name of ['acme/broken', 'acme/limited', 'acme/sound', 'acme/general'])
    for (const one of await queue(name, 3)) await finish(one)
  const asked = (url: string) => slack.requests.filter((request) => path(url).test(request.path)).length

  const first = start()
  await eventually('all others are told', () => slack.messages.length === 9)
  await eventually('two are postponed', () => new Set(postponedFor(journal)).size === 2)
  await first.stop(1_000)
  const before = { broken: asked(broken), limited: asked(limited) }
  start()
  await eventually('the broken one is tried again', () => asked(broken) > before.broken)

  expect(slack.messages.filter(({ to }) => to === sound)).toHaveLength(3)
  expect(slack.messages.filter(({ to }) => to === slack.url)).toHaveLength(6)
  expect(asked(limited)).toBe(before.limited) // patience is kept over a restart
  const owed = (await store.outbox.list('owed', 50)).reports.filter(({ channel }) => channel === 'slack')
  expect(new Set(owed.map(({ deployment }) => deployment.repository))).toEqual(
    new Set(['acme/broken', 'acme/limited']),
  )
})

const postponedFor = (journal: readonly string[]): string[] =>
  journal.flatMap((line) => /^report:postponed .*"error":"(Slack [^"]+)"/.exec(line)?.[1] ?? [])

test('a later state takes the place of an earlier one that waits to be told', async () => {
  const { slack, store, start, tellOf, reports, journal } = await sending({ slack: true })
  tellOf({ 'acme/shop': slackNotices({ webhookUrl: slack.url, events: SLACK_EVENTS }) })
  const hold = {
    reason: 'checks_pending',
    detail: 'Waiting for ci/test',
    since: 0,
    until: undefined,
  } as const
  const [held] = await store.accept([queuedIntake(newDeployment({ hold, reports }))])
  const id = held?.deployments[0]?.id ?? 0
  slack.fail({ times: 1_000, with: 'reset' })
  const sender = start()
  await eventually('it was tried in vain', () => postponedFor(journal).length > 0)

  const at = Date.now()
  await store.release(id, { at, reports })
  await claimFrom(store, { limit: 1, at, reports })
  await store.move(id, 'running', 'failed', {
    at,
    reason: 'command_failed',
    detail: 'make exited with 2',
    reports,
  })
  slack.mend()
  sender.wake()
  await slack.waitFor(({ text }) => text?.startsWith('Could not deploy') === true)
  await sender.stop(1_000)

  expect(slack.messages.map(({ text }) => text?.split(' ')[0])).toEqual(['Could'])
  const told = (await store.outbox.of(id)).filter(({ channel }) => channel === 'slack')
  expect(told.map(({ state }) => state)).toEqual(['dropped', 'dropped', 'dropped', 'delivered'])
})

test('what is owed goes where the configuration says when it is sent, or is refused', async () => {
  const { slack, queue, finish, start, tellOf, store } = await sending({ slack: true })
  const own = slackNotices({ webhookUrl: slack.addWebhook(), events: ['succeeded'] })
  tellOf({ 'acme/moved': own, 'acme/removed': own, 'acme/silenced': own })
  for (const name of ['acme/moved', 'acme/removed', 'acme/silenced'])
    for (const one of await queue(name)) await finish(one)
  const another = { ...own, webhookUrl: slack.addWebhook() }
  tellOf({ 'acme/moved': another, 'acme/silenced': undefined })

  start()
  await eventually('nothing is owed', async () => (await store.outbox.owed()) === 0)

  const messages = slack.messages.map(({ to, text = '' }) => `${to} ${text.split(' ')[1]}`)
  expect(messages.toSorted()).toEqual([
    `${slack.url} acme/removed/production#1`,
    `${another.webhookUrl} acme/moved/production#1`,
  ])
  expect((await store.outbox.list('refused', 9)).reports).toMatchObject([
    { deployment: { repository: 'acme/silenced' }, lastError: 'Slack is told nothing of this any more' },
  ])
})
