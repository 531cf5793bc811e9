import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { openStore } from '../../src/store/sql-store.ts'
import type { Store } from '../../src/store/store.ts'
import { claimFrom } from '../support/claiming.ts'
import { newDeployment, queuedIntake } from '../support/samples.ts'
import { emptyDatabase, ENGINES, type TestDatabase } from '../support/stores.ts'

const told = (at: number) => ({ at, reports: () => [] })

describe.each(ENGINES)('what a hook lets not begin yet, on $engine', ({ engine, missing }) => {
  describe.skipIf(missing)('', () => {
    let database: TestDatabase
    let store: Store

    beforeEach(async () => {
      database = await emptyDatabase[engine]()
      store = await openStore(database.address)
      await store.accept([queuedIntake(newDeployment()), queuedIntake(newDeployment())])
    })
    afterEach(async () => {
      await store.close()
      await database.drop()
    })

    /** The number of what waits behind that one. */
    const numberBehind = async (id: number): Promise<number | undefined> =>
      (await store.inState('queued')).find((one) => one.id > id)?.number
    const claim = async (at: number) => {
      const claimed = await claimFrom(store, { limit: 1, ...told(at) })
      if (claimed === undefined) throw new Error('nothing to claim')
      return claimed
    }

    test('goes back in line, out of the way of what is behind it, and remembers since when', async () => {
      const first = await claim(10)
      await store.recordProcess(first.id, { runId: 'ab', group: 1, bootId: 'b', startTicks: '1' })

      const held = await store.putBack(
        first.id,
        { until: 70, detail: 'busy', logBytes: 10, givesWay: false },
        told(20),
      )
      const second = await claim(30)
      await store.move(second.id, 'running', 'succeeded', told(40))
      await store.release(first.id, told(70))
      const again = await claim(75)
      await store.putBack(
        again.id,
        { until: 140, detail: 'still busy', logBytes: 20, givesWay: false },
        told(80),
      )

      expect(held).toMatchObject({
        state: 'queued',
        startedAt: undefined,
        hold: { reason: 'hook_blocked', detail: 'busy', until: 70 },
        blocked: { since: 20, until: 70, tries: 1 },
      })
      expect(await store.processesOf(first.id)).toEqual([])
      expect(second.id).not.toBe(first.id)
      expect(again.id).toBe(first.id)
      expect(await store.deployment(first.id)).toMatchObject({
        blocked: { since: 20, until: 140, detail: 'still busy', tries: 2 },
      })
    })

    test('is told anew where something else was the reason to wait between', async () => {
      const first = await claim(10)
      await store.putBack(first.id, { until: 11, detail: 'busy', logBytes: 1, givesWay: false }, told(11))
      const lock = { reason: 'locked', detail: 'by mona', since: 12, until: undefined } as const
      await store.hold(first.id, lock, told(12))
      await store.release(first.id, told(13))
      const again = await claim(14)

      const held = await store.putBack(
        again.id,
        { until: 20, detail: 'busy', logBytes: 2, givesWay: false },
        told(15),
      )

      expect(held?.blocked).toMatchObject({ tries: 2, told: 1, logBytes: 2 })
    })

    test('gives way where something newer was asked for while its hook was asked', async () => {
      const first = await claim(10)
      const second = await numberBehind(first.id)

      const ended = await store.putBack(
        first.id,
        { until: 70, detail: 'busy', logBytes: 1, givesWay: true },
        told(20),
      )

      expect(ended).toMatchObject({
        state: 'cancelled',
        reason: 'superseded',
        detail: `Superseded by #${second}.`,
        hold: undefined,
      })
    })

    test('gives way to no commit that may be, or was, a fork’s', async () => {
      const first = await claim(5)
      await store.move(first.id, 'running', 'failed', told(6))
      const { id } = await claim(10)
      const hold = { reason: 'commit_unchecked', detail: '', since: 10, until: undefined } as const
      await store.accept([
        queuedIntake(newDeployment({ hold })),
        queuedIntake(newDeployment({ failure: { reason: 'foreign_commit', detail: '' } })),
      ])

      const held = await store.putBack(
        id,
        { until: 70, detail: 'busy', logBytes: 1, givesWay: true },
        told(20),
      )

      expect(held).toMatchObject({ state: 'queued', hold: { reason: 'hook_blocked' } })
    })

    test('a pin is ended by what was asked for after it, and by nothing before', async () => {
      const [first, second] = [await claim(10), newDeployment()]
      const pin = { by: 'mona', reason: 'down', leaves: undefined }
      const back = { ...newDeployment({ origin: 'person', sha: 'b'.repeat(40) }), nonce: 'n', pin }
      await store.ask(back, 20)

      await store.move(first.id, 'running', 'succeeded', told(30))
      const pinned = await store.pins.all()
      await store.accept([queuedIntake(second)])
      for (;;) {
        const next = await claim(40)
        await store.move(next.id, 'running', 'succeeded', told(50))
        if (next.githubId === second.githubId) break
      }

      expect(pinned).toMatchObject([{ place: 'acme/shop/production', sha: 'b'.repeat(40), by: 'mona' }])
      expect(await store.pins.all()).toEqual([])
    })

    test('another task has no part in the failures of its environment, nor in what is on its way', async () => {
      const failed = await claim(10)
      await store.move(failed.id, 'running', 'failed', { ...told(20), reason: 'command_failed' })
      const waiting = await claim(30)
      await store.accept([queuedIntake(newDeployment({ task: 'migrate' }))])
      await store.move(waiting.id, 'running', 'failed', { ...told(40), reason: 'command_failed' })
      const streaks: unknown[] = []
      const migrate = await claim(50)

      await store.move(migrate.id, 'running', 'succeeded', {
        at: 60,
        reports: (_, streak) => {
          streaks.push(streak)
          return []
        },
      })
      await store.accept([queuedIntake(newDeployment())])
      const next = await claim(70)
      await store.move(next.id, 'running', 'succeeded', {
        at: 80,
        reports: (_, streak) => {
          streaks.push(streak?.failures)
          return []
        },
      })

      expect(streaks).toEqual([undefined, 2])
    })

    test('is let go when its work begins, once; what was cancelled meanwhile is not put back', async () => {
      const first = await claim(10)
      await store.putBack(first.id, { until: 11, detail: 'busy', logBytes: 10, givesWay: false }, told(11))
      await store.release(first.id, told(12))
      await claim(13)

      const begun = await store.unblock(first.id, told(14))
      const again = await store.unblock(first.id, told(15))
      await store.move(first.id, 'running', 'cancelling', { ...told(16), reason: 'by_person' })
      const late = await store.putBack(
        first.id,
        { until: 99, detail: 'busy', logBytes: 10, givesWay: false },
        told(17),
      )

      expect(begun).toMatchObject({ state: 'running', blocked: undefined })
      expect([again, late]).toEqual([undefined, undefined])
      expect(await store.deployment(first.id)).toMatchObject({ state: 'cancelling', hold: undefined })
    })
  })
})
