import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { openStore } from '../../src/store/sql-store.ts'
import type { Accepted, Intake, Store } from '../../src/store/store.ts'
import { newDelivery, newDeployment, newMerge, queuedIntake } from '../support/samples.ts'
import { emptyDatabase, ENGINES, type TestDatabase } from '../support/stores.ts'
import { claimFrom } from '../support/claiming.ts'

const reports = () => []

describe.each(ENGINES)('the inbox on $engine', ({ engine, missing }) => {
  describe.skipIf(missing)('', () => {
    let database: TestDatabase
    let store: Store

    beforeEach(async () => {
      database = await emptyDatabase[engine]()
      store = await openStore(database.address)
    })
    afterEach(async () => {
      await store.close()
      await database.drop()
    })

    const accept = async (intake: Intake): Promise<Accepted> => {
      const [answer] = await store.accept([intake])
      if (answer === undefined) throw new Error('no answer')
      return answer
    }
    const without = (given: Partial<Intake> = {}): Intake => ({
      ...queuedIntake(),
      verdict: 'ignored',
      reason: 'event_not_used',
      ...given,
    })
    const replay = { by: 'mona' }

    test('lists the newest first, page by page', async () => {
      for (const guid of ['a', 'b', 'c']) await accept(without({ delivery: newDelivery({ guid }) }))

      const first = await store.inbox.list({ limit: 2 })
      const second = await store.inbox.list({ limit: 2, before: first.at(-1)?.id })

      expect(first.map(({ guid }) => guid)).toEqual(['c', 'b'])
      expect(second.map(({ guid }) => guid)).toEqual(['a'])
    })

    test('lists by verdict and event', async () => {
      await accept(queuedIntake(newDeployment()))
      await accept(without({ delivery: newDelivery({ event: 'ping', guid: 'ping' }) }))

      const ignored = await store.inbox.list({ limit: 9, verdict: 'ignored' })
      const pings = await store.inbox.list({ limit: 9, event: 'ping' })

      expect(ignored.map(({ guid }) => guid)).toEqual(['ping'])
      expect(pings.map(({ guid }) => guid)).toEqual(['ping'])
    })

    test('a delivery names the deployments that it led to, with their state', async () => {
      const intake = queuedIntake(newDeployment(), newDeployment({ environment: 'staging', lane: 'staging' }))
      await accept(intake)
      await claimFrom(store, { limit: 1, at: 5, reports })

      const delivery = await store.inbox.find({ guid: intake.delivery.guid })

      expect(delivery?.deployments).toMatchObject([
        { repository: 'acme/shop', environment: 'production', number: 1, state: 'running' },
        { environment: 'staging', number: 1, state: 'queued' },
      ])
    })

    test('what was known already under another delivery is named as well', async () => {
      const known = newDeployment()
      const first = await accept(queuedIntake(known))
      const again = queuedIntake(known)
      await accept(again)

      const delivery = await store.inbox.find({ guid: again.delivery.guid })

      expect(delivery?.verdict).toBe('repeated')
      expect(delivery?.deployments.map(({ id }) => id)).toEqual(first.deployments.map(({ id }) => id))
    })

    test('what a delivery woke is named', async () => {
      const [held] = (await accept({ ...queuedIntake(newMerge()), verdict: 'deciding' })).deployments
      const status = without({ verdict: 'deciding', reason: undefined, concerns: [held?.id ?? 0] })
      await accept(status)

      const delivery = await store.inbox.find({ guid: status.delivery.guid })

      expect(delivery?.deployments.map(({ id }) => id)).toEqual([held?.id])
    })

    test('of deliveries that share a GUID the newest is found', async () => {
      await accept(without({ delivery: newDelivery({ guid: 'same', body: Buffer.from('{}') }) }))
      await accept(without({ delivery: newDelivery({ guid: 'same', body: Buffer.from('{"a":1}') }) }))
      await accept(without({ delivery: newDelivery({ guid: 'same-not' }) }))

      const found = await store.inbox.find({ guid: 'same' })

      expect(found?.id).toBe((await store.inbox.list({ limit: 9 }))[1]?.id)
    })

    test('what is not there is not found', async () => {
      expect(await store.inbox.find({ guid: 'x' })).toBeUndefined()
      expect(await store.inbox.find({ id: 7 })).toBeUndefined()
      expect(await store.inbox.body(7)).toBeUndefined()
      expect(await store.inbox.list({ limit: 5 })).toEqual([])
    })

    describe('a replay', () => {
      test('of what was ignored is decided anew, and says who wanted it', async () => {
        const { delivery } = without()
        await accept(without({ delivery }))

        const answer = await accept({
          ...queuedIntake(newDeployment()),
          delivery: { ...delivery, receivedAt: 7_000 },
          replay,
        })

        expect(answer).toMatchObject({ verdict: 'queued', deployments: [{ number: 1, createdAt: 7_000 }] })
        expect(await store.inbox.find({ guid: delivery.guid })).toMatchObject({
          verdict: 'queued',
          reason: undefined,
          receivedAt: 1_000,
          replayed: { at: 7_000, by: 'mona' },
          deployments: [{ number: 1 }],
        })
      })

      test('of what is still ignored has the reason of today', async () => {
        const { delivery } = without()
        await accept(without({ delivery }))

        const answer = await accept(without({ delivery, reason: 'branch_deleted', replay }))

        expect(answer).toMatchObject({ verdict: 'ignored', reason: 'branch_deleted' })
        expect(await store.inbox.find({ guid: delivery.guid })).toMatchObject({ reason: 'branch_deleted' })
      })

      test('starts nothing that is known, and leaves the verdict as it was', async () => {
        const intake = queuedIntake(newDeployment())
        await accept(intake)

        const answer = await accept({ ...intake, replay })

        expect(answer).toMatchObject({ verdict: 'repeated', deployments: [{ number: 1 }] })
        expect(await store.inbox.find({ guid: intake.delivery.guid })).toMatchObject({
          verdict: 'queued',
          replayed: { by: 'mona' },
        })
        expect(await store.inState('queued')).toHaveLength(1)
      })

      test('of a merge that was taken back lets it go again; the same delivery from GitHub does not', async () => {
        const intake: Intake = { ...queuedIntake(newMerge()), verdict: 'deciding' }
        const [first] = (await accept(intake)).deployments
        const superseded = { at: 5, reason: 'superseded', reports } as const
        await store.move(first?.id ?? 0, 'queued', 'cancelled', superseded)
        const anew: Intake = { ...intake, deployments: [newMerge()] }

        const fromGitHub = await accept(anew)
        const replayed = await accept({ ...anew, replay })

        expect(fromGitHub).toMatchObject({ verdict: 'repeated', deployments: [{ number: 1 }] })
        expect(replayed).toMatchObject({ verdict: 'deciding', deployments: [{ number: 2 }] })
      })
    })

    test('a delivery that was refused is kept, and decided anew when it comes again', async () => {
      const refused = without({ verdict: 'refused', reason: 'body_wrong_shape', detail: 'no sha' })
      await accept(refused)

      expect(await store.inbox.find({ guid: refused.delivery.guid })).toMatchObject({
        verdict: 'refused',
        reason: 'body_wrong_shape',
        detail: 'no sha',
      })
      const again = await accept({ ...queuedIntake(newDeployment()), delivery: refused.delivery })
      expect(again.verdict).toBe('queued')
    })
  })
})
