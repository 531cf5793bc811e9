import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { State } from '../../src/deployment/state.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { FailureStreak, NewReport, ReportsFor, Store } from '../../src/store/store.ts'
import { claimFrom } from '../support/claiming.ts'
import { newDeployment, newMerge, queuedIntake } from '../support/samples.ts'
import { emptyDatabase, ENGINES, type TestDatabase } from '../support/stores.ts'

describe.each(ENGINES)('failures in a row, on $engine', ({ engine, missing }) => {
  describe.skipIf(missing)('', () => {
    let database: TestDatabase
    let store: Store
    /** What every move was told of the failures before it, in order. */
    let told: (FailureStreak | undefined)[]

    beforeEach(async () => {
      database = await emptyDatabase[engine]()
      store = await openStore(database.address)
      told = []
    })
    afterEach(async () => {
      await store.close()
      await database.drop()
    })

    const owing =
      (...owed: readonly NewReport[]): ReportsFor =>
      (_, streak) => {
        told.push(streak)
        return owed
      }
    const nothing = owing()
    const accept = async (given: Parameters<typeof newDeployment>[0] = {}): Promise<number> => {
      const [answer] = await store.accept([queuedIntake(newDeployment({ reports: nothing, ...given }))])
      return answer?.deployments[0]?.id ?? 0
    }
    const run = async (
      end: 'succeeded' | 'failed' | 'cancelled',
      at: number,
      reports: ReportsFor = nothing,
      given: Parameters<typeof newDeployment>[0] = {},
    ): Promise<number> => {
      const id = await accept(given)
      await claimFrom(store, { limit: 9, at: at - 1, reports: () => [] })
      if (end === 'cancelled') await store.move(id, 'running', 'cancelling', { at, reports: () => [] })
      const from: State = end === 'cancelled' ? 'cancelling' : 'running'
      await store.move(id, from as 'cancelling', end, { at, reports })
      return id
    }
    /** What the next move in the environment is told. */
    const streak = async (given: Parameters<typeof newDeployment>[0] = {}): Promise<unknown> => {
      await accept(given)
      return told.at(-1)
    }

    test('are counted until something succeeds', async () => {
      await run('failed', 3_000)
      await run('failed', 4_000)
      await run('succeeded', 5_000)

      expect(told).toEqual([
        undefined, // the first is accepted, and fails
        undefined,
        { failures: 1, since: 3_000 },
        { failures: 1, since: 3_000 },
        { failures: 2, since: 3_000 },
        { failures: 2, since: 3_000 },
      ])
      expect(await streak()).toBeUndefined()
    })

    test('are those of one environment', async () => {
      await run('failed', 3_000)

      expect(await streak({ environment: 'staging', lane: 'staging' })).toBeUndefined()
      expect(await streak({ environment: 'Production', lane: 'other' })).toEqual({
        failures: 1,
        since: 3_000,
      })
    })

    test('are neither added to nor ended by what was taken back or never ran', async () => {
      await run('failed', 3_000)
      await run('cancelled', 4_000)
      await accept({ failure: { reason: 'task_unknown', detail: 'Unknown task: x' } })
      const held = await accept()
      await store.move(held, 'queued', 'failed', { at: 5_000, reason: 'checks_failed', reports: nothing })

      expect(await streak()).toEqual({ failures: 1, since: 3_000 })
    })

    test('are counted where a cancelled one failed all the same', async () => {
      const id = await accept()
      await claimFrom(store, { limit: 9, at: 2_000, reports: nothing })
      await store.move(id, 'running', 'cancelling', { at: 3_000, reports: nothing })
      await store.move(id, 'cancelling', 'failed', { at: 4_000, reports: nothing })

      expect(await streak()).toEqual({ failures: 1, since: 4_000 })
    })

    test('are known to whatever happens: to a claim, a hold, a release and a binding', async () => {
      await run('failed', 3_000)
      const merge = newMerge({ reports: nothing })
      const [answer] = await store.accept([{ ...queuedIntake(merge), verdict: 'deciding' }])
      const id = answer?.deployments[0]?.id ?? 0
      told = []
      const at = 4_000
      const hold = {
        reason: 'checks_pending',
        detail: 'Waiting for ci/test',
        since: at,
        until: undefined,
      } as const
      await store.hold(id, hold, { at, reports: nothing })
      await store.bind(
        id,
        { githubId: 77, apiUrl: '', creator: 'robot', creatorAvatar: '' },
        { at, reports: nothing },
      )
      await claimFrom(store, { limit: 9, at, reports: nothing })

      expect(told).toEqual(Array.from({ length: 3 }, () => ({ failures: 1, since: 3_000 })))
    })

    test('are counted on when the failures are no longer kept, and after a restart', async () => {
      for (const at of [3_000, 4_000, 5_000]) await run('failed', at)
      const everything = { before: 1e15, now: 1e15, excess: 0 }
      expect(await store.retaining.deployments(0, everything)).toMatchObject({ removed: 3 })
      await store.close()
      store = await openStore(database.address)

      expect(await streak()).toEqual({ failures: 3, since: 3_000 })
    })

    test('that are still to be told are not when their end is', async () => {
      const failure = owing({ channel: 'slack', body: 'failed' }, { channel: 'github', body: 'failure' })
      const other = await run('failed', 3_000, failure, { environment: 'staging', lane: 'staging' })
      const delivered = await run('failed', 3_000, failure)
      await store.outbox.settle((await store.outbox.of(delivered))[0]?.id ?? 0, 'delivered', 3_500)
      const waiting = await run('failed', 4_000, failure)
      const recovered = await run(
        'succeeded',
        5_000,
        owing({ channel: 'slack', body: 'ok', endsStreak: true }),
      )

      const states = async (id: number) => (await store.outbox.of(id)).map(({ state }) => state)
      expect(await states(delivered)).toEqual(['delivered', 'owed'])
      expect(await states(waiting)).toEqual(['dropped', 'owed'])
      expect(await states(other)).toEqual(['owed', 'owed'])
      expect(await states(recovered)).toEqual(['owed'])
    })
  })
})
