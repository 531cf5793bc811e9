import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import fc from 'fast-check'

import type { Changes } from '../../src/deployment/changes.ts'
import type { Deployment } from '../../src/deployment/deployment.ts'
import type { GateFacts } from '../../src/deployment/gates.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type {
  Accepted,
  DueFilter,
  Gate,
  Intake,
  OwedReport,
  Places,
  ReportsFor,
  Store,
} from '../../src/store/store.ts'
import { newDelivery, newDeployment, newMerge, queuedIntake, SHA } from '../support/samples.ts'
import { emptyDatabase, ENGINES, type TestDatabase } from '../support/stores.ts'
import { claimFrom, OPEN } from '../support/claiming.ts'

let batches = 0
const reports = ({ state }: Deployment) => [{ channel: 'github', body: { state } }]
const ignored = (): Intake => ({
  delivery: newDelivery(),
  verdict: 'ignored',
  reason: 'event_not_used',
  detail: undefined,
  deployments: [],
})

describe.each(ENGINES)('the store on $engine', ({ engine, missing }) => {
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
    const queue = async (given: Parameters<typeof newDeployment>[0] = {}): Promise<Deployment> => {
      const [deployment] = (await accept(queuedIntake(newDeployment(given)))).deployments
      if (deployment === undefined) throw new Error('nothing was queued')
      return deployment
    }
    const kept = async (guid: string) => {
      const delivery = await store.inbox.find({ guid })
      return delivery && { ...delivery, body: (await store.inbox.body(delivery.id)) ?? Buffer.alloc(0) }
    }
    const claim = (limit = 100) => claimFrom(store, { limit, at: 2_000, reports })
    const due = (at: number, given: Partial<DueFilter> = {}) =>
      store.outbox.due('github', {
        at,
        limit: 10,
        take: 'oldest',
        exceptDeployments: [],
        exceptRepositories: [],
        ...given,
      })

    test('the ids of deployments go on after one that was named, and never back', async () => {
      await store.beginAfter(7)
      const first = await queue()
      await store.beginAfter(3)
      const second = await queue()
      await store.beginAfter(20)
      const third = await queue()

      expect([first.id, second.id >= 9, third.id >= 21]).toEqual([8, true, true])
    })

    test('a delivery is kept byte for byte with its verdict', async () => {
      const body = Buffer.from('{"zen":"π \u0000"}\n')
      const delivery = newDelivery({
        body,
        headers: { 'x-github-event': 'ping' },
        event: 'ping',
        action: undefined,
      })

      await accept({ ...ignored(), delivery, reason: 'ping' })

      const delivered = await kept(delivery.guid)
      expect(delivered?.body.equals(body)).toBe(true)
      expect(delivered).toMatchObject({
        event: 'ping',
        verdict: 'ignored',
        reason: 'ping',
        headers: { 'x-github-event': 'ping' },
      })
    })

    describe('a merge', () => {
      const merge = async (given: Parameters<typeof newMerge>[0] = {}): Promise<Deployment> => {
        const [deployment] = (await accept(mergeIntake(newMerge(given)))).deployments
        if (deployment === undefined) throw new Error('nothing was recorded')
        return deployment
      }
      const mergeIntake = (...deployments: readonly ReturnType<typeof newMerge>[]): Intake => ({
        ...queuedIntake(...deployments),
        verdict: 'deciding',
      })
      const made = (githubId: number) => ({
        githubId,
        apiUrl: `https://api.github.com/repos/acme/shop/deployments/${githubId}`,
        creator: 'robot',
        creatorAvatar: '',
      })
      const change = { at: 3_000, reports }
      const other = 'c'.repeat(40)

      test('is held from the first moment, has its number, and is not claimed', async () => {
        const held = await merge()

        expect(held).toMatchObject({ state: 'queued', number: 1, githubId: undefined })
        expect(held.hold).toEqual({
          reason: 'deciding',
          detail: 'It has just come.',
          since: 1_000,
          until: undefined,
        })
        expect(await claim()).toBeUndefined()
        expect(await store.waiting()).toEqual([held])
      })

      test('of a repository whose id is not known is no merge of another one', async () => {
        const here = await merge({ repositoryGithubId: 0 })
        const there = await merge({ configuredAs: 'acme/store', repositoryGithubId: 0 })
        const again = await accept(mergeIntake(newMerge({ repositoryGithubId: 0 })))

        expect([there.id === here.id, there.configuredAs]).toEqual([false, 'acme/store'])
        expect(again).toMatchObject({ verdict: 'repeated', deployments: [{ id: here.id }] })
      })

      test('goes to an environment only once; to another one it goes as well', async () => {
        await merge()

        const again = await accept(mergeIntake(newMerge()))
        const both = await accept(mergeIntake(newMerge(), newMerge({ environment: 'staging' })))

        expect(again).toMatchObject({ verdict: 'repeated', deployments: [{ number: 1 }] })
        expect(both.verdict).toBe('deciding')
        expect(await store.waiting()).toHaveLength(2)
      })

      test('keeps whose change it is', async () => {
        const { id } = await merge({ authors: ['octo', 'Ann'] })

        expect((await store.deployment(id))?.authors).toEqual(['octo', 'Ann'])
      })

      test('that came twice in one batch is there once', async () => {
        const answers = await store.accept([mergeIntake(newMerge()), mergeIntake(newMerge())])

        expect(answers.map(({ verdict }) => verdict)).toEqual(['deciding', 'repeated'])
      })

      test('blocks nothing behind it', async () => {
        await merge()
        const asked = await queue()

        expect(await claim()).toMatchObject({ id: asked.id, state: 'running' })
      })

      test('may run once GitHub has made its deployment, and GitHub is told', async () => {
        const { id } = await merge()

        const bound = await store.bind(id, made(77), change)

        expect(bound).toMatchObject({ githubId: 77, creator: 'robot', hold: undefined, state: 'queued' })
        expect(await store.outbox.of(id)).toMatchObject([
          { channel: 'github', body: { state: 'queued' } },
          { channel: 'github', body: { state: 'queued' } },
        ])
        expect(await claim()).toMatchObject({ id, githubId: 77, state: 'running' })
      })

      test('is bound once, by whoever knows first', async () => {
        const { id } = await merge()

        const answers = [
          await store.bind(id, made(77), change),
          await store.bind(id, made(77), change),
          await store.bind(id, made(78), change),
        ]

        expect(answers.map((one) => one?.githubId)).toEqual([77, 77, undefined])
        expect(await store.outbox.of(id)).toHaveLength(2)
      })

      test('is known again by its nonce when the webhook overtakes the answer', async () => {
        const held = await merge()
        const { nonce } = held

        const webhook = await accept(queuedIntake(newDeployment({ nonce, githubId: 77 })))

        expect(webhook).toMatchObject({ verdict: 'repeated', deployments: [{ id: held.id, githubId: 77 }] })
        expect(await store.bind(held.id, made(77), change)).toMatchObject({ id: held.id })
        expect(await claim()).toMatchObject({ id: held.id })
        expect(await claim()).toBeUndefined()
      })

      test('is let through only while nothing else has begun there since it was judged', async () => {
        const held = await merge()
        const { beside } = await store.landmarks(held.id)
        const newer = await queue({ sha: other })
        await claim()

        const answers = [
          await accept(queuedIntake(newDeployment({ nonce: held.nonce, githubId: 77 }))),
          await store.bind(held.id, made(77), { ...change, beside }),
          await store.release(held.id, { ...change, beside }),
        ]
        await store.move(newer.id, 'running', 'succeeded', { at: 4_000, reports })

        expect(answers).toEqual([
          expect.objectContaining({ verdict: 'repeated' }),
          expect.objectContaining({ githubId: 77, hold: held.hold }),
          undefined,
        ])
        expect(await claim()).toBeUndefined()
        const now = await store.landmarks(held.id)
        expect(await store.bind(held.id, made(77), { ...change, ...now })).toMatchObject({ hold: undefined })
        expect(await claim()).toMatchObject({ id: held.id })
      })

      test.each([
        ['another commit', { sha: other }],
        ['another environment', { environment: 'staging' }],
        ['another repository', { configuredAs: 'acme/store', repositoryGithubId: 18 }],
        ['another task', { task: 'migrate' }],
      ])('is not bound to a deployment of %s with a copied nonce', async (_what, given) => {
        const { id, nonce } = await merge()

        const copy = await accept(queuedIntake(newDeployment({ nonce, githubId: 77, ...given })))

        expect(copy.verdict).toBe('queued')
        expect(copy.deployments[0]?.id).not.toBe(id)
        expect((await store.deployment(id))?.githubId).toBeUndefined()
      })

      test('that GitHub made twice runs once; the other one is told so', async () => {
        const { id, nonce } = await merge()
        await store.bind(id, made(77), change)

        const given = newDeployment({ nonce, githubId: 78, creator: 'robot' })
        const [twin] = (await accept(queuedIntake(given))).deployments

        expect(twin).toMatchObject({
          githubId: 78,
          nonce: undefined,
          state: 'cancelled',
          reason: 'superseded',
          detail: 'GitHub made this deployment twice; it goes as #1.',
        })
        expect(await store.outbox.of(twin?.id ?? 0)).toMatchObject([{ body: { state: 'cancelled' } }])
        expect(await claim()).toMatchObject({ id })
        expect(await claim()).toBeUndefined()
      })

      test('whose payload somebody copies later leads to a deployment of its own', async () => {
        const { id, nonce } = await merge()
        await store.bind(id, made(77), change)
        await claim()
        await store.move(id, 'running', 'succeeded', { at: 4_000, reports })

        const copied = queuedIntake(newDeployment({ nonce, githubId: 78, creator: 'robot' }))
        const copy = await accept({ ...copied, delivery: newDelivery({ receivedAt: 4_000 + 600_000 }) })

        expect(copy).toMatchObject({ verdict: 'queued', deployments: [{ githubId: 78, nonce: undefined }] })
      })

      test('that was taken back before it was let through may come again; one that failed may not', async () => {
        const first = await merge()
        const end = { at: 2_000, detail: 'It is not on main any more.', reports } as const
        await store.move(first.id, 'queued', 'cancelled', { ...end, reason: 'not_on_branch' })

        const second = await merge()
        await store.move(second.id, 'queued', 'failed', { ...end, reason: 'checks_failed' })
        const third = await accept(mergeIntake(newMerge()))

        expect(second.number).toBe(2)
        expect(third).toMatchObject({ verdict: 'repeated', deployments: [{ number: 2 }] })
      })

      test('that was taken back and came again leaves room for the late answer about the first', async () => {
        const first = await merge()
        const end = { at: 2_000, reason: 'not_on_branch', detail: 'It is gone.', reports } as const
        await store.move(first.id, 'queued', 'cancelled', end)
        const second = await merge()

        const late = await accept(queuedIntake(newDeployment({ nonce: first.nonce, githubId: 77 })))

        expect(late).toMatchObject({ verdict: 'repeated', deployments: [{ id: first.id, githubId: 77 }] })
        expect(await store.bind(second.id, made(78), change)).toMatchObject({ githubId: 78 })
      })

      test('is known by the id of its repository when that was renamed in the configuration', async () => {
        await merge()

        const again = await accept(mergeIntake(newMerge({ configuredAs: 'acme/store' })))

        expect(again).toMatchObject({ verdict: 'repeated', deployments: [{ number: 1 }] })
      })

      test('that ended while GitHub made its deployment has its end reported there', async () => {
        const { id } = await merge()
        const end = { at: 2_000, reason: 'superseded', detail: 'Superseded by #2.', reports } as const
        await store.move(id, 'queued', 'cancelled', end)

        await store.bind(id, made(77), change)

        expect(await claim()).toBeUndefined()
        expect((await store.outbox.of(id)).at(-1)).toMatchObject({ body: { state: 'cancelled' } })
      })

      test('that was cancelled is not asked for any more', async () => {
        const { id } = await merge()

        const before = await store.asking(id)
        await store.move(id, 'queued', 'cancelled', { at: 1_000, reason: 'by_person', reports })

        expect([before, await store.asking(id)]).toEqual([true, false])
      })

      test('says why it waits, until it does not', async () => {
        const { id } = await merge()
        const hold = {
          reason: 'checks_pending',
          detail: 'Waiting for ci/test',
          since: 2_000,
          until: undefined,
        } as const

        expect(await store.hold(id, hold, { at: 2_000, reports: () => [] })).toBe(true)
        expect((await store.deployment(id))?.hold).toEqual(hold)
        await store.bind(id, made(77), change)
        expect(await store.hold(id, hold, { at: 2_000, reports: () => [] })).toBe(false)
        expect((await store.deployment(id))?.hold).toBeUndefined()
      })

      test('knows what is live in its environment, whatever its number', async () => {
        const held = await merge()
        const asked = await queue({ sha: other })
        expect(await store.landmarks(held.id)).toEqual({
          beside: '2 ready',
          live: undefined,
          isDisturbed: true,
          ahead: [{ sha: other, number: 2 }],
          isSeen: false,
          firstSeenSha: undefined,
        })

        await claim()
        await store.move(asked.id, 'running', 'succeeded', { at: 4_000, reports })

        expect(await store.landmarks(held.id)).toMatchObject({
          live: { sha: other, number: 2 },
          isDisturbed: false,
          ahead: [],
        })
        expect(await store.previousSha(held.id)).toBe(other)

        const failing = await queue({ sha: 'f'.repeat(40) })
        expect(await store.landmarks(held.id)).toMatchObject({ isDisturbed: true })
        await store.move(failing.id, 'queued', 'failed', { at: 4_500, reports })
        expect(await store.landmarks(held.id)).toMatchObject({ isDisturbed: false })
        const end = async (reason?: 'source_refused') => {
          const begun = await queue({ sha: 'f'.repeat(40) })
          await claim()
          await store.move(begun.id, 'running', 'failed', { at: 5_000, reason, reports })
        }
        await end('source_refused')
        expect(await store.landmarks(held.id)).toMatchObject({ isDisturbed: false })
        await end()
        expect(await store.landmarks(held.id)).toMatchObject({ live: { number: 2 }, isDisturbed: true })
      })

      test('knows where its branch was first seen', async () => {
        const place = {
          repository: 'acme/shop',
          repositoryGithubId: 17,
          configuredAs: 'acme/shop',
          environment: 'Production',
          branch: 'main',
          sha: other,
          at: 500,
        }
        await store.see(place)
        expect(await store.seen()).toEqual(new Map([['acme/shop/production', 'main']]))

        const { id } = await merge()
        expect(await store.landmarks(id)).toMatchObject({ isSeen: true, firstSeenSha: other })

        await store.see({ ...place, branch: 'release' })
        expect(await store.landmarks(id)).toMatchObject({ isSeen: true, firstSeenSha: undefined })
      })

      test('knows where the branch of its environment stood last, at first where it was first seen', async () => {
        const place = { repository: 'acme/shop', repositoryGithubId: 17, configuredAs: 'acme/shop' }
        const seen = { ...place, environment: 'Production', branch: 'main', at: 500 }
        await merge({ environment: 'staging' })
        await store.see({ ...seen, sha: other })
        await store.see({ ...seen, repositoryGithubId: 18, configuredAs: 'acme/blog', sha: other })
        const heads = () => store.heads.of('acme/shop')

        expect(await heads()).toEqual(
          new Map([
            ['staging', undefined],
            ['production', { branch: 'main', sha: other }],
          ]),
        )
        await store.heads.note('acme/shop', ['production', 'staging'], { branch: 'release', sha: SHA })
        const noted = { branch: 'release', sha: SHA }
        expect([...(await heads()).values()]).toEqual([noted, noted])
        expect((await store.heads.of('acme/blog')).get('production')).toEqual({ branch: 'main', sha: other })

        await store.see({ ...seen, branch: 'next', sha: undefined })
        expect((await heads()).get('production')).toBeUndefined()
      })

      test('makes its commit known in its environment, unless it is taken back', async () => {
        const knows = (sha: string, environment = 'Production') =>
          store.heads.knows({ configuredAs: 'acme/shop', environment }, sha)
        const { id } = await merge()

        expect(await knows(SHA)).toBe(true)
        expect(await knows(SHA, 'staging')).toBe(false)
        expect(await knows(other)).toBe(false)

        await store.move(id, 'queued', 'cancelled', { at: 2_000, reason: 'superseded', reports })
        expect(await knows(SHA)).toBe(false)

        await queue()
        const running = await claim()
        await store.move(running?.id ?? 0, 'running', 'failed', { at: 3_000, deployedSha: other, reports })
        expect(await knows(SHA)).toBe(true)
        expect(await knows(other)).toBe(true)

        await queue({ sha: 'e'.repeat(40), task: 'deploy:lock' })
        expect(await knows('e'.repeat(40))).toBe(false)
      })
    })

    describe('what a source was seen to hold', () => {
      const [one, other] = ['c'.repeat(40), 'd'.repeat(40)]
      const seen = (sha: string) =>
        store.takeUp(newMerge({ origin: 'poll', repositoryGithubId: 0, sha }), 1_500)

      test('becomes a deployment once, held, and each time that it is another', async () => {
        expect(await seen(one)).toMatchObject({
          number: 1,
          origin: 'poll',
          sha: one,
          hold: { reason: 'deciding' },
        })
        expect(await seen(one)).toBeUndefined()
        expect(await seen(other)).toMatchObject({ number: 2 })
        expect(await seen(one)).toMatchObject({ number: 3 })
        expect((await store.heads.of('acme/shop')).get('production')).toEqual({ branch: ':polled', sha: one })
        expect((await store.waiting()).map(({ number }) => number)).toEqual([1, 2, 3])
      })

      test('leads to one alone at the same moment', async () => {
        const taken = await Promise.all([seen(one), seen(one), seen(one)])

        expect(taken.filter((deployment) => deployment !== undefined)).toHaveLength(1)
      })

      test('comes again where it left with the configuration, and where GitHub alone has told of it', async () => {
        const left = await seen(one)
        await store.move(left?.id ?? 0, 'queued', 'failed', { at: 2_000, reason: 'config_removed', reports })
        expect(await seen(one)).toMatchObject({ number: 2 })
        expect(await seen(one)).toBeUndefined()

        const place = { repository: 'acme/blog', repositoryGithubId: 18, configuredAs: 'acme/blog' }
        await store.see({ ...place, environment: 'production', branch: 'main', at: 500, sha: one })
        const blog = newMerge({ ...place, origin: 'poll', sha: one })
        expect(await store.takeUp(blog, 1_500)).toMatchObject({ number: 1 })
        expect(await store.takeUp(blog, 1_500)).toBeUndefined()
      })

      test('is tried three times where it could not be fetched, unless something else was asked for', async () => {
        const fail = async (reason: 'source_unavailable' | 'source_refused', sha = one) => {
          const found = await seen(sha)
          await store.move(found?.id ?? 0, 'queued', 'failed', { at: 2_000, reason, reports })
          return found?.number
        }
        const tried = [
          await fail('source_unavailable'),
          await fail('source_unavailable'),
          await fail('source_unavailable'),
        ]
        expect(tried).toEqual([1, 2, 3])
        expect(await seen(one)).toBeUndefined()

        expect(await fail('source_unavailable', other)).toBe(4)
        await queue({ sha: 'e'.repeat(40) })
        expect(await seen(other)).toBeUndefined()
        expect(await fail('source_refused', one)).toBe(6)
        expect(await seen(one)).toBeUndefined()
      })

      test('is only noted where it was deployed or asked for last, but not where that was taken back', async () => {
        const { id } = await queue({ sha: one })
        expect(await seen(one)).toBeUndefined()
        expect(await seen(other)).toMatchObject({ number: 2 })
        expect(await seen(one)).toMatchObject({ number: 3 })

        const asked = await queue({ sha: other })
        await store.move(asked.id, 'queued', 'cancelled', { at: 2_000, reason: 'superseded', reports })
        expect(await seen(other)).toMatchObject({ number: 5 })
        expect(id).toBeLessThan(asked.id)
      })
    })

    describe('a deployment that somebody asks for', () => {
      const wish = (given: Parameters<typeof newDeployment>[0] = {}) => ({
        ...newMerge({ origin: 'person', branch: undefined, ...given }),
        nonce: given.nonce ?? 'e'.repeat(32),
      })

      test('is recorded with its number, and held; it has no delivery', async () => {
        await queue()

        const { deployment, isNew } = await store.ask(wish(), 1_500)

        expect(isNew).toBe(true)
        expect(deployment).toMatchObject({ number: 2, origin: 'person', createdAt: 1_500, state: 'queued' })
        expect(await store.deployment(deployment.id)).toEqual(deployment)
        expect(await store.waiting()).toEqual([deployment])
        expect((await store.outbox.of(deployment.id)).map(({ body }) => body)).toEqual([{ state: 'queued' }])
        expect((await store.inbox.list({ limit: 10 })).flatMap((one) => one.deployments)).toHaveLength(1)
      })

      test('is asked for once, however often that is said, and at the same moment', async () => {
        const said = await Promise.all([1, 2, 3].map(() => store.ask(wish(), 1_500)))
        const later = await store.ask(wish({ environment: 'staging' }), 9_000)

        expect(said.filter(({ isNew }) => isNew)).toHaveLength(1)
        expect(new Set([...said, later].map(({ deployment }) => deployment.id)).size).toBe(1)
        expect(await store.byNonce('e'.repeat(32))).toEqual(later.deployment)
        expect(await store.byNonce('f'.repeat(32))).toBeUndefined()
      })

      test('is another one with another nonce, although the commit is the same', async () => {
        await store.ask(wish(), 1_500)

        expect((await store.ask(wish({ nonce: 'f'.repeat(32) }), 1_500)).isNew).toBe(true)
      })
    })

    describe('force', () => {
      const BY_ANN = { by: 'ann', why: 'the sale begins' }
      const told = { at: 3_000, reports }
      const turnsOf = async ({ configuredAs, environment, lane }: Deployment) =>
        (await store.situation({ configuredAs, environment, lane })).turns.map(
          ({ state, reason, detail }) => [state, reason, detail],
        )

      test('is written down with who and why, as an event, and reported; the hold stays until it is looked at', async () => {
        const hold = { reason: 'locked', detail: 'Locked.', since: 1_000, until: undefined } as const
        const held = await queue({ hold })

        const forced = await store.force(held.id, BY_ANN, told)

        expect(forced).toEqual({ ...held, forced: BY_ANN })
        expect(await store.deployment(held.id)).toEqual(forced)
        expect(await turnsOf(held)).toContainEqual(['queued', 'forced', 'Forced by ann: the sale begins'])
        expect(await store.outbox.of(held.id)).toHaveLength(2)
      })

      test('is there from the beginning where it was asked for at once', async () => {
        const deployment = await queue({ forced: BY_ANN })

        expect(deployment.forced).toEqual(BY_ANN)
        expect(await turnsOf(deployment)).toEqual([
          ['queued', 'forced', 'Forced by ann: the sale begins'],
          ['queued', undefined, undefined],
        ])
      })

      test('is of the first who did it, and of nothing that has begun', async () => {
        const held = await queue()
        await store.force(held.id, BY_ANN, told)
        const running = await claim()

        expect(await store.force(held.id, { by: 'bob', why: 'me too' }, told)).toBeUndefined()
        expect(running?.forced).toEqual(BY_ANN)
        const other = await queue({ environment: 'staging', lane: 'acme/shop/staging' })
        await claim()
        expect(await store.force(other.id, BY_ANN, told)).toBeUndefined()
        expect((await store.deployment(other.id))?.forced).toBeUndefined()
      })
    })

    describe('a deployment that comes late', () => {
      const late = (given: Parameters<typeof newDeployment>[0] = {}) =>
        queue({ githubId: 70, late: { overtaken: undefined }, ...given })
      const overtaken = {
        state: 'cancelled',
        reason: 'overtaken',
        detail: 'Not deployed: it came late, and #1, which is newer, came before.',
      }

      test('runs when nothing newer is there', async () => {
        await queue({ githubId: 60 })

        expect(await late()).toMatchObject({ number: 2, state: 'queued', reason: undefined })
      })

      test.each(['waits', 'runs', 'succeeded', 'failed'] as const)(
        'is closed when a newer one %s, and GitHub hears of it',
        async (what) => {
          const { id } = await queue({ githubId: 80 })
          if (what !== 'waits') await claim()
          if (what === 'succeeded') await store.move(id, 'running', what, { at: 3_000, reports })
          if (what === 'failed')
            await store.move(id, 'running', what, { at: 3_000, reason: 'command_failed', reports })

          const one = await late()

          expect(one).toMatchObject(overtaken)
          expect(await store.outbox.of(one.id)).toMatchObject([{ body: { state: 'cancelled' } }])
        },
      )

      test('is closed by what came in the same batch', async () => {
        const [, answer] = await store.accept([
          queuedIntake(newDeployment({ githubId: 80 })),
          queuedIntake(newDeployment({ githubId: 70, late: { overtaken: undefined } })),
        ])

        expect(answer?.deployments).toMatchObject([overtaken])
      })

      test('is not closed by a newer one that was taken back, of another task or for another place', async () => {
        const { id } = await queue({ githubId: 80 })
        await store.move(id, 'queued', 'cancelled', { at: 2_000, reason: 'by_person', reports })
        await queue({ githubId: 81, task: 'migrate' })
        await queue({ githubId: 82, environment: 'staging' })

        expect(await late()).toMatchObject({ state: 'queued' })
      })

      test('is closed when GitHub knows of a newer one, but not when that is what it is', async () => {
        expect(await late({ late: { overtaken: 'GitHub has a newer one.' } })).toMatchObject({
          state: 'cancelled',
          reason: 'overtaken',
          detail: 'GitHub has a newer one.',
        })
        expect(await accept(queuedIntake(newDeployment({ githubId: 70 })))).toMatchObject({
          verdict: 'repeated',
          deployments: [{ number: 1 }],
        })
      })
    })

    test('it is known which of the deployments of GitHub are here', async () => {
      await queue({ githubId: 70 })
      const many = Array.from({ length: 1_200 }, (_, index) => 60 + index)

      expect(await store.known(many)).toEqual(new Set([70]))
      expect(await store.known([])).toEqual(new Set())
    })

    test('it is known since when each environment is configured', async () => {
      const [shop, blog] = ['acme/shop/production', 'acme/blog/production']

      expect(await store.configured([shop], 1_000)).toEqual(new Map([[shop, 1_000]]))
      expect(await store.configured([shop, blog], 2_000)).toEqual(
        new Map([
          [shop, 1_000],
          [blog, 2_000],
        ]),
      )
      await store.configured([blog], 3_000)
      expect(await store.configured([shop, blog], 4_000)).toEqual(
        new Map([
          [shop, 4_000],
          [blog, 2_000],
        ]),
      )
      const setBack = await store.configured([shop, blog], 3_000)
      expect([...setBack.values()]).toEqual([3_000, 2_000])
    })

    test('a hook is known at the place where it was last', async () => {
      await store.hooks.heard({ id: 42, kind: 'repository', place: 'acme/shop' })
      await store.hooks.heard({ id: 41, kind: 'organization', place: 'acme' })
      await store.hooks.heard({ id: 42, kind: 'repository', place: 'acme/store' })

      expect(await store.hooks.all()).toEqual([
        { id: 41, kind: 'organization', place: 'acme' },
        { id: 42, kind: 'repository', place: 'acme/store' },
      ])
    })

    test('it is known what GitHub was asked to deliver once more, for a time', async () => {
      await store.hooks.asking(42, 'one', 1_000)
      await store.hooks.asking(42, 'two', 2_000)
      await store.hooks.asking(42, 'three', 1_000)
      await store.hooks.asking(42, 'three', 3_000)
      await store.hooks.asking(42, 'four', 3_000)
      await store.hooks.notAsked(42, 'four')
      await store.hooks.asking(43, 'five', 3_000)

      expect(await store.hooks.askedAfter(42, 1_000)).toEqual(new Set(['two', 'three']))
      expect(await store.hooks.askedAfter(42, 0)).toEqual(new Set(['two', 'three']))
    })

    test('a repository whose number GitHub does not tell keeps the one that it had', async () => {
      await queue({ repositoryGithubId: 0, configuredAs: 'acme/blog' })
      await queue({ repositoryGithubId: 0, configuredAs: 'acme/wiki' })
      expect(await store.repositoriesKnown()).toEqual(new Map())

      await queue({ repositoryGithubId: 17 })
      const last = await queue({ repositoryGithubId: 0 })

      expect(last.number).toBe(2)
      expect(await store.repositoriesKnown()).toEqual(new Map([[17, 'acme/shop']]))
    })

    test('a body of 25 MB is kept', async () => {
      const body = Buffer.alloc(26_214_400, 'abcdefghij')
      const delivery = newDelivery({ body })

      await accept({ ...ignored(), delivery })

      expect((await kept(delivery.guid))?.body.equals(body)).toBe(true)
    })

    test('bodies that came together are each kept byte for byte', async () => {
      const bodies = ['one', '', '{"three":3}', 'four'.repeat(100_000), 'π', 'x'.repeat(1_048_576), 'last']
      const deliveries = bodies.map((body) => newDelivery({ body: Buffer.from(body) }))

      await store.accept(deliveries.map((delivery) => ({ ...ignored(), delivery })))

      for (const [index, { guid }] of deliveries.entries())
        expect((await kept(guid))?.body.equals(Buffer.from(bodies[index] ?? ''))).toBe(true)
    })

    test('the same delivery again leads to nothing and names what it led to', async () => {
      const intake = queuedIntake(newDeployment())

      const first = await accept(intake)
      const again = await accept(intake)

      expect(first.verdict).toBe('queued')
      expect(again.verdict).toBe('repeated')
      expect(again.deployments.map(({ id }) => id)).toEqual(first.deployments.map(({ id }) => id))
      expect(await store.inState('queued')).toHaveLength(1)
    })

    test('the same delivery twice in one batch leads to one deployment', async () => {
      const intake = queuedIntake(newDeployment())

      const answers = await store.accept([intake, ignored(), intake])

      expect(answers.map(({ verdict }) => verdict)).toEqual(['queued', 'ignored', 'repeated'])
      expect(await store.inState('queued')).toHaveLength(1)
    })

    test('a known GitHub deployment under a new delivery id leads to nothing', async () => {
      const deployment = newDeployment()

      await accept(queuedIntake(deployment))
      const replay = await accept(queuedIntake(deployment))

      expect(replay.verdict).toBe('repeated')
      expect(await store.inState('queued')).toHaveLength(1)
    })

    test('a delivery that is still ignored when it comes again is answered with the reason of today', async () => {
      const { delivery } = ignored()
      await accept({ ...ignored(), delivery })

      const again = await accept({ ...ignored(), delivery, reason: 'branch_deleted', detail: 'It is gone.' })

      const why = { reason: 'branch_deleted', detail: 'It is gone.' }
      expect(again).toEqual({ verdict: 'repeated', ...why, deployments: [] })
    })

    test('a delivery that was ignored is decided anew when it comes again', async () => {
      const delivery = newDelivery()
      await accept({ ...ignored(), delivery })

      const again = await accept({ ...queuedIntake(newDeployment()), delivery })

      expect(again.verdict).toBe('queued')
      expect((await kept(delivery.guid))?.verdict).toBe('queued')
    })

    test('numbers count up per environment, whatever the case of its name', async () => {
      const names = []
      for (const environment of ['production', 'staging', 'Production', 'production'])
        names.push((await queue({ environment, lane: environment.toLowerCase() })).number)

      expect(names).toEqual([1, 1, 2, 3])
    })

    test('a batch of many is numbered in the order given, without a gap, and reported in that order', async () => {
      await queue({ environment: 'production' })
      const twice = newDeployment({ environment: 'production' })
      const failure = { reason: 'task_unknown', detail: 'Unknown task: dance' } as const
      const intakes = Array.from({ length: 150 }, (_, index) => {
        if (index % 10 === 3) return ignored()
        if (index % 10 === 4) return queuedIntake(twice)
        const environment = index % 3 === 0 ? 'staging' : index % 2 === 0 ? 'production' : 'Production'
        return queuedIntake(
          newDeployment({ environment, failure: index % 10 === 5 ? failure : undefined, lane: environment }),
        )
      })

      const answers = await store.accept(intakes)
      const next = await queue({ environment: 'PRODUCTION' })

      const made = answers.flatMap(({ verdict, deployments }) => (verdict === 'queued' ? deployments : []))
      const numbersIn = (name: string) =>
        made.filter(({ environment }) => environment.toLowerCase() === name).map(({ number }) => number)
      expect(numbersIn('staging')).toEqual(numbersIn('staging').map((_, index) => index + 1))
      expect(numbersIn('production')).toEqual(numbersIn('production').map((_, index) => index + 2))
      expect(next.number).toBe(numbersIn('production').length + 2)
      for (const deployment of made) expect(await store.deployment(deployment.id)).toEqual(deployment)
      const owed = await due(5_000, { limit: 200 })
      expect(owed.map(({ deployment }) => deployment.id).toSorted((one, other) => one - other)).toEqual([
        1,
        ...made.map(({ id }) => id),
        next.id,
      ])
    })

    test('numbers go on when a repository is renamed on GitHub, in the configuration, or made anew', async () => {
      await queue({ repository: 'acme/shop', repositoryGithubId: 5, configuredAs: 'acme/shop' })

      const renamed = await queue({
        repository: 'acme/store',
        repositoryGithubId: 5,
        configuredAs: 'acme/shop',
      })
      const configured = await queue({
        repository: 'acme/store',
        repositoryGithubId: 5,
        configuredAs: 'acme/store',
      })
      const anew = await queue({
        repository: 'acme/store',
        repositoryGithubId: 6,
        configuredAs: 'acme/store',
      })

      expect([renamed.number, configured.number, anew.number]).toEqual([2, 3, 4])
      expect(await store.repositoriesKnown()).toEqual(new Map([[6, 'acme/store']]))
    })

    test('a deployment that is refused at once is failed, and only that is reported', async () => {
      const failure = { reason: 'task_unknown', detail: 'Unknown task: dance' } as const
      const hold = {
        reason: 'deciding',
        detail: 'It has just come.',
        since: 1_000,
        until: undefined,
      } as const

      const deployment = await queue({ failure, hold })

      expect(deployment).toMatchObject({
        state: 'failed',
        reason: 'task_unknown',
        detail: 'Unknown task: dance',
        hold: undefined,
      })
      expect((await store.outbox.of(deployment.id)).map(({ body }) => body)).toEqual([{ state: 'failed' }])
      expect(await claim()).toBeUndefined()
    })

    test('a lane is given to one deployment at a time, in order', async () => {
      const first = await queue()
      const second = await queue()

      expect((await claim())?.id).toBe(first.id)
      expect(await claim()).toBeUndefined()
      await store.move(first.id, 'running', 'succeeded', { at: 3_000, reports })
      expect((await claim())?.id).toBe(second.id)
    })

    test('other lanes go on beside a busy one, up to the limit', async () => {
      await queue({ lane: 'one' })
      await queue({ lane: 'one' })
      const other = await queue({ lane: 'two' })
      await queue({ lane: 'three' })

      await claim(2)
      expect((await claim(2))?.id).toBe(other.id)
      expect(await claim(2)).toBeUndefined()
    })

    test('the oldest goes first, whichever lane was there first', async () => {
      const first = await queue({ lane: 'one' })
      await claim()
      const second = await queue({ lane: 'two' })
      const third = await queue({ lane: 'one' })
      await store.move(first.id, 'running', 'succeeded', { at: 3_000, reports })

      expect((await claim())?.id).toBe(second.id)
      expect((await claim())?.id).toBe(third.id)
    })

    test('claims made at the same moment never share a lane', async () => {
      for (let count = 0; count < 6; count += 1) await queue({ lane: `lane ${count % 2}` })

      const claimed = await Promise.all(Array.from({ length: 12 }, () => claim()))

      const lanes = claimed.flatMap((deployment) => deployment?.lane ?? [])
      expect(new Set(lanes).size).toBe(lanes.length)
      expect(await store.inState('running')).toHaveLength(lanes.length)
    })

    test('a move from a state that it has left changes nothing', async () => {
      const { id } = await queue()
      await claim()

      expect(
        await store.move(id, 'queued', 'cancelled', { at: 3_000, reason: 'by_person', reports }),
      ).toBeUndefined()
      expect((await store.deployment(id))?.state).toBe('running')
      expect(await store.outbox.of(id)).toHaveLength(2)
    })

    test('what was cancelled and succeeds all the same has no reason any more', async () => {
      const { id } = await queue()
      await claim()
      const why = { reason: 'by_person', detail: 'Cancelled by mona' } as const

      const cancelling = await store.move(id, 'running', 'cancelling', { ...why, at: 3_000, reports })
      const ended = await store.move(id, 'cancelling', 'succeeded', { at: 4_000, reports })

      expect(cancelling).toMatchObject(why)
      expect(ended).toMatchObject({ state: 'succeeded', reason: undefined, detail: undefined })
    })

    test('many are moved at once, each with its own change; those that have moved on are left alone', async () => {
      const [gone, one, two] = [await queue(), await queue(), await queue()]
      await store.move(gone.id, 'queued', 'running', { at: 2_000, reports })
      const change = (detail: string) => ({ at: 3_000, reason: 'config_removed', detail, reports }) as const

      const moved = await store.moveAll(
        'queued',
        'failed',
        new Map([gone, one, two].map(({ id, number }) => [id, change(`number ${number}`)])),
      )

      expect(moved.map(({ id, detail }) => [id, detail])).toEqual([
        [one.id, 'number 2'],
        [two.id, 'number 3'],
      ])
      expect((await store.deployment(gone.id))?.state).toBe('running')
      expect((await store.outbox.of(two.id)).map(({ body }) => body)).toEqual([
        { state: 'queued' },
        { state: 'failed' },
      ])
    })

    test('of many moves none is made when one cannot be', async () => {
      const [one, two] = [await queue(), await queue()]
      const change = (reports: () => never[]) => ({ at: 3_000, reason: 'config_removed', reports }) as const
      const broken = (): never => {
        throw new Error('broken')
      }

      const moving = store.moveAll(
        'queued',
        'failed',
        new Map([
          [one.id, change(() => [])],
          [two.id, change(broken)],
        ]),
      )

      await expect(moving).rejects.toThrow('broken')
      expect((await store.deployment(one.id))?.state).toBe('queued')
    })

    test('a move that is not drawn is refused', async () => {
      const { id } = await queue()

      // @ts-expect-error the compiler refuses it as well
      expect(() => store.move(id, 'queued', 'cancelling', { at: 1, reports })).toThrow(
        'A deployment cannot move from queued to cancelling.',
      )
    })

    test('a claim writes down the process that waits for it, and none where it takes nothing', async () => {
      const process = { runId: 'abc', group: 4_242, bootId: 'boot', startTicks: '99' }
      const claimWith = () => claimFrom(store, { limit: 100, at: 2_000, reports, process })
      const [first, second] = [await queue(), await queue()]

      const [claimed, none] = [await claimWith(), await claimWith()]

      expect([claimed?.id, none]).toEqual([first.id, undefined])
      expect(await store.processesOf(first.id)).toEqual([process])
      expect(await store.processesOf(second.id)).toEqual([])
    })

    if (engine === 'postgres')
      test('claims stand alone', () => {
        expect(store.acceptAndClaim).toBeUndefined()
      })

    if (engine === 'sqlite')
      describe('deliveries with a claim', () => {
        const process = { runId: 'abc', group: 4_242, bootId: 'boot', startTicks: '99' }
        const acceptAndClaim = async (intakes: readonly Intake[], gate: Gate = OPEN) => {
          const answer = await store.acceptAndClaim?.(intakes, {
            limit: 100,
            at: 2_000,
            reports,
            gate,
            process,
          })
          if (answer === undefined) throw new Error('no answer')
          return answer
        }
        const statesOf = async (id: number) =>
          (await store.outbox.of(id)).map(({ body }): unknown => Reflect.get(Object(body), 'state'))

        test('let the oldest begin in the same transaction', async () => {
          const earlier = await queue()

          const { accepted, claimed } = await acceptAndClaim([queuedIntake(newDeployment())])

          const later = accepted[0]?.deployments[0]
          expect(claimed.deployment).toMatchObject({ id: earlier.id, state: 'running', startedAt: 2_000 })
          expect(await store.processesOf(earlier.id)).toEqual([process])
          expect(await statesOf(earlier.id)).toEqual(['queued', 'running'])
          expect(later).toMatchObject({ state: 'queued', hold: undefined })
          expect(await store.deployment(later?.id ?? 0)).toMatchObject({ state: 'queued' })
        })

        test('hold what a gate stops, as a claim does', async () => {
          const closed = { reason: 'locked' as const, detail: 'A freeze', until: undefined }
          const gate: Gate = { ...OPEN, judge: () => closed }

          const { accepted, claimed } = await acceptAndClaim([queuedIntake(newDeployment())], gate)

          expect(claimed.held).toMatchObject([
            { id: accepted[0]?.deployments[0]?.id, hold: { reason: 'locked' } },
          ])
          expect(await claim()).toBeUndefined()
        })

        test('are recorded whatever goes wrong with the claim', async () => {
          const broken = (): never => {
            throw new Error('no')
          }

          const { accepted, claimed } = await acceptAndClaim([queuedIntake(newDeployment())], {
            ...OPEN,
            approver: broken,
          })

          const id = accepted[0]?.deployments[0]?.id ?? 0
          expect(claimed).toEqual({ deployment: undefined, held: [] })
          expect(await statesOf(id)).toEqual(['queued'])
          expect(await store.processesOf(id)).toEqual([])
          expect(await claim()).toMatchObject({ id })
        })

        test('that lead to nothing claim nothing', async () => {
          const waiting = await queue()

          const { claimed } = await acceptAndClaim([ignored()])

          expect(claimed).toEqual({ deployment: undefined, held: [] })
          expect(await store.deployment(waiting.id)).toMatchObject({ state: 'queued' })
        })
      })

    test('a final move keeps the outcome and forgets the processes', async () => {
      const { id } = await queue()
      await claim()
      await store.recordProcess(id, { runId: 'abc', group: 4_242, bootId: 'boot', startTicks: '99' })
      expect(await store.processesOf(id)).toEqual([
        { runId: 'abc', group: 4_242, bootId: 'boot', startTicks: '99' },
      ])
      const steps = [{ name: 'git pull', exitCode: 1, signal: undefined, seconds: 0.5 }]

      await store.move(id, 'running', 'failed', {
        at: 9_000,
        reason: 'command_failed',
        detail: 'no',
        steps,
        reports,
      })

      expect(await store.deployment(id)).toMatchObject({
        state: 'failed',
        reason: 'command_failed',
        detail: 'no',
        startedAt: 2_000,
        finishedAt: 9_000,
        steps: [{ name: 'git pull', exitCode: 1, seconds: 0.5 }],
      })
      expect(await store.processesOf(id)).toEqual([])
    })

    test('nothing ends before it has begun, and what ended last is live, however the clock was set', async () => {
      const [one, two] = [await queue({ sha: 'a'.repeat(40) }), await queue({ sha: 'b'.repeat(40) })]
      for (const { id, at } of [
        { id: one.id, at: 9_000_000 },
        { id: two.id, at: 0 },
      ]) {
        await claimFrom(store, { limit: 1, at, reports })
        await store.move(id, 'running', 'succeeded', { at: at - 500, reports })
      }
      const next = await queue()

      const times = [await store.deployment(one.id), await store.deployment(two.id)].map((each) => [
        each?.startedAt,
        each?.finishedAt,
      ])
      expect(times).toEqual([
        [9_000_000, 9_000_000],
        [two.createdAt, two.createdAt],
      ])
      expect(await store.previousSha(next.id)).toBe('b'.repeat(40))
      expect((await store.landmarks(next.id)).live).toEqual({ sha: 'b'.repeat(40), number: two.number })
    })

    test('what has come to an environment since a deployment came is known, and what was there before', async () => {
      const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(40)) as [string, string, string]
      const hold = { reason: 'locked', detail: '', since: 1_000, until: undefined } as const
      const end = (id: number, deployedSha?: string) =>
        store.move(id, 'running', 'succeeded', { at: 4_000, reports, ...(deployedSha && { deployedSha }) })
      const first = await queue({ sha: a })
      await claim()
      const early = await queue({ hold })
      await end(first.id)
      const late = await queue({ hold })
      const second = await queue({ sha: b })
      await claim()
      const live = { sha: a, number: first.number }
      const ahead = [{ sha: b, number: second.number, origin: 'deployment' }]
      const beside = '1 live, 4 begun'
      expect(await store.meanwhile(early.id)).toEqual({ beside, before: undefined, live: undefined, ahead })
      expect(await store.meanwhile(late.id)).toEqual({ beside, before: live, live: undefined, ahead })
      await end(second.id, c)

      expect(await store.meanwhile(late.id)).toEqual({
        beside: '4 live',
        before: live,
        live: { sha: c, number: second.number, origin: 'deployment' },
        ahead: [],
      })
    })

    test('what came with a deployment is kept with its end, and where its log was published', async () => {
      const { id } = await queue()
      await claim()
      const changes: Changes = {
        from: 'b'.repeat(40),
        to: SHA,
        direction: 'forward',
        commitCount: 1,
        lostCount: 0,
        commits: [{ sha: SHA, title: 'Sell tea ☕', author: 'mona' }],
        pullRequests: [],
        authors: ['mona'],
      }

      const told: unknown[] = []
      const tell = (ended: Deployment) => (told.push(ended.changes, ended.logUrl), [])
      const logUrl = `https://logs.example.org/1.log?${'x'.repeat(3_000)}`
      expect((await store.deployment(id))?.logUrl).toBeUndefined()
      await store.move(id, 'running', 'succeeded', { at: 3_000, changes, logUrl, reports: tell })

      expect(told).toEqual([changes, logUrl])
      expect(await store.deployment(id)).toMatchObject({ changes, logUrl })
    })

    test('the previous commit is the one really put in place by the last success before', async () => {
      const [first, failed, third] = [await queue(), await queue(), await queue()]
      await queue({ environment: 'staging', lane: 'staging' })
      await claim()
      await store.move(first.id, 'running', 'succeeded', { at: 1, deployedSha: 'b'.repeat(40), reports })
      await claim()
      await store.move(failed.id, 'running', 'failed', { at: 1, reason: 'command_failed', reports })

      expect(await store.previousSha(first.id)).toBeUndefined()
      expect(await store.previousSha(third.id)).toBe('b'.repeat(40))
    })

    describe('what is deployed now and before', () => {
      const PLACE = { configuredAs: 'Acme/Shop', environment: 'Production' }
      const [tea, coffee, milk] = ['b'.repeat(40), 'c'.repeat(40), 'd'.repeat(40)] as const
      const mark = { at: 5_000, by: 'mona', reason: 'it burns' }
      const end = async (sha: string, state: 'succeeded' | 'failed', given: object = {}): Promise<number> => {
        const { id } = await queue({ sha, ...given })
        await claim()
        await store.move(id, 'running', state, { at: 4_000, reports })
        return id
      }
      const current = () => store.refFor(PLACE, ':current')
      const previous = () => store.refFor(PLACE, ':previous')

      test('is nothing where nothing has succeeded', async () => {
        await end(tea, 'failed')
        await end(tea, 'succeeded', { environment: 'staging', lane: 'staging' })
        await end(tea, 'succeeded', {
          repository: 'acme/api',
          configuredAs: 'acme/api',
          repositoryGithubId: 18,
        })

        expect([await current(), await previous()]).toEqual([undefined, undefined])
      })

      test('is the newest success, and the newest one of another commit', async () => {
        for (const sha of [tea, coffee, milk, milk]) await end(sha, 'succeeded')
        await end('e'.repeat(40), 'failed')

        expect(await current()).toEqual({ sha: milk, number: 4 })
        expect(await previous()).toEqual({ sha: coffee, number: 2 })
      })

      test('is what was really put in place', async () => {
        const { id } = await queue({ sha: tea })
        await claim()
        await store.move(id, 'running', 'succeeded', { at: 4_000, deployedSha: coffee, reports })
        await end(milk, 'succeeded')

        expect(await previous()).toEqual({ sha: coffee, number: 1 })
      })

      test('is never gone back to where it is marked bad, in any deployment of it', async () => {
        for (const sha of [tea, coffee]) await end(sha, 'succeeded')
        const failed = await end(coffee, 'failed')
        await end(milk, 'succeeded')
        expect(await previous()).toEqual({ sha: coffee, number: 2 })

        const marked = await store.markBad(failed, mark)
        expect(marked).toMatchObject({ id: failed, state: 'failed', markedBad: mark })
        expect(await previous()).toEqual({ sha: tea, number: 1 })

        expect((await store.markBad(failed, undefined))?.markedBad).toBeUndefined()
        expect(await previous()).toEqual({ sha: coffee, number: 2 })
      })

      test('may be gone back to once the mark is taken back, in whichever deployment it was made', async () => {
        const put = await end(coffee, 'succeeded')
        const failed = await end(coffee, 'failed')
        const elsewhere = await end(coffee, 'succeeded', { environment: 'staging', lane: 'staging' })
        const other = await end(tea, 'failed')
        await end(milk, 'succeeded')
        for (const id of [put, failed, elsewhere, other]) await store.markBad(id, mark)
        expect(await previous()).toBeUndefined()

        await store.markBad(put, undefined)

        expect(await previous()).toEqual({ sha: coffee, number: 1 })
        for (const id of [elsewhere, other]) expect((await store.deployment(id))?.markedBad).toEqual(mark)
      })

      test('stays what it is where the newest success is marked bad, or the commit is elsewhere', async () => {
        await end(tea, 'succeeded')
        const other = await end(tea, 'failed', { environment: 'staging', lane: 'staging' })
        const newest = await end(coffee, 'succeeded')
        for (const id of [other, newest]) await store.markBad(id, mark)

        expect(await current()).toEqual({ sha: coffee, number: 2 })
        expect(await previous()).toEqual({ sha: tea, number: 1 })
      })

      test('is marked only when it has ended', async () => {
        const { id } = await queue()

        expect(await store.markBad(id, mark)).toBeUndefined()
        await claim()
        expect(await store.markBad(id, mark)).toBeUndefined()
        expect(await store.markBad(99, mark)).toBeUndefined()
        expect((await store.deployment(id))?.markedBad).toBeUndefined()
      })
    })

    test('reports of one deployment and channel fall due one after the other', async () => {
      const { id } = await queue()
      await claim()

      const [head, ...others] = await due(5_000)
      expect(head?.body).toEqual({ state: 'queued' })
      expect(others).toEqual([])
      await store.outbox.settle(head?.id ?? 0, 'delivered', 5_000)
      expect((await due(5_000)).map(({ body }) => body)).toEqual([{ state: 'running' }])
      expect((await store.outbox.of(id)).map(({ state }) => state)).toEqual(['delivered', 'owed'])
    })

    test('a report that could not be sent waits, and gives way to a newer one', async () => {
      const { id } = await queue()
      const [alone] = await due(5_000)
      await store.outbox.attempt(alone?.id ?? 0)
      await store.outbox.postpone(alone?.id ?? 0, 8_000, 'no answer')

      expect(await due(7_999)).toEqual([])
      expect(await store.outbox.nextDueAfter(5_000)).toBe(8_000)
      expect((await due(8_000))[0]).toMatchObject({ attempts: 1 })
      await claim()
      await store.outbox.postpone(alone?.id ?? 0, 9_000, 'no answer')
      expect((await store.outbox.of(id)).map(({ state }) => state)).toEqual(['dropped', 'owed'])
      expect(await store.outbox.owed()).toBe(1)
    })

    test('since when a report is barred is kept, and forgotten when it fails otherwise', async () => {
      await queue()
      const [report] = await due(5_000)

      await store.outbox.postpone(report?.id ?? 0, 6_000, 'Bad credentials', 5_000)
      expect((await due(6_000))[0]).toMatchObject({ barredSince: 5_000 })
      await store.outbox.postpone(report?.id ?? 0, 7_000, 'no answer')
      expect((await due(7_000))[0]).toMatchObject({ barredSince: undefined })
    })

    test('what has not begun gives way to what is newer, also within one batch, and tells so in its order', async () => {
      const held = { reason: 'locked', detail: 'a lock', since: 1_000, until: undefined } as const
      const running = await queue()
      await claim()
      const [first, second] = [await queue(), await queue({ hold: held })]
      const elsewhere = await queue({ environment: 'staging', lane: 'acme/shop/staging' })
      const latest = { supersedes: true }
      const batch = await store.accept([
        queuedIntake(newDeployment(latest)),
        queuedIntake(newDeployment({ ...latest, reports })),
      ])
      const [third, fourth] = batch.flatMap(({ deployments }) => deployments)

      const stands = async (one: Deployment | undefined) => (await store.deployment(one?.id ?? 0))?.state
      expect(await Promise.all([running, first, second, third, fourth, elsewhere].map(stands))).toEqual([
        'running',
        'cancelled',
        'cancelled',
        'cancelled',
        'queued',
        'queued',
      ])
      expect(await store.deployment(first.id)).toMatchObject({
        reason: 'superseded',
        detail: `Superseded by #${third?.number}.`,
        hold: undefined,
      })
      expect((await store.outbox.of(third?.id ?? 0)).map(({ body }) => body)).toEqual([
        { state: 'queued' },
        { state: 'cancelled' },
      ])
    })

    test('what gives way is what was made on GitHub first, in whichever order that is delivered', async () => {
      const [newest, older] = await store.accept(
        [90, 80].map((githubId) => queuedIntake(newDeployment({ githubId, supersedes: true }))),
      )
      const foreign = {
        sha: 'f'.repeat(40),
        hold: { reason: 'commit_unchecked', detail: '', since: 1_000, until: undefined } as const,
      }
      const unknown = await queue({ githubId: 95, ...foreign })
      const between = await queue({ githubId: 93, supersedes: true })

      expect(older?.deployments).toMatchObject([{ state: 'cancelled', detail: 'Superseded by #1.' }])
      expect(await store.deployment(newest?.deployments[0]?.id ?? 0)).toMatchObject({
        detail: `Superseded by #${between.number}.`,
      })
      expect(await store.deployment(unknown.id)).toMatchObject({ state: 'queued' })
      expect(between).toMatchObject({ state: 'queued', hold: undefined })
      const muchLater = newDelivery({ receivedAt: 3_600_000 })
      const ofAnotherGitHub = queuedIntake(newDeployment({ githubId: 7, supersedes: true }))
      expect((await accept({ ...ofAnotherGitHub, delivery: muchLater })).deployments).toMatchObject([
        { state: 'queued', hold: undefined },
      ])
    })

    test('the line knows how long the successes of late have taken', async () => {
      const one = await queue()
      await store.claim({ limit: 1, at: 2_000, reports, gate: OPEN })
      await store.move(one.id, 'running', 'succeeded', { at: 8_000, reports })
      const waiting = await queue()

      expect(await store.line(5_000)).toEqual({
        deployments: [waiting],
        averageMs: new Map([['acme/shop/production', 6_000]]),
        left: [],
      })
      expect((await store.line(9_000)).averageMs).toEqual(new Map())
    })

    describe('a lock', () => {
      const lock = { place: 'acme/shop', reason: 'a migration', by: 'ann', since: 1_000, until: undefined }
      const gate = {
        wanted: () => ({ after: undefined, approval: false }),
        judge: (_: Deployment, { locks: [first] }: GateFacts) =>
          first && { reason: 'locked' as const, detail: first.reason, until: first.until },
        approver: () => undefined,
      }

      test('is taken once, and freed only by its own id', async () => {
        const [one, other] = [await store.locks.take(lock), await store.locks.take({ ...lock, by: 'bob' })]
        const freed = await store.locks.free(one.lock.id)
        const newer = await store.locks.take({ ...lock, by: 'bob' })

        expect([one.isTaken, other.isTaken, newer.isTaken]).toEqual([true, false, true])
        expect(other.lock).toEqual(one.lock)
        expect(freed).toEqual({ id: one.lock.id, ...lock })
        expect(await store.locks.free(one.lock.id)).toBeUndefined()
        expect(await store.locks.all(2_000)).toEqual([newer.lock])
      })

      test("that has ended is in nobody's way", async () => {
        const { lock: short } = await store.locks.take({ ...lock, until: 1_500 })

        expect(await store.locks.all(1_499)).toEqual([short])
        expect(await store.locks.all(1_500)).toEqual([])
        expect((await store.locks.take({ ...lock, since: 1_500 })).isTaken).toBe(true)
      })

      test('keeps when people were reminded of it, and a newer one begins anew', async () => {
        const { lock: first } = await store.locks.take(lock)

        await store.locks.reminded(first.id, 5_000)
        const reminded = await store.locks.all(6_000)
        await store.locks.free(first.id)
        await store.locks.take(lock)

        expect(reminded).toEqual([{ ...first, remindedAt: 5_000 }])
        expect((await store.locks.all(6_000)).map(({ remindedAt }) => remindedAt)).toEqual([undefined])
      })

      test('is removed when it has ended before a moment, and no other', async () => {
        for (const [place, until] of [
          ['acme/a', 1_999],
          ['acme/b', 2_000],
          ['acme/c', undefined],
        ] as const)
          await store.locks.take({ ...lock, place, until })

        expect(await store.retaining.endedLocks(2_000)).toBe(1)
        expect((await store.locks.all(0)).map(({ place }) => place)).toEqual(['acme/b', 'acme/c'])
      })

      test.each(['*', 'acme/shop', 'acme/shop/production'])(
        'of %s holds what is next there',
        async (place) => {
          const { id } = await queue()
          await queue({
            environment: 'staging',
            lane: 'acme/shop/staging',
            configuredAs: 'acme/other',
            sha: 'b'.repeat(40),
          })
          await store.locks.take({ ...lock, place, until: 9_000 })

          const claimed = await store.claim({ limit: 9, at: 2_000, reports, gate })

          const held = { reason: 'locked', detail: 'a migration', since: 2_000, until: 9_000 }
          expect(claimed.held[0]).toMatchObject({ id, state: 'queued', hold: held })
          expect(claimed.deployment?.environment).toBe(place === '*' ? undefined : 'staging')
          expect((await store.waiting()).map((one) => one.id)).toContain(id)
          expect(await store.outbox.of(id)).toHaveLength(2) // queued, and held
          expect(await store.release(id, { at: 3_000, reports })).toMatchObject({ id, hold: undefined })
          expect(await store.release(id, { at: 3_000, reports })).toBeUndefined()
          expect((await store.claim({ limit: 9, at: 9_000, reports, gate })).deployment?.id).toBe(id)
        },
      )

      test('holds as many as there are, in one claim', async () => {
        await Promise.all(
          Array.from({ length: 120 }, (_, index) =>
            queue({ environment: `e${index}`, lane: `acme/shop/e${index}` }),
          ),
        )
        await store.locks.take(lock)

        const claimed = await store.claim({ limit: 9, at: 2_000, reports, gate })

        expect([claimed.deployment, claimed.held.length]).toEqual([undefined, 120])
      })
    })

    test('an older report that waits holds up no newer one, and gives way to it', async () => {
      const { id } = await queue()
      const [older] = await due(5_000)
      await store.outbox.attempt(older?.id ?? 0)
      await store.outbox.postpone(older?.id ?? 0, 9_000, 'no answer')
      await claim()

      const [newer] = await due(5_000)
      expect(newer?.body).toEqual({ state: 'running' })
      await store.outbox.attempt(newer?.id ?? 0)

      expect((await store.outbox.of(id)).map(({ state }) => state)).toEqual(['dropped', 'owed'])
    })

    test('nothing older follows what was delivered', async () => {
      const { id } = await queue()
      await claim()
      const all = await store.outbox.of(id)

      await store.outbox.settle(all[1]?.id ?? 0, 'delivered', 5_000)

      expect((await store.outbox.of(id)).map(({ state }) => state)).toEqual(['dropped', 'delivered'])
    })

    test('where only the newest are taken, ends come first, then the repositories by turns', async () => {
      const place = (repository: string, environment: string) => ({
        repository,
        configuredAs: repository,
        repositoryGithubId: repository.length,
        environment,
        lane: `${repository}/${environment}`,
      })
      const shops = [
        await queue(place('acme/shop', 'a')),
        await queue(place('acme/shop', 'b')),
        await queue(place('acme/shop', 'c')),
      ]
      const site = await queue(place('acme/website', 'a'))
      for (const { id } of [...shops.slice(2), site])
        await store.move(id, 'queued', 'cancelled', { at: 3_000, reason: 'by_person', reports })
      const seen = (reports: readonly OwedReport[]) =>
        reports.map(({ deployment, isFinal, body }) => [
          deployment.id,
          isFinal,
          Reflect.get(Object(body), 'state') as unknown,
        ])

      const [first, ...others] = await due(5_000, { take: 'newest' })

      expect(seen([first, ...others] as OwedReport[])).toEqual([
        [3, true, 'cancelled'],
        [4, true, 'cancelled'],
        [1, false, 'queued'],
        [2, false, 'queued'],
      ])
      expect(seen(await due(5_000, { take: 'newest', exceptDeployments: [3, 2] })).map(([id]) => id)).toEqual(
        [4, 1],
      )
      expect(seen(await due(5_000, { exceptRepositories: ['acme/shop'] }))).toEqual([[4, true, 'queued']])
      await store.outbox.attempt(first?.id ?? 0)
      expect(seen(await due(5_000, { take: 'newest' })).map(([id]) => id)).toEqual([4, 1, 2, 3])
    })

    test('what has waited, or was tried, is left out where there is a newer one', async () => {
      const { id } = await queue() // owed at 1,000
      await claim() // at 2,000
      const [queued] = await due(5_000)
      const states = async (staleBefore: number) =>
        (await due(5_000, { staleBefore })).map(({ body }) => Reflect.get(Object(body), 'state') as unknown)

      expect(await states(1_000)).toEqual(['queued'])
      expect(await states(1_001)).toEqual(['running'])
      await store.outbox.attempt(queued?.id ?? 0)
      expect(await states(0)).toEqual(['running'])
      await store.move(id, 'running', 'succeeded', { at: 3_000, reports })
      expect(await states(1_500)).toEqual(['running'])
      expect(await states(9_000)).toEqual(['succeeded'])
    })

    test('what is due is counted as far as it matters', async () => {
      await queue()
      await claim()

      expect(await store.outbox.countDue('github', { at: 5_000, most: 10 })).toBe(2)
      expect(await store.outbox.countDue('github', { at: 5_000, most: 1 })).toBe(1)
      expect(await store.outbox.countDue('github', { at: 999, most: 10 })).toBe(0)
      expect(await store.outbox.countDue('slack', { at: 5_000, most: 10 })).toBe(0)
    })

    test('what is due is asked for by where its deployment goes, in whichever case that was written', async () => {
      await queue({ environment: 'Production' })
      await queue({ environment: 'staging', lane: 'staging' })
      const staging = ['acme/shop/staging', 'acme/blog/production']
      const numbered = async (places: Places) =>
        (await due(5_000, { places })).map(({ deployment }) => [deployment.id, deployment.configuredAs])

      expect(await numbered({ only: staging })).toEqual([[2, 'acme/shop']])
      expect(await numbered({ except: staging })).toEqual([[1, 'acme/shop']])
      expect(await numbered({ only: ['acme/shop/production'] })).toEqual([[1, 'acme/shop']])
      const counted = (places: Places) => store.outbox.countDue('github', { at: 5_000, most: 9, places })
      expect(await counted({ only: staging })).toBe(1)
      expect(await counted({ except: ['acme/shop/production', ...staging] })).toBe(0)
    })

    test('all that waits can be made due', async () => {
      await queue()
      const [alone] = await due(5_000)
      await store.outbox.postpone(alone?.id ?? 0, 3_600_000, 'Bad credentials')

      await store.outbox.hurry(6_000)

      expect(await due(6_000)).toMatchObject([{ id: alone?.id }])
    })

    describe('what is looked at and sent again', () => {
      const refuse = async (id: number, at: number) => {
        await store.outbox.attempt(id)
        await store.outbox.settle(id, 'refused', at, 'Not Found')
      }

      test('is listed: what is owed from the oldest on, what was refused from the newest on', async () => {
        const [one, two, three] = [await queue(), await queue(), await queue()]
        await refuse(2, 7_000)
        await refuse(1, 8_000)

        expect(await store.outbox.list('owed', 10)).toMatchObject({
          count: 1,
          reports: [{ id: 3, attempts: 0, dueAt: 1_000, newest: 3, deployment: { number: three.number } }],
        })
        await claim()
        expect((await store.outbox.list('refused', 10)).reports.map(({ newest }) => newest)).toEqual([4, 2])
        await store.outbox.settle(4, 'delivered', 9_000)
        expect(await store.outbox.list('refused', 10)).toMatchObject({
          count: 2,
          reports: [
            { id: 1, settledAt: 8_000, lastError: 'Not Found', attempts: 1, deployment: { id: one.id } },
            { id: 2, settledAt: 7_000, deployment: { id: two.id } },
          ],
        })
        expect((await store.outbox.list('refused', 1)).reports.map(({ id }) => id)).toEqual([1])
      })

      test('is due again when it was refused, with its attempts and a week of its own', async () => {
        await queue()
        await refuse(1, 7_000)
        expect(await due(9_000)).toEqual([])

        expect(await store.outbox.sendAgain(1, 8_000)).toMatchObject({ outcome: 'due', report: { id: 1 } })

        expect(await due(8_000)).toMatchObject([{ id: 1, attempts: 1, createdAt: 8_000 }])
        expect(await store.outbox.list('refused', 10)).toEqual({ count: 0, reports: [] })
      })

      test('is due at once when it waited', async () => {
        await queue()
        await store.outbox.postpone(1, 3_600_000, 'Bad credentials')

        expect(await store.outbox.sendAgain(1, 8_000)).toMatchObject({ outcome: 'due' })

        expect(await due(8_000)).toMatchObject([{ id: 1, createdAt: 1_000 }])
      })

      test('is no older word where there is a newer one, and nothing that was delivered', async () => {
        await queue()
        await refuse(1, 7_000)
        await claim()

        expect(await store.outbox.sendAgain(1, 8_000)).toEqual({
          outcome: 'overtaken',
          by: { id: 2, state: 'owed' },
        })
        await store.outbox.settle(2, 'delivered', 8_000)
        expect(await store.outbox.sendAgain(1, 8_000)).toMatchObject({ by: { state: 'delivered' } })
        expect(await store.outbox.sendAgain(2, 8_000)).toEqual({ outcome: 'delivered' })
        expect(await store.outbox.sendAgain(3, 8_000)).toEqual({ outcome: 'unknown' })
        expect(await due(9_000)).toEqual([])
      })

      test('is all that was refused and not overtaken', async () => {
        await queue()
        await queue({ environment: 'staging', lane: 'staging' })
        await refuse(1, 7_000)
        await refuse(2, 7_000)
        await store.move(2, 'queued', 'cancelled', { at: 7_500, reason: 'by_person', reports })

        expect(await store.outbox.sendRefusedAgain(8_000)).toEqual({
          refused: 2,
          due: [
            {
              id: 1,
              channel: 'github',
              deployment: { repository: 'acme/shop', configuredAs: 'acme/shop', environment: 'production' },
            },
          ],
        })

        expect((await due(8_000)).map(({ id }) => id)).toEqual([3, 1])
      })
    })

    test('what is let through owes to everybody; an end that is bound late owes to GitHub alone', async () => {
      const everywhere: ReportsFor = ({ state }) =>
        ['github', 'slack'].map((channel) => ({ channel, body: { state } }))
      const merge = (sha: string) => ({
        ...queuedIntake(newMerge({ sha, reports: () => [] })),
        verdict: 'deciding' as const,
      })
      const [one] = (await accept(merge('a'.repeat(40)))).deployments
      const [other] = (await accept(merge('b'.repeat(40)))).deployments
      const made = (githubId: number) => ({ githubId, apiUrl: '', creator: 'robot', creatorAvatar: '' })
      await store.bind(one?.id ?? 0, made(98), { at: 6_000, reports: everywhere })
      await store.move(other?.id ?? 0, 'queued', 'failed', {
        at: 6_000,
        reason: 'checks_failed',
        reports: () => [],
      })
      await store.bind(other?.id ?? 0, made(99), { at: 6_000, reports: everywhere })

      const owed = async (id = 0) => (await store.outbox.of(id)).map(({ channel }) => channel)
      expect(await owed(one?.id)).toEqual(['github', 'slack'])
      expect(await owed(other?.id)).toEqual(['github'])
    })

    test('what GitHub was given lately is known: statuses, and deployments of our own', async () => {
      const { id } = await queue()
      await store.outbox.settle((await due(5_000))[0]?.id ?? 0, 'delivered', 5_000)
      const merge = newMerge({ repositoryGithubId: 18, configuredAs: 'acme/site', reports: () => [] })
      const [ours] = (await accept({ ...queuedIntake(merge), verdict: 'deciding' })).deployments
      await store.asking(ours?.id ?? 0)
      const made = { githubId: 99, apiUrl: '', creator: 'robot', creatorAvatar: '' }
      await store.bind(ours?.id ?? 0, made, { at: 6_000, reports })

      expect(await store.outbox.givenToGitHub(0)).toEqual({ statuses: [5_000], deployments: [6_000] })
      expect(await store.outbox.givenToGitHub(5_500)).toEqual({ statuses: [], deployments: [6_000] })
      expect(id).toBe(1)
    })

    test('a setting is made once', async () => {
      expect(await store.setting('key', () => 'first')).toBe('first')
      expect(await store.setting('key', () => 'second')).toBe('first')
    })

    test('what was recorded is there after opening it again', async () => {
      const { id } = await queue()
      await store.close()

      store = await openStore(database.address)

      expect((await store.deployment(id))?.state).toBe('queued')
    })

    test(
      'random deliveries, claims and ends never break a lane or a number',
      { timeout: 60_000 },
      async () => {
        const step = fc.oneof(
          fc.record({
            act: fc.constant('queue' as const),
            lane: fc.integer({ min: 0, max: 2 }),
            again: fc.boolean(),
          }),
          fc.record({ act: fc.constant('claim' as const), limit: fc.integer({ min: 1, max: 3 }) }),
          fc.record({ act: fc.constant('end' as const), pick: fc.nat(5), well: fc.boolean() }),
        )
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
            const batch = `batch ${(batches += 1)}`
            let last: Intake | undefined
            for (const action of steps) {
              if (action.act === 'queue') {
                const lane = `${batch}/${action.lane}`
                last = action.again && last ? last : queuedIntake(newDeployment({ lane, environment: lane }))
                await store.accept([last])
              } else if (action.act === 'claim') {
                await claim(action.limit)
                expect((await store.inState('running')).length).toBeLessThanOrEqual(3)
              } else {
                const running = await store.inState('running')
                const one = running[action.pick % Math.max(running.length, 1)]
                if (one)
                  await store.move(one.id, 'running', action.well ? 'succeeded' : 'failed', {
                    at: 1,
                    reports,
                  })
              }
              const lanes = (await store.inState('running')).map(({ lane }) => lane)
              expect(new Set(lanes).size).toBe(lanes.length)
            }
            const all = await store.inState('queued', 'running', 'succeeded', 'failed')
            for (const lane of [0, 1, 2].map((index) => `${batch}/${index}`)) {
              const numbers = all
                .filter(({ environment }) => environment === lane)
                .map(({ number }) => number)
              expect(numbers).toEqual(numbers.map((_, index) => index + 1))
            }
            for (const { id } of await store.inState('running'))
              await store.move(id, 'running', 'failed', { at: 1, reports })
            for (const { id } of await store.inState('queued'))
              await store.move(id, 'queued', 'cancelled', { at: 1, reports })
          }),
          { numRuns: 15 },
        )
      },
    )
  })
})
