import { setImmediate as turn } from 'node:timers/promises'

import { expect, onTestFinished, test } from 'vitest'

import { createGate } from '../../src/decide/gates.ts'
import { startHolds, type HoldParts } from '../../src/decide/holds.ts'
import { GitHubError, type GitHub } from '../../src/github/github.ts'
import { createGitHubPace } from '../../src/github/pace.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { claimFrom } from '../support/claiming.ts'
import { clientOf, shopAtGitHub } from '../support/doubles.ts'
import { eventually } from '../support/running.ts'
import { environmentConfig, newDeployment, newMerge, queuedIntake } from '../support/samples.ts'
import { emptyDatabase } from '../support/stores.ts'

const LOCK = { place: 'acme/shop', reason: 'a release', by: 'ann', since: 1_000, until: undefined }
const LOCKED = { reason: 'locked', detail: 'acme/shop is locked by ann: a release', since: 1_000 } as const

async function waiting(
  given: Partial<HoldParts> & {
    readonly isLocked?: boolean
    readonly isAway?: boolean
    /** What happens after the gates were read first, and before they are judged. */
    readonly meanwhile?: () => Promise<unknown>
    /** A newer commit is being deployed. */
    readonly isBehind?: boolean
    /** What happens after that which waits was read, all of it or after a look, and before that is known. */
    readonly read?: (what: 'all' | 'looked at') => Promise<unknown>
  } = {},
) {
  const { github, sha } = await shopAtGitHub()
  const database = await emptyDatabase.sqlite()
  const store = await openStore(database.address)
  const production = environmentConfig({ branch: 'main', requiredContexts: ['ci/test'] })
  const hold = given.isLocked === true ? { hold: { ...LOCKED, until: undefined } } : {}
  await store.accept([{ ...queuedIntake(newMerge({ sha, ...hold })), verdict: 'deciding' }])
  if (given.isLocked === true) await store.locks.take(LOCK)
  if (given.isBehind === true) {
    const [newer] = github.addCommits('acme/shop', [{ message: 'Coffee' }])
    await store.accept([queuedIntake(newDeployment({ sha: newer?.sha ?? '' }))])
    await claimFrom(store, { limit: 9, at: 2_000, reports: () => [] })
  }
  let judged = 0
  const gateFactsOf: typeof store.gateFactsOf = async (asked, at) => {
    judged += 1
    const facts = await store.gateFactsOf(asked, at)
    if (judged === 1) await given.meanwhile?.()
    return facts
  }
  let reads = 0
  const read: typeof store.waiting = async (among) => {
    reads += 1
    if (given.isAway === true && reads === 1) throw new Error('the connection was reset')
    const waits = await store.waiting(among)
    await given.read?.(among === undefined ? 'all' : 'looked at')
    return waits
  }
  const said: string[] = []
  const client = clientOf(github)
  const holds = startHolds({
    store: { ...store, waiting: read, gateFactsOf },
    gate: createGate(() => production),
    github: () => client,
    environmentOf: () => production,
    isSightOwed: () => false,
    asking: () => 0,
    pace: () => createGitHubPace(480),
    reports: () => [],
    mask: (text) => text,
    clock: () => 2_000,
    journal: { info: (event) => said.push(event), warn() {}, error() {} },
    moved() {},
    ...given,
  })
  onTestFinished(async () => {
    await holds.stop(1_000)
    await store.close()
    await database.drop()
  })
  return { github, sha, store, holds, said, judged: () => judged, reads: () => reads }
}

test('what stands at a closed gate after a start is judged without a question to GitHub', async () => {
  const { github, store, holds, judged } = await waiting({ isLocked: true })

  await eventually('it is judged', () => judged() > 0)
  holds.wake()
  expect(github.requests).toEqual([])
  await store.locks.free(1)
  holds.lookAtPlace('acme/shop')

  await eventually('its checks are asked for', () => github.requests.length > 0)
})

test('a lock that is freed while what waits for it is judged holds it no longer', async () => {
  const waits = Promise.withResolvers<Awaited<ReturnType<typeof waiting>>>()
  const meanwhile = async () => {
    const { store, holds } = await waits.promise
    await store.locks.free(1)
    holds.lookAtPlace('acme/shop')
  }
  const all = await waiting({ isLocked: true, meanwhile })
  waits.resolve(all)

  await eventually('its checks are asked for', () => all.github.requests.length > 0)
})

