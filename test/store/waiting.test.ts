import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { Deployment } from '../../src/deployment/deployment.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { Store } from '../../src/store/store.ts'
import { claimFrom } from '../support/claiming.ts'
import { newMerge, queuedIntake } from '../support/samples.ts'
import { emptyDatabase, ENGINES, type TestDatabase } from '../support/stores.ts'

const reports = () => []
const HOLD = { reason: 'deciding', detail: 'It has just come.', since: 1_000, until: undefined } as const
const change = { at: 2_000, reports }

/** Everything that may be done to a deployment that waits, or on its way back into the line. */
const CHANGES: Readonly<Record<string, (store: Store, one: Deployment) => Promise<unknown>>> = {
  // The first: it alone is ready then.
  'a hook that blocks it': async (store, { id }) => {
    await store.release(id, change)
    await claimFrom(store, { limit: 9, ...change })
    await store.putBack(id, { until: 9_000, detail: 'not now', logBytes: 1, givesWay: false }, change)
  },
  'another reason to wait': (store, { id }) => store.hold(id, { ...HOLD, reason: 'locked' }, change),
  'other words for it': (store, { id }) => store.hold(id, { ...HOLD, detail: 'Still.' }, change),
  'another end of the wait': (store, { id }) => store.hold(id, { ...HOLD, until: 9_000 }, change),
  force: (store, { id }) => store.force(id, { by: 'ann', why: 'the sale' }, change),
  'the question to GitHub': (store, { id }) => store.asking(id),
  'checks that passed': (store, { id }) => store.checked(id, 3_000),
  'its authors': (store, { id }) => store.noteAuthors(id, ['octo']),
  'its deployment on GitHub': (store, { id }) =>
    store.bind(
      id,
      { githubId: 7, apiUrl: 'https://api.github.com/7', creator: 'robot', creatorAvatar: 'https://x/7' },
      change,
    ),
  'that it goes on': (store, { id }) => store.release(id, change),
  'its end': (store, { id }) => store.move(id, 'queued', 'cancelled', change),
}

describe.each(ENGINES)('what waits, on $engine', ({ engine, missing }) => {
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

    const queue = async (environment: string): Promise<Deployment> => {
      const merge = newMerge({ environment, lane: environment, hold: HOLD })
      const [accepted] = await store.accept([queuedIntake(merge)])
      const [deployment] = accepted?.deployments ?? []
      if (deployment === undefined) throw new Error('nothing was queued')
      return deployment
    }

    test('is told as it is now, whatever has come of it since it was told last', async () => {
      for (const [index, [what, happen]] of Object.entries(CHANGES).entries()) {
        const one = await queue(`a${index}`)
        const other = await queue(`b${index}`)
        await store.waiting()

        await happen(store, one)

        const all = await store.waiting()
        const ids = [...new Set([...all.map(({ id }) => id), one.id, other.id])]
        expect(all, what).toEqual(await store.waiting(ids))
        expect(all, what).not.toContainEqual(one)
        expect(all, what).toContainEqual(other)
      }
    })

    test('is read anew only where it may have changed', async () => {
      const [one, other] = [await queue('production'), await queue('staging')]
      const before = await store.waiting()
      await store.hold(other.id, { ...HOLD, reason: 'locked' }, change)

      const after = await store.waiting()

      expect(after.map(({ id }) => id)).toEqual([one.id, other.id])
      expect([after[0] === before[0], after[1] === before[1]]).toEqual([true, false])
    })
  })
})
