import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import fc from 'fast-check'

import type { Deployment } from '../../src/deployment/deployment.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { Accepted, Intake, Store } from '../../src/store/store.ts'
import { newDelivery, newDeployment, queuedIntake } from '../support/samples.ts'
import { emptyDatabase, type TestDatabase } from '../support/stores.ts'

const ENGINES = [
  { engine: 'sqlite', missing: false },
  { engine: 'postgres', missing: inject('postgres') === undefined },
] as const

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
    const claim = (limit = 100) => store.claim({ limit, at: 2_000, reports })

    test('a delivery is kept byte for byte with its verdict', async () => {
      const body = Buffer.from('{"zen":"π \u0000"}\n')
      const delivery = newDelivery({
        body,
        headers: { 'x-github-event': 'ping' },
        event: 'ping',
        action: undefined,
      })

      await accept({ ...ignored(), delivery, reason: 'ping' })

      const kept = await store.delivery(delivery.guid)
      expect(kept?.body.equals(body)).toBe(true)
      expect(kept).toMatchObject({
        event: 'ping',
        verdict: 'ignored',
        reason: 'ping',
        headers: { 'x-github-event': 'ping' },
      })
    })

    test('a body of 25 MB is kept', async () => {
      const body = Buffer.alloc(26_214_400, 'abcdefghij')
      const delivery = newDelivery({ body })

      await accept({ ...ignored(), delivery })

      expect((await store.delivery(delivery.guid))?.body.equals(body)).toBe(true)
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

    test('a delivery that was ignored is decided anew when it comes again', async () => {
      const delivery = newDelivery()
      await accept({ ...ignored(), delivery })

      const again = await accept({ ...queuedIntake(newDeployment()), delivery })

      expect(again.verdict).toBe('queued')
      expect((await store.delivery(delivery.guid))?.verdict).toBe('queued')
    })

    test('numbers count up per environment, whatever the case of its name', async () => {
      const names = []
      for (const environment of ['production', 'staging', 'Production', 'production'])
        names.push((await queue({ environment, lane: environment.toLowerCase() })).number)

      expect(names).toEqual([1, 1, 2, 3])
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

      const deployment = await queue({ failure })

      expect(deployment).toMatchObject({
        state: 'failed',
        reason: 'task_unknown',
        detail: 'Unknown task: dance',
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

    test('a move that is not drawn is refused', async () => {
      const { id } = await queue()

      // @ts-expect-error the compiler refuses it as well
      expect(() => store.move(id, 'queued', 'succeeded', { at: 1, reports })).toThrow(
        'A deployment cannot move from queued to succeeded.',
      )
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

    test('reports of one deployment and channel fall due one after the other', async () => {
      const { id } = await queue()
      await claim()

      const [head, ...others] = await store.outbox.due('github', 5_000, 10)
      expect(head?.body).toEqual({ state: 'queued' })
      expect(others).toEqual([])
      await store.outbox.settle(head?.id ?? 0, 'delivered', 5_000)
      expect((await store.outbox.due('github', 5_000, 10)).map(({ body }) => body)).toEqual([
        { state: 'running' },
      ])
      expect((await store.outbox.of(id)).map(({ state }) => state)).toEqual(['delivered', 'owed'])
    })

    test('a report that could not be sent waits, and gives way to a newer one', async () => {
      const { id } = await queue()
      const [alone] = await store.outbox.due('github', 5_000, 10)
      await store.outbox.attempt(alone?.id ?? 0)
      await store.outbox.postpone(alone?.id ?? 0, 8_000, 'no answer')

      expect(await store.outbox.due('github', 7_999, 10)).toEqual([])
      expect(await store.outbox.nextDueAfter(5_000)).toBe(8_000)
      expect((await store.outbox.due('github', 8_000, 10))[0]).toMatchObject({ attempts: 1 })
      await claim()
      await store.outbox.postpone(alone?.id ?? 0, 9_000, 'no answer')
      expect((await store.outbox.of(id)).map(({ state }) => state)).toEqual(['dropped', 'owed'])
      expect(await store.outbox.owed()).toBe(1)
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
