import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { why } from '../../src/decide/why.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { NewDeployment, Store } from '../../src/store/store.ts'
import { claimFrom } from '../support/claiming.ts'
import { environmentConfig, newDeployment, queuedIntake } from '../support/samples.ts'
import { emptyDatabase, ENGINES, type TestDatabase } from '../support/stores.ts'

const HELD = { reason: 'locked', detail: 'a migration', since: 1_000, until: undefined } as const
const SHOP = { configuredAs: 'acme/shop', environment: 'production', lane: 'acme/shop/production' }
const STAGING = { environment: 'staging', lane: 'acme/shop/staging' }

describe.each(ENGINES)('a long line on $engine', ({ engine, missing }) => {
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

    const queue = (count: number, given: Partial<NewDeployment> = {}) =>
      store.accept([queuedIntake(...Array.from({ length: count }, () => newDeployment(given)))])
    const begin = () => claimFrom(store, { limit: 9, at: 2_000, reports: () => [] })

    test('is told from what begins first, with how many wait besides and where', async () => {
      await queue(998, { hold: HELD })
      await queue(5, { ...STAGING, hold: HELD })
      await queue(4)
      await begin()

      const { deployments, left } = await store.line(0)

      expect(deployments.filter(({ state }) => state === 'running')).toHaveLength(1)
      expect(deployments.filter(({ state, hold }) => state === 'queued' && hold === undefined)).toHaveLength(
        3,
      )
      expect(deployments).toHaveLength(1_001)
      expect(deployments.map(({ id }) => id)).toEqual(
        deployments.map(({ id }) => id).toSorted((a, b) => a - b),
      )
      expect(left).toEqual([
        { configuredAs: 'acme/shop', environment: 'production', count: 1 },
        { configuredAs: 'acme/shop', environment: 'staging', count: 5 },
      ])
    })

    test('that is no longer than what is listed leaves nothing out', async () => {
      await queue(3, { hold: HELD })

      expect((await store.line(0)).left).toEqual([])
    })

    test('is explained by its newest, and says how many wait besides', async () => {
      await queue(29, { hold: HELD })
      await queue(1, { hold: { ...HELD, detail: 'the newest waits for this' } })

      const situation = await store.situation(SHOP)

      expect(situation.waitingCount).toBe(30)
      expect(situation.waiting.map(({ number }) => number)).toEqual(
        [...Array(20).keys(), 29].map((n) => n + 1),
      )
      const gates = await store.gateFacts(
        { ...SHOP, id: 0, sha: '' },
        { at: 61_000, after: undefined, approval: false },
      )
      const { answer, facts } = why({
        environment: environmentConfig(),
        situation,
        gates,
        subject: situation.waiting.at(-1),
        maxConcurrent: 1,
        stopped: undefined,
      })
      expect(answer).toBe('#30 (a84d88e) waits, for 1 min: the newest waits for this; 29 more wait besides.')
      expect(facts.filter(({ about }) => about === 'waiting').at(-1)?.says).toBe('9 more, between these')
    })

    test('finds what is about to begin behind many that are held', async () => {
      await queue(25, { hold: HELD })
      await queue(1)
      await queue(5, { hold: HELD })

      const { waiting } = await store.situation(SHOP)

      expect(waiting.find(({ hold }) => hold === undefined)?.number).toBe(26)
      expect(waiting.at(-1)?.number).toBe(31)
    })
  })
})
