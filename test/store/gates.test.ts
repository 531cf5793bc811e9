import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { createGate } from '../../src/decide/gates.ts'
import type { Deployment } from '../../src/deployment/deployment.ts'
import type { HoldReason } from '../../src/deployment/reasons.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { NewDeployment, Store } from '../../src/store/store.ts'
import { claimFrom } from '../support/claiming.ts'
import { environmentConfig, newDeployment, queuedIntake, SHA } from '../support/samples.ts'
import { emptyDatabase, ENGINES, type TestDatabase } from '../support/stores.ts'

const OTHER = 'b'.repeat(40)
const reports = () => []
const DEMAND = { by: undefined, expiresSeconds: 60, allowsAuthor: false }

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

    test('how long something was held for a reason is told, without what it waited for between', async () => {
      const hold = { reason: 'locked', detail: 'a migration', since: 0, until: undefined } as const
      const change = (at: number) => ({ at, reports })
      const { id } = await queue({ hold: { ...hold, reason: 'deciding' } })
      const holdFor = (reason: HoldReason, at: number) => store.hold(id, { ...hold, reason }, change(at))
      await holdFor('earlier_environment', 2_000)
      await store.force(id, { by: 'ann', why: 'the sale begins' }, change(2_500))
      await holdFor('locked', 3_000)
      await holdFor('earlier_environment', 14_000)
      await store.release(id, change(16_000))

      expect(await store.heldBefore(id, 'earlier_environment')).toBe(3_000)
      expect(await store.heldBefore(id, 'locked')).toBe(11_000)
      expect(await store.heldBefore(id, 'outside_windows')).toBe(0)
    })

    test('the time for which it is held now is not told, nor one of a clock that was set back', async () => {
      const hold = { reason: 'locked', detail: 'a migration', since: 0, until: undefined } as const
      const { id } = await queue({ hold: { ...hold, reason: 'deciding' } })
      await store.hold(id, hold, { at: 9_000, reports })
      await store.hold(id, { ...hold, reason: 'deciding' }, { at: 4_000, reports })
      await store.hold(id, hold, { at: 5_000, reports })

      expect(await store.heldBefore(id, 'locked')).toBe(0)
    })

    test('of many at once it is the same as of each alone, and of nobody else', async () => {
      const hold = { reason: 'deciding', detail: '', since: 1_000, until: undefined } as const
      const place = (number: number) => {
        const name = `acme/shop${number}`
        const repository = { repository: name, configuredAs: name, repositoryGithubId: 100 + number }
        return { ...repository, lane: `${name}/production`, hold }
      }
      const accepted = await store.accept(
        Array.from({ length: 300 }, (_, index) =>
          queuedIntake(newDeployment({ ...place(index), authors: [`author${index}`] })),
        ),
      )
      const many = accepted.flatMap(({ deployments }) => deployments)
      const [first, second, third] = many as [Deployment, Deployment, Deployment]
      await queue({ ...place(1), environment: 'staging' })
      await queue({ ...place(2), environment: 'QA' })
      const twin = await queue({ ...place(0), sha: OTHER, authors: ['other'] })
      await store.approvals.give(first.id, { by: 'ann', at: 2_000, until: 5_000 })
      await store.noteAuthors(second.id, ['octo'])
      await store.noteAuthors(twin.id, ['bob'])
      for (const [lock, until] of Object.entries({
        '*': 3_000,
        'acme/shop2': 9_000,
        'acme/shop2/production': 9_000,
      }))
        await store.locks.take({ place: lock, reason: 'a freeze', by: 'ann', since: 1_000, until })
      const all = [...many, twin]
      const asked = all.map((deployment) => ({
        deployment,
        approval: deployment.id % 2 === first.id % 2 || deployment === second,
        after: deployment === third ? 'qa' : 'staging',
      }))

      const facts = await store.gateFactsOf(asked, 4_000)

      expect(facts.size).toBe(301)
      for (const { deployment, ...wanted } of asked.filter((_, index) => index < 4 || index > 298))
        expect(facts.get(deployment.id)).toEqual(await store.gateFacts(deployment, { ...wanted, at: 4_000 }))
      const tried = { success: undefined, bad: undefined, other: { number: 1, state: 'queued' } }
      expect(facts.get(first.id)).toEqual({
        now: 4_000,
        locks: [],
        approvals: [{ by: 'ann', at: 2_000, until: 5_000 }],
        authors: ['author0'],
        areAuthorsKnown: false,
        upstream: { environment: 'staging', success: undefined, bad: undefined, other: undefined },
      })
      expect(facts.get(second.id)).toMatchObject({
        approvals: [],
        authors: ['author1', 'octo'],
        areAuthorsKnown: true,
        upstream: { environment: 'staging', ...tried },
      })
      expect(facts.get(third.id)).toMatchObject({
        locks: [{ place: 'acme/shop2' }, { place: 'acme/shop2/production' }],
        upstream: { environment: 'qa', ...tried },
      })
      expect(facts.get(twin.id)).toMatchObject({ approvals: [] })
      expect(await store.gateFactsOf([], 4_000)).toEqual(new Map())
    })

    describe('an approval', () => {
      const ANN = { by: 'ann', at: 2_000, until: 5_000 }
      const gate = createGate(() => environmentConfig({ approval: DEMAND }))
      const claim = (at: number) => store.claim({ limit: 9, at, reports, gate })
      const factsOf = (deployment: Deployment) =>
        store.gateFacts(deployment, { at: 3_000, after: undefined, approval: true })
      const waiting = { reason: 'approval_pending', detail: '', since: 1_000, until: undefined } as const

      test('lets its commit begin, and is written down with it', async () => {
        const { id } = await queue()
        await store.noteAuthors(id, [])
        expect((await claim(2_000)).held).toMatchObject([{ id, hold: { reason: 'approval_pending' } }])
        expect(await store.approvals.give(id, ANN)).toMatchObject({ id, state: 'queued' })
        await store.release(id, { at: 3_000, reports })

        const { turns } = await store.situation({
          configuredAs: 'acme/shop',
          environment: 'production',
          lane: 'acme/shop/production',
        })
        expect(turns).toContainEqual({
          at: 2_000,
          state: 'queued',
          reason: 'approved',
          detail: 'Approved by ann',
        })
        expect((await claim(4_999)).deployment).toMatchObject({ id, state: 'running', approvedBy: 'ann' })
      })

      test('that has ended when its turn comes is refused by the claim, which says so', async () => {
        const { id } = await queue()
        await store.noteAuthors(id, [])
        await store.approvals.give(id, ANN)

        const { deployment, held } = await claim(5_000)

        const detail =
          'The approval by ann ended 1970-01-01 00:00 UTC; waiting for another by somebody other than mona'
        expect([deployment, held.map(({ hold }) => hold?.detail)]).toEqual([undefined, [detail]])
      })

      test('is of one task with one commit in one environment, and of all deployments of that', async () => {
        const first = await queue({ hold: waiting })
        const same = await queue({ hold: waiting })
        const others = [
          await queue({ hold: waiting, sha: OTHER }),
          await queue({ hold: waiting, task: 'migrate' }),
          await queue({ hold: waiting, environment: 'staging', lane: 'acme/shop/staging' }),
        ]
        await store.approvals.give(first.id, ANN)

        expect((await factsOf(same)).approvals).toEqual([ANN])
        for (const other of others) expect((await factsOf(other)).approvals).toEqual([])
      })

      test('of the same person again takes the place of the earlier one', async () => {
        const one = await queue({ hold: waiting })
        await store.approvals.give(one.id, ANN)
        await store.approvals.give(one.id, { by: 'bob', at: 2_500, until: 6_000 })
        await store.approvals.give(one.id, { by: 'Ann', at: 3_000, until: 9_000 })

        expect((await factsOf(one)).approvals.map(({ by, until }) => [by, until])).toEqual([
          ['bob', 6_000],
          ['Ann', 9_000],
        ])
      })

      test('is taken back by whoever gave it, as long as it has not begun', async () => {
        const one = await queue()
        await store.noteAuthors(one.id, [])
        await store.approvals.give(one.id, ANN)
        expect(await store.approvals.takeBack(one.id, { by: 'bob', at: 2_500 })).toMatchObject({
          wasGiven: false,
        })
        expect(await store.approvals.takeBack(one.id, { by: 'ANN', at: 2_500 })).toMatchObject({
          wasGiven: true,
        })
        expect((await claim(3_000)).deployment).toBeUndefined()
        await store.release(one.id, { at: 3_000, reports })
        await store.approvals.give(one.id, ANN)
        await claim(4_000)

        expect(await store.approvals.takeBack(one.id, { by: 'ann', at: 4_500 })).toBeUndefined()
        expect(await store.approvals.give(one.id, ANN)).toBeUndefined()
        expect(await store.approvals.give(99, ANN)).toBeUndefined()
      })

      test('is known by whose it is in whichever case, of all letters', async () => {
        const one = await queue({ hold: waiting })
        await store.approvals.give(one.id, { by: 'Jörg Ångström', at: 2_000, until: 5_000 })
        await store.approvals.give(one.id, { by: 'JÖRG ÅNGSTRÖM', at: 2_500, until: 6_000 })
        expect((await factsOf(one)).approvals.map(({ by }) => by)).toEqual(['JÖRG ÅNGSTRÖM'])

        expect(await store.approvals.takeBack(one.id, { by: 'jörg ångström', at: 2_600 })).toMatchObject({
          wasGiven: true,
        })
        expect((await factsOf(one)).approvals).toEqual([])
      })

      test('is judged by the authors of the commit, whoever deploys it again', async () => {
        await queue({ environment: 'staging', lane: 'acme/shop/staging', authors: ['octo', 'ann'] })
        await queue({ sha: OTHER, authors: ['carol'] })
        const again = await queue({ hold: waiting, authors: ['octo'] })

        expect((await factsOf(again)).authors.toSorted()).toEqual(['ann', 'octo'])
      })

      test('is judged by the authors of what was asked for and of what was put in place instead', async () => {
        const other = await queue({ sha: OTHER, authors: ['carol'] })
        await claimFrom(store, { limit: 9, at: 2_000, reports })
        await store.move(other.id, 'running', 'succeeded', { at: 3_000, reports, deployedSha: SHA })

        const [there, asked] = [await queue({ hold: waiting }), await queue({ hold: waiting, sha: OTHER })]

        expect((await factsOf(there)).authors).toEqual(['carol'])
        expect((await factsOf(asked)).authors).toEqual(['carol'])
      })

      test('is judged by what GitHub said of the commit in any environment, and what was told before stays', async () => {
        const staged = await queue({ environment: 'staging', lane: 'acme/shop/staging', authors: ['octo'] })
        const here = await queue({ hold: waiting })
        const other = await queue({ hold: waiting, sha: OTHER })
        expect((await factsOf(here)).areAuthorsKnown).toBe(false)

        await store.noteAuthors(staged.id, ['ann', 'octo'])

        expect(await factsOf(here)).toMatchObject({ authors: ['octo', 'ann'], areAuthorsKnown: true })
        expect((await factsOf(other)).areAuthorsKnown).toBe(false)
        await store.noteAuthors(other.id, [])
        expect(await factsOf(other)).toMatchObject({ authors: [], areAuthorsKnown: true })
      })

      test('is removed some time after it has ended', async () => {
        const one = await queue({ hold: waiting })
        await store.approvals.give(one.id, ANN)
        await store.approvals.give(one.id, { by: 'bob', at: 2_500, until: 6_000 })

        expect(await store.retaining.approvals({ before: 5_000 })).toBe(0)
        expect(await store.retaining.approvals({ before: 5_001 })).toBe(1)
        expect((await factsOf(one)).approvals.map(({ by }) => by)).toEqual(['bob'])
      })
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
