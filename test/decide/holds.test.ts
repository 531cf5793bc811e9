import { expect, onTestFinished, test } from 'vitest'

import { createGate } from '../../src/decide/gates.ts'
import { startHolds, type HoldParts } from '../../src/decide/holds.ts'
import { createGitHubPace } from '../../src/github/pace.ts'
import { openStore } from '../../src/store/sql-store.ts'
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
  } = {},
) {
  const { github, sha } = await shopAtGitHub()
  const database = await emptyDatabase.sqlite()
  const store = await openStore(database.address)
  const production = environmentConfig({ branch: 'main', requiredContexts: ['ci/test'] })
  const hold = given.isLocked === true ? { hold: { ...LOCKED, until: undefined } } : {}
  await store.accept([{ ...queuedIntake(newMerge({ sha, ...hold })), verdict: 'deciding' }])
  if (given.isLocked === true) await store.locks.take(LOCK)
  let judged = 0
  const gateFactsOf: typeof store.gateFactsOf = async (asked, at) => {
    judged += 1
    const facts = await store.gateFactsOf(asked, at)
    if (judged === 1) await given.meanwhile?.()
    return facts
  }
  let reads = 0
  const read: typeof store.waiting = (among) => {
    reads += 1
    if (given.isAway === true && reads === 1) return Promise.reject(new Error('the connection was reset'))
    return store.waiting(among)
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
  expect(performance.now() - askedAt).toBeLessThan(3_000) // it would have rested for four seconds
})

test('a database that was away for a moment is asked again soon, and not at once', async () => {
  const { github, reads } = await waiting({ isAway: true })

  await eventually('it is looked at although nothing else has happened', () => github.requests.length > 0)

  expect(reads()).toBeLessThan(6)
})
