import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'

import pg from 'pg'
import { describe, expect, inject, onTestFinished, test } from 'vitest'

import { openStore } from '../../src/store/sql-store.ts'
import type { Store } from '../../src/store/store.ts'
import { databaseBehindRelay, startRelay, type Relay } from '../support/relay.ts'
import { eventually } from '../support/running.ts'
import { newDeployment, queuedIntake } from '../support/samples.ts'
import { emptyDatabase } from '../support/stores.ts'

describe.skipIf(inject('postgres') === undefined)('a connection to PostgreSQL', () => {
  interface Opened {
    readonly store: Store
    readonly relay: Relay
    /** A connection of its own to the same database. */
    readonly other: pg.Client
    /** Resolves when a statement waits for what another has locked. */
    somebodyWaits(): Promise<void>
  }

  async function opened(): Promise<Opened> {
    const { relay, other } = await databaseBehindRelay()
    const store = await openStore(relay.address)
    onTestFinished(store.close)
    const isWaiting = async (): Promise<boolean> =>
      (await other.query(`select 1 from ${WAITS}`)).rows.length > 0
    return { store, relay, other, somebodyWaits: () => eventually('somebody waits', isWaiting) }
  }

  /** Other tests have databases of their own on the same server. */
  const WAITS =
    'pg_locks join pg_stat_activity using (pid) where not granted and datname = current_database()'

  const eightConnections = (store: Store) =>
    Promise.all(Array.from({ length: 8 }, () => store.noted('something')))

  /** All ends have come when it is over, and nobody could hear of one. */
  const endAllAtOnce = (address: string): void => {
    const script = `
      import pg from 'pg'
      const client = new pg.Client({ connectionString: process.argv[1] })
      await client.connect()
      await client.query("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
      await client.end()`
    execFileSync(process.execPath, ['--input-type=module', '--eval', script, address])
  }

  test('that was ended unheard, with all others, is no reason to refuse a delivery or to know nothing', async () => {
    const { address, drop } = await emptyDatabase.postgres()
    onTestFinished(drop)
    const store = await openStore(address)
    onTestFinished(store.close)

    await eightConnections(store)
    endAllAtOnce(address)
    const [accepted] = await store.accept([queuedIntake(newDeployment())])
    await eightConnections(store)
    endAllAtOnce(address)
    const found = await store.deployment(accepted?.deployments[0]?.id ?? 0)

    expect(accepted?.verdict).toBe('queued')
    expect(found?.state).toBe('queued')
  })

  test('that is ended in the middle leaves nothing half done, and what was to be done is done', async () => {
    const { store, other, somebodyWaits } = await opened()
    await store.accept([queuedIntake(newDeployment())])

    await other.query('begin; lock table deployments in exclusive mode')
    const accepting = store.accept([queuedIntake(newDeployment())])
    await somebodyWaits()
    await other.query(`select pg_terminate_backend(pid) from ${WAITS}`)
    await other.query('rollback')

    expect((await accepting)[0]?.deployments[0]?.number).toBe(2)
    expect(await store.inState('queued')).toHaveLength(2)
  })

  test('cannot be made while its server is started again: what is to be done waits for that', async () => {
    const { store, relay } = await opened()
    await eightConnections(store)

    await relay.close()
    const accepting = store.accept([queuedIntake(newDeployment())])
    const asking = store.noted('something')
    for (let tries = 0; tries < 3; tries += 1)
      await expect(new pg.Client({ connectionString: relay.address }).connect()).rejects.toThrow(
        'ECONNREFUSED',
      )
    await relay.open()

    expect((await accepting)[0]?.verdict).toBe('queued')
    expect(await asking).toBeUndefined()
  })

  test('that swallows everything holds up one answer, and nothing after it', async () => {
    const { store, relay, other, somebodyWaits } = await opened()
    await store.accept([queuedIntake(newDeployment())])

    await other.query('begin; lock table deployments in exclusive mode')
    const refused = store.accept([queuedIntake(newDeployment())]).catch(String)
    await somebodyWaits()
    relay.swallow()
    await other.query('rollback')
    expect(await refused).toContain('Query read timeout')
    relay.carry()
    // What PostgreSQL knows nothing of holds its locks for some seconds more.
    await eventually('deliveries are taken', async () => {
      const taking = store.accept([queuedIntake(newDeployment())])
      return (await taking.catch(() => []))[0]?.verdict === 'queued'
    })

    expect((await store.inState('queued')).map(({ number }) => number)).toEqual([1, 2])
  }, 90_000)

  test('that cannot be made since the network swallows everything is not waited for again and again', async () => {
    const { store, relay } = await opened()

    await relay.close()
    relay.swallow()
    await relay.open()

    await expect(store.accept([queuedIntake(newDeployment())])).rejects.toThrow('timeout')
    relay.carry()
    expect((await store.accept([queuedIntake(newDeployment())]))[0]?.verdict).toBe('queued')
  }, 90_000)

  test('whose transaction another one waits for, and waits for that, is tried again', async () => {
    const { store, other, somebodyWaits } = await opened()
    const sent = [queuedIntake(newDeployment()), queuedIntake(newDeployment())]
    const ids = (await store.accept(sent)).flatMap(({ deployments }) => deployments.map(({ id }) => id))
    const lock = (id: number | undefined) =>
      other.query('select 1 from deployments where id = $1 for update', [id])

    await other.query("set deadlock_timeout = '1h'; begin") // so that it is not this one that gives way
    await lock(ids[1])
    const change = { at: 2_000, reason: 'config_removed', reports: () => [] } as const
    const moving = store.moveAll('queued', 'failed', new Map(ids.map((id) => [id, change])))
    await somebodyWaits()
    await lock(ids[0])
    await other.query('commit')

    expect((await moving).map(({ id }) => id)).toEqual(ids)
  })

  test('that swallows everything keeps no process from ending', async () => {
    const { address, drop } = await emptyDatabase.postgres()
    onTestFinished(drop)
    const relay = await startRelay(address)
    const script = `
      import { openStore } from ${JSON.stringify(resolve('src/store/sql-store.ts'))}
      const store = await openStore(process.argv[1])
      await Promise.all(Array.from({ length: 8 }, () => store.noted('something')))
      console.log('opened')
      process.stdin.once('end', store.close).resume()`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script, relay.address], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    await once(child.stdout, 'data')

    relay.swallow()
    const ended = once(child, 'exit')
    child.stdin.end()

    expect(await ended).toEqual([0, null])
  })

  test('takes what PostgreSQL has no place for', async () => {
    const { store } = await opened()
    await store.accept([queuedIntake(newDeployment())])
    const wanted = { limit: 9, take: 'oldest', exceptDeployments: [], exceptRepositories: [] } as const
    const [report] = await store.outbox.due('github', { at: 3_000, ...wanted })

    await store.note('said', 'before\0after')
    await store.outbox.postpone(report?.id ?? 0, 2_000.4, 'GitHub did not answer', undefined)

    expect(await store.noted('said')).toBe('before\ufffdafter')
    expect(await store.outbox.nextDueAfter(1_999.5)).toBeUndefined()
    expect(await store.outbox.nextDueAfter(1_999)).toBe(2_000)
    expect(await store.retaining.endedLocks(2_000.4)).toBe(0)
    expect(await store.deployment(1e20)).toBeUndefined()
    expect(await store.retaining.endedLocks(-Infinity)).toBe(0)
  })
})
