import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'

import type { Deployment } from '../../src/deployment/deployment.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { NewDeployment, Store } from '../../src/store/store.ts'
import { claimFrom } from '../support/claiming.ts'
import { newDeployment, queuedIntake, SHA } from '../support/samples.ts'
import { emptyDatabase, type TestDatabase } from '../support/stores.ts'

const ENGINES = [
  { engine: 'sqlite', missing: false },
  { engine: 'postgres', missing: inject('postgres') === undefined },
] as const

const OTHER = 'b'.repeat(40)
const reports = () => []

describe.each(ENGINES)('what gates are judged by, on $engine', ({ engine, missing }) => {
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

    const queue = async (given: Partial<NewDeployment> = {}): Promise<Deployment> => {
      const [accepted] = await store.accept([queuedIntake(newDeployment(given))])
      const [deployment] = accepted?.deployments ?? []
      if (deployment === undefined) throw new Error('nothing was queued')
      return deployment
    }

    test('since when something is held for a reason is told, whatever came in between', async () => {
      const hold = { reason: 'locked', detail: 'a migration', since: 0, until: undefined } as const
      const change = (at: number) => ({ at, reports })
      const { id } = await queue({ hold: { ...hold, reason: 'deciding' } })
      await store.hold(id, { ...hold, reason: 'earlier_environment' }, change(2_000))
      await store.hold(id, hold, change(3_000))
      await store.hold(id, { ...hold, reason: 'earlier_environment' }, change(4_000))

      expect(await store.heldSince(id, 'earlier_environment')).toBe(2_000)
      expect(await store.heldSince(id, 'locked')).toBe(3_000)
      expect(await store.heldSince(id, 'outside_windows')).toBeUndefined()
    })

    describe('how a commit fared in the environment before', () => {
      const STAGING = { environment: 'Staging', lane: 'acme/shop/staging' }
      const queueOnStaging = (sha = SHA) => queue({ ...STAGING, sha })
      const upstream = async ({ id }: Deployment, after = 'staging') => {
        const deployment = await store.deployment(id)
        if (deployment === undefined) throw new Error('it is gone')
        return (await store.gateFacts(deployment, { at: 9_000, after, approval: false })).upstream
      }
      const begin = () => claimFrom(store, { limit: 9, at: 2_000, reports })
      const end = (
        { id }: Deployment,
        state: 'succeeded' | 'failed',
        given: { readonly at?: number; readonly deployedSha?: string } = {},
      ) => store.move(id, 'running', state, { at: 3_000, reports, ...given })

      test('is nothing where it was never tried, nor in an environment that is not there', async () => {
        await queueOnStaging(OTHER)
        const here = await queue()

        const nothing = { success: undefined, bad: undefined, other: undefined }
        expect(await upstream(here)).toEqual({ environment: 'staging', ...nothing })
        expect(await upstream(here, 'qa')).toEqual({ environment: 'qa', ...nothing })
      })

      test('is the newest try until one has succeeded, and from then on the first success', async () => {
        const first = await queueOnStaging()
        const here = await queue({ hold: { reason: 'deciding', detail: '', since: 1_000, until: undefined } })
        expect(await upstream(here)).toMatchObject({
          success: undefined,
          other: { number: 1, state: 'queued' },
        })
        await begin()
        await end(first, 'failed')
        const second = await queueOnStaging()
        expect(await upstream(here)).toMatchObject({ other: { number: 2, state: 'queued' } })
        await begin()
        expect(await upstream(here)).toMatchObject({ other: { number: 2, state: 'running' } })
        await end(second, 'succeeded', { at: 4_000 })
        const third = await queueOnStaging()
        await begin()
        await end(third, 'failed', { at: 5_000 })

        expect(await upstream(here)).toEqual({
          environment: 'staging',
          success: { number: 2, at: 4_000 },
          bad: undefined,
          other: undefined,
        })
      })

      test('is what was really put in place there, not what was asked for', async () => {
        const asked = await queueOnStaging(OTHER)
        const here = await queue({ hold: { reason: 'deciding', detail: '', since: 1_000, until: undefined } })
        const there = await queue({
          sha: OTHER,
          hold: { reason: 'deciding', detail: '', since: 1_000, until: undefined },
        })
        await begin()
        await end(asked, 'succeeded', { deployedSha: SHA })

        expect((await upstream(here))?.success?.number).toBe(1)
        expect((await upstream(there))?.success).toBeUndefined()
      })

      test('knows who has marked it bad there, and forgets it when that is taken back', async () => {
        const staged = await queueOnStaging()
        await begin()
        await end(staged, 'succeeded')
        const here = await queue()
        await store.markBad(staged.id, { at: 5_000, by: 'ann', reason: 'slow' })
        expect(await upstream(here)).toMatchObject({
          bad: { by: 'ann', reason: 'slow' },
          success: { number: 1 },
        })
        await store.markBad(staged.id, undefined)

        expect((await upstream(here))?.bad).toBeUndefined()
      })

      test('is not how it fared in another repository', async () => {
        const elsewhere = await queue({
          ...STAGING,
          lane: 'acme/other/staging',
          repository: 'acme/other',
          configuredAs: 'acme/other',
          repositoryGithubId: 18,
        })
        await begin()
        await end(elsewhere, 'succeeded')

        expect((await upstream(await queue()))?.success).toBeUndefined()
      })
    })
  })
})
