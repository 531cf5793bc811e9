import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'

import type { Retention } from '../src/config/config.ts'
import type { Deployment } from '../src/deployment/deployment.ts'
import { createJournal } from '../src/logs/journal.ts'
import { createLogs } from '../src/logs/logs.ts'
import { createMasker } from '../src/logs/redact.ts'
import { startRetention } from '../src/retention.ts'
import { openStore } from '../src/store/sql-store.ts'
import type { Intake, NewDeployment, Store } from '../src/store/store.ts'
import { serve } from './support/journey.ts'
import { temporaryFolder } from './support/running.ts'
import { mountSmallDisk } from './support/small-disk.ts'
import { newDelivery, newDeployment, queuedIntake } from './support/samples.ts'
import { emptyDatabase, ENGINES, type TestDatabase } from './support/stores.ts'
import { claimFrom } from './support/claiming.ts'

const DAY = 86_400_000
const NOTHING_OWED = () => []
const FOR_EVER: Retention = {
  deliveriesMs: 1e6 * DAY,
  deliveriesBytes: Infinity,
  logsMs: 1e6 * DAY,
  logsBytes: Infinity,
  historyMs: 1e6 * DAY,
  historyCount: Infinity,
}

describe.each(ENGINES)('what nobody waits for any more, on $engine', ({ engine, missing }) => {
  describe.skipIf(missing)('', () => {
    let database: TestDatabase
    let store: Store
    const directory = () => join(folder, 'logs')
    let folder: string

    beforeEach(async () => {
      folder = temporaryFolder()
      database = await emptyDatabase[engine]()
      store = await openStore(database.address)
    })
    afterEach(async () => {
      await store.close()
      await database.drop()
    })

    /** Removes with this policy, when it is so late. */
    const remove = async (policy: Partial<Retention>, now = 100 * DAY): Promise<void> => {
      const masker = createMasker([])
      const retention = startRetention({
        retaining: store.retaining,
        store,
        logs: createLogs({ directory: directory(), clock: () => now }),
        policy: () => ({ ...FOR_EVER, ...policy }),
        clock: () => now,
        steady: () => now,
        journal: createJournal({
          write(line) {
            if (line.includes('broken')) throw new Error(line)
          },
          masker,
          clock: () => now,
          pretty: false,
          colour: false,
        }),
      })
      await retention.look()
      await retention.stop()
    }
    const ignored = (day: number, body = 'x'): Intake => ({
      delivery: newDelivery({ receivedAt: day * DAY, body: Buffer.from(body) }),
      verdict: 'ignored',
      reason: 'event_not_used',
      detail: undefined,
      deployments: [],
    })
    const deliveries = async () =>
      (await store.inbox.list({ limit: 1000 })).map((one) => one.receivedAt / DAY)
    /** One that ended on the day, with a log. */
    const ended = async (
      day: number,
      state: 'succeeded' | 'failed' = 'failed',
      given: Partial<NewDeployment> = {},
    ): Promise<Deployment> => {
      const wanted = newDeployment({ reports: NOTHING_OWED, ...given })
      const intake = { ...queuedIntake(wanted), delivery: newDelivery({ receivedAt: day * DAY }) }
      const [accepted] = await store.accept([intake])
      const id = accepted?.deployments[0]?.id ?? 0
      const change = { at: day * DAY, reports: given.reports ?? NOTHING_OWED }
      await claimFrom(store, { limit: 100, at: day * DAY, reports: NOTHING_OWED })
      await store.move(id, 'running', state, change)
      const log = await createLogs({ directory: directory(), clock: Date.now }).open(id, {
        maxBytes: 1e6,
        masker: createMasker([]),
      })
      await log.line('x'.repeat(1_000))
      await log.close()
      const deployment = await store.deployment(id)
      if (deployment === undefined) throw new Error('not there')
      return deployment
    }
    const isThere = async ({ id }: Deployment) => (await store.deployment(id)) !== undefined
    const hasLog = ({ id }: Deployment): boolean => existsSync(join(directory(), String(id)))

    test('approvals go a month after they have ended: until then they say why something waits again', async () => {
      const [accepted] = await store.accept([queuedIntake(newDeployment({ reports: NOTHING_OWED }))])
      const waiting = accepted?.deployments[0]
      if (waiting === undefined) throw new Error('nothing waits')
      const given = (by: string, until: number) => store.approvals.give(waiting.id, { by, at: DAY, until })
      await given('ann', 70 * DAY - 1)
      await given('bob', 70 * DAY)

      await remove({}, 100 * DAY)

      const wanted = { at: 100 * DAY, after: undefined, approval: true }
      const { approvals } = await store.gateFacts(waiting, wanted)
      expect(approvals.map(({ by }) => by)).toEqual(['bob'])
    })

    test('deliveries go when they are too old, with their bodies', async () => {
      for (const day of [1, 50, 69, 71, 99]) await store.accept([ignored(day)])

      await remove({ deliveriesMs: 30 * DAY })

      expect(await deliveries()).toEqual([99, 71])
      expect(await store.inbox.body(1)).toBeUndefined()
      expect(await store.inbox.body(5)).toEqual(Buffer.from('x'))
      expect(await store.retaining.bodiesBeyond(0)).toBe(5)
    })

    test('what came while the clock was wrong is no older than what came before', async () => {
      for (const day of [1, 99, -3_000, 4_000, 50]) await store.accept([ignored(day)])
      await ended(1)
      const [young, setBack, ahead] = [await ended(99), await ended(-3_000), await ended(4_000)]

      await remove({ deliveriesMs: 30 * DAY, historyMs: 30 * DAY, logsMs: 30 * DAY })

      expect((await deliveries()).slice(-4)).toEqual([50, 4_000, -3_000, 99])
      for (const one of [young, setBack, ahead])
        expect([await isThere(one), hasLog(one)]).toEqual([true, true])
      expect(await store.retaining.count()).toBe(3)
    })

    test('many go in several transactions, and a body stays as long as one needs it', async () => {
      const old = Array.from({ length: 1_200 }, (_, index) => ignored(1, `old ${index}`))
      await store.accept(old)
      await store.accept([ignored(2, 'shared, old'), ignored(99, 'shared, new')])

      await remove({ deliveriesMs: 30 * DAY })

      const [left, ...others] = await store.inbox.list({ limit: 1000 })
      expect(others).toEqual([])
      expect(await store.inbox.body(left?.id ?? 0)).toEqual(Buffer.from('shared, new'))
    })

    test('the oldest deliveries go when all together are too large', async () => {
      const body = () => Array.from({ length: 2_000 }, () => Math.random()).join('')
      for (const day of [1, 2, 3, 4]) await store.accept([ignored(day, body())])

      await remove({ deliveriesBytes: 40_000 })

      const left = await deliveries()
      expect(left.length).toBeGreaterThan(0)
      expect(left.length).toBeLessThan(4)
      expect(left).toEqual([4, 3, 2, 1].slice(0, left.length))
    })

    test('a delivery stays as long as what it led to has not ended', async () => {
      const [waiting] = await store.accept([
        {
          ...queuedIntake(newDeployment({ reports: NOTHING_OWED })),
          delivery: newDelivery({ receivedAt: 0 }),
        },
      ])
      await store.accept([ignored(1)])

      await remove({ deliveriesMs: DAY })
      expect(await deliveries()).toEqual([0])

      const id = waiting?.deployments[0]?.id ?? 0
      await store.move(id, 'queued', 'cancelled', { at: 1, reason: 'superseded', reports: NOTHING_OWED })
      await remove({ deliveriesMs: DAY })
      expect(await deliveries()).toEqual([])
    })

    test('deployments go when they are too old, and their logs with them', async () => {
      const [old, young] = [await ended(1), await ended(99)]

      await remove({ historyMs: 30 * DAY })

      expect([await isThere(old), await isThere(young)]).toEqual([false, true])
      expect([hasLog(old), hasLog(young)]).toEqual([false, true])
    })

    test('the oldest deployments go when there are too many', async () => {
      const all = [await ended(1), await ended(2), await ended(3), await ended(4)]

      await remove({ historyCount: 3 })

      expect(await Promise.all(all.map(isThere))).toEqual([false, true, true, true])
    })

    test('what is owed, what has not ended and the newest successes stay, however old', async () => {
      const owed = await ended(1, 'failed', { reports: () => [{ channel: 'github', body: {} }] })
      const successes = []
      for (const day of [2, 3, 4, 5, 6, 7]) successes.push(await ended(day, 'succeeded'))
      for (const day of [7, 7, 7]) await ended(day, 'succeeded', { task: 'deploy:lock' }) // puts nothing in place
      const elsewhere = await ended(8, 'succeeded', { environment: 'staging', lane: 'staging' })
      const failed = await ended(9)
      const [queued] = await store.accept([queuedIntake(newDeployment({ reports: NOTHING_OWED }))])

      await remove({ historyMs: DAY, historyCount: 1, logsMs: 1e6 * DAY })

      expect(await isThere(owed)).toBe(true)
      expect(await Promise.all(successes.map(isThere))).toEqual([false, true, true, true, true, true])
      expect(await isThere(elsewhere)).toBe(true)
      expect(await isThere(failed)).toBe(false)
      expect(await store.deployment(queued?.deployments[0]?.id ?? 0)).toBeDefined()
    })

    test('what is marked bad stays, so that nobody goes back to its commit', async () => {
      const [bad, failed] = [await ended(1), await ended(1)]
      await store.markBad(bad.id, { at: 1, by: 'mona', reason: undefined })

      await remove({ historyMs: DAY, historyCount: 0 })

      expect([await isThere(bad), await isThere(failed)]).toEqual([true, false])
    })

    test('a deployment that is not kept any more is known all the same, also after a restart', async () => {
      const known = newDeployment({ githubId: 77, reports: NOTHING_OWED })
      const gone = await ended(1, 'failed', known)
      await remove({ historyMs: DAY, deliveriesMs: DAY })
      expect(await isThere(gone)).toBe(false)

      const [again] = await store.accept([queuedIntake(known)])
      await store.close()
      store = await openStore(database.address)
      const [afterRestart] = await store.accept([queuedIntake(known)])
      const [other] = await store.accept([queuedIntake(newDeployment({ githubId: 76 }))])

      expect(again).toMatchObject({ verdict: 'repeated', deployments: [] })
      expect(afterRestart).toMatchObject({ verdict: 'repeated', deployments: [] })
      expect(other?.verdict).toBe('queued')
    })

    test('numbers go on', async () => {
      await ended(1)
      await remove({ historyMs: DAY })

      expect((await ended(99)).number).toBe(2)
    })

    test('logs go when they are too old; the deployment stays', async () => {
      const [old, young] = [await ended(1), await ended(99)]

      await remove({ logsMs: 30 * DAY })

      expect([hasLog(old), hasLog(young)]).toEqual([false, true])
      expect(await isThere(old)).toBe(true)
    })

    test('a log that cannot be looked at keeps nothing else from going', async () => {
      const log = await ended(1)
      mkdirSync(directory(), { recursive: true })
      writeFileSync(join(directory(), String(log.id + 1)), 'no folder')
      await store.accept([ignored(3)])

      await remove({ logsBytes: 0, deliveriesMs: 50 * DAY }, 90 * DAY)

      expect(hasLog(log)).toBe(false)
      expect(await deliveries()).toEqual([])
    })

    test.skipIf(!inject('mounts'))('a log that cannot be removed keeps nothing else from going', async () => {
      const [first, second] = [await ended(1), await ended(2)]
      mountSmallDisk(join(directory(), String(first.id)), { megabytes: 1 })
      await store.accept([ignored(3)])

      await remove({ logsMs: 50 * DAY, deliveriesMs: 50 * DAY })
      await remove({ logsBytes: 0 })

      expect([first, second].map(hasLog)).toEqual([true, false])
      expect(await deliveries()).toEqual([])
    })

    test('the oldest logs go when all together are too large; one that is being written stays', async () => {
      const all = [await ended(1), await ended(2), await ended(3)]
      await store.accept([queuedIntake(newDeployment({ reports: NOTHING_OWED }))])
      const running = await claimFrom(store, { limit: 9, at: 1, reports: NOTHING_OWED })
      const log = await createLogs({ directory: directory(), clock: Date.now }).open(running?.id ?? 0, {
        maxBytes: 1e6,
        masker: createMasker([]),
      })
      await log.line('y'.repeat(5_000))

      await remove({ logsBytes: 2_100 })
      await log.close()

      expect(all.map(hasLog)).toEqual([false, true, true])
      expect(running && hasLog(running)).toBe(true)
    })
  })
})

test('the server says of a log that is not kept any more that it was there', async () => {
  const world = await serve({ config: { retention: { logs: '1d' } } })
  const deployment = await world.deploy()
  await world.status(deployment, 'success')

  await createLogs({ directory: join(world.directory, 'data/logs'), clock: Date.now }).remove(1)

  expect(await world.log(1)).toBe('acme/shop/production#1 is succeeded; its log is no longer kept.\n')
})