test('what waits for a newer one is looked at when that ends, also where nobody knew yet that it waits for it', async () => {
  const waits = Promise.withResolvers<Awaited<ReturnType<typeof waiting>>>()
  const readAgain = Promise.withResolvers<void>()
  let reads = 0
  const read = async (what: 'all' | 'looked at') => {
    const { store, holds } = await waits.promise
    if (what === 'looked at' && reads === 1) {
      holds.wake()
      await readAgain.promise
      holds.wake() // what was read after the look is not good enough
    } else if (what === 'all' && (reads += 1) === 2) {
      readAgain.resolve()
      for (let turns = 0; turns < 9; turns += 1) await turn() // the look is over
      const newer = await store.move(2, 'running', 'failed', { at: 2_000, reports: () => [] })
      holds.moved(newer)
    }
  }
  const all = await waiting({ isBehind: true, read })
  waits.resolve(all)

  await eventually('it waits for its checks', async () => {
    const { hold } = (await all.store.deployment(1)) ?? {}
    return hold?.reason === 'checks_pending'
  })
})

test('where GitHub has been asked enough a look waits, and the log says so once', async () => {
  let waitMs = 60_000
  const kinds: string[] = []
  const { github, store, holds, said } = await waiting({
    asking(kind) {
      kinds.push(kind)
      return waitMs
    },
  })

  await eventually('it is held back', () => said.includes('holds:held-back'))
  holds.wake()
  expect(github.requests).toEqual([])
  expect((await store.deployment(1))?.hold?.reason).toBe('deciding')
  expect(said.filter((one) => one === 'holds:held-back')).toHaveLength(1)
  expect(new Set(kinds)).toEqual(new Set(['event']))
  waitMs = 0
})

test('what is not at GitHub waits neither for its limit nor for what it may be asked', async () => {
  const refused = () => Promise.reject(new GitHubError('limit', 429, { 'retry-after': '3600' }, undefined))
  const poll = { everySeconds: 60 }
  let waitMs = 0
  const { store, holds } = await waiting({
    github: () => new Proxy({}, { get: () => refused }) as GitHub,
    asking: () => waitMs,
    environmentOf: ({ configuredAs }) =>
      environmentConfig(
        configuredAs === 'acme/shop' ? { requiredContexts: ['ci/test'] } : { via: 'none', poll },
      ),
    gate: createGate(() => undefined),
  })
  const isLimited = async () => (await store.deployment(1))?.hold?.reason === 'github_unavailable'
  const find = async (repository: string) => {
    const place = { configuredAs: repository, repository, repositoryGithubId: 0, lane: repository }
    const found = await store.takeUp(newMerge({ ...place, origin: 'poll' }), 2_000)
    holds.wake()
    return async () => (await store.deployment(found?.id ?? 0))?.hold === undefined
  }
  await eventually('GitHub wants to be left alone', isLimited)

  await eventually('it is let through', await find('tools/dash'))
  waitMs = 3_600_000
  await eventually('so is another one', await find('tools/manual'))
  expect(await isLimited()).toBe(true)
})

test('what somebody asks for is looked at at once, however often its place was looked at just before', async () => {
  let looks = 0
  const asking = (): number => {
    looks += 1
    return 0
  }
  const { sha, store, holds, said } = await waiting({ asking })
  for (let look = 1; look <= 3; look += 1) {
    await eventually(`look ${look}`, () => looks >= look)
    holds.lookAtRepository('acme/shop')
  }
  const askedAt = performance.now()

  const hold = { reason: 'commit_unchecked', detail: '', since: 2_000, until: undefined } as const
  await store.accept([queuedIntake(newDeployment({ sha, ref: sha, hold }))])
  holds.wake()
  await eventually('it is let through', () => said.includes('deployment:released'))

  expect(looks).toBe(4)
  expect(performance.now() - askedAt).toBeLessThan(4_000) // for so long it would have rested
})

test('a database that was away for a moment is asked again soon, and not at once', async () => {
  const { github, reads } = await waiting({ isAway: true })

  await eventually('it is looked at although nothing else has happened', () => github.requests.length > 0)

  expect(reads()).toBeLessThan(6)
})
