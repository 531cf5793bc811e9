import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { Errand } from '../../src/deployment/errand.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { Store } from '../../src/store/store.ts'
import { newDelivery, newDeployment, queuedIntake } from '../support/samples.ts'
import { emptyDatabase, ENGINES, type TestDatabase } from '../support/stores.ts'

const PLACE = 'acme/shop/production'

describe.each(ENGINES)('what a deployment of GitHub asks for and runs nothing, on $engine', (given) => {
  describe.skipIf(given.missing)('', () => {
    let database: TestDatabase
    let store: Store

    beforeEach(async () => {
      database = await emptyDatabase[given.engine]()
      store = await openStore(database.address)
    })
    afterEach(async () => {
      await store.close()
      await database.drop()
    })

    const run = async (errand: Errand, receivedAt: number, githubId?: number) => {
      const words = { task: `deploy:${errand.kind}`, errand }
      const deployment = newDeployment({ ...words, ...(githubId === undefined ? {} : { githubId }) })
      const [accepted] = await store.accept([
        { ...queuedIntake(deployment), delivery: newDelivery({ receivedAt }) },
      ])
      const [{ state, reason, detail } = {}] = accepted?.deployments ?? []
      return { state, reason, detail }
    }
    const lock = (at: number, until: number | undefined, receivedAt = at) =>
      run({ kind: 'lock', reason: 'a migration', until, at }, receivedAt)
    const unlock = (at: number, receivedAt = at, githubId?: number) =>
      run({ kind: 'unlock', lock: undefined, at }, receivedAt, githubId)
    const locks = async (at: number) => (await store.locks.all(at)).map(({ id }) => id)

    test('a lock whose time is over when it comes locks nothing, and does not say that it did', async () => {
      expect(await lock(1_000, 60_000, 60_000)).toEqual({
        state: 'failed',
        reason: 'lock_is_over',
        detail: `Not locked: it came late, and the time for which ${PLACE} was to be locked was over 1970-01-01 00:01 UTC`,
      })
      expect(await locks(0)).toEqual([])
      expect(await lock(1_000, 60_001, 60_000)).toMatchObject({ state: 'succeeded' })
    })

    test('a lock that has ended by itself meanwhile is in nobody’s way, and is not there to be freed', async () => {
      await store.locks.take({ place: PLACE, reason: 'short', by: 'bob', since: 500, until: 5_000 })
      expect(await unlock(1_000, 5_000)).toEqual({
        state: 'succeeded',
        reason: undefined,
        detail: `${PLACE} was not locked`,
      })

      expect(await lock(1_000, undefined, 5_000)).toMatchObject({ state: 'succeeded' })
      expect(await locks(5_000)).toEqual([2])
    })

    test('a lock that was taken in the second of the wish to unlock, but perhaps after it, stays', async () => {
      await store.locks.take({ place: PLACE, reason: 'newer', by: 'bob', since: 5_700, until: undefined })

      expect(await unlock(5_000, 6_000)).toMatchObject({ state: 'failed', reason: 'lock_is_newer' })
      expect(await locks(6_000)).toEqual([1])
      expect(await unlock(6_000)).toMatchObject({ state: 'succeeded' })
    })

    test('of a lock and an unlock that come in the other order the last word counts', async () => {
      expect(await unlock(5_000, 5_000, 2_000_002)).toMatchObject({ state: 'succeeded' })

      const overtaken = await run(
        { kind: 'lock', reason: 'a migration', until: undefined, at: 5_000 },
        5_500,
        2_000_001,
      )

      expect(overtaken).toEqual({
        state: 'cancelled',
        reason: 'overtaken',
        detail: 'Not done: it came late, and #1, which is newer, came before.',
      })
      expect(await locks(6_000)).toEqual([])
    })
  })
})
