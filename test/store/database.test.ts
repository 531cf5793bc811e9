import { rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

import pg from 'pg'
import { describe, expect, inject, onTestFinished, test } from 'vitest'

import { whyNotOpened } from '../../src/store/database.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { Store } from '../../src/store/store.ts'
import { databaseBehindRelay, type Relay } from '../support/relay.ts'
import { newDeployment, queuedIntake } from '../support/samples.ts'
import { emptyDatabase } from '../support/stores.ts'
import { eventually } from '../support/running.ts'
import { claimFrom } from '../support/claiming.ts'

test('a first start that fails half way leaves nothing half made', async () => {
  const { address, drop } = await emptyDatabase.sqlite()
  const file = new DatabaseSync(address)
  file.exec('create table deployments (id integer)') // in the way of a later statement of the schema

  await expect(openStore(address)).rejects.toThrow('deployments')
  file.exec('drop table deployments')
  file.close()
  const store = await openStore(address)

  expect(await store.inState('queued')).toEqual([])
  await store.close()
  await drop()
})

test('a database of a newer version is refused by name', async () => {
  const { address, drop } = await emptyDatabase.sqlite()
  await (await openStore(address)).close()
  const file = new DatabaseSync(address)
  file.exec("insert into kysely_migration values ('9999-from-the-future', '2030-01-01')")
  file.close()

  await expect(openStore(address)).rejects.toThrow(
    'The database was written by a newer Ferryman (9999-from-the-future).',
  )
  await drop()
})

test('a database that another process writes to is no matter of rights or of room', async () => {
  const { address, drop } = await emptyDatabase.sqlite()
  const [other, file] = [new DatabaseSync(address), new DatabaseSync(address, { timeout: 0 })]
  other.exec('begin immediate')
  let cause: unknown
  try {
    file.exec('begin immediate')
  } catch (thrown) {
    cause = thrown
  }

  expect(whyNotOpened(cause, 'sqlite', address)).toMatchObject({
    code: 'database_busy',
    message: `The database ${address} cannot be used, since another process writes to it: database is locked.`,
  })
  other.close()
  file.close()
  await drop()
})

/** What each migration has to be undone by, the newest first, to have a database of an earlier version. */
const UNDO = {
  '0026': 'drop index deployments_by_themselves',
  '0025': 'alter table deployments drop column conclusion',
  '0024': 'drop index deployments_named; drop index deliveries_of_event; drop index deliveries_of_verdict',
  '0023': 'drop index deployments_looked_at',
  '0022': 'alter table approvals drop column task',
  '0021': 'alter table deployments drop column log_url',
  '0020': 'drop table pins',
  '0019': `alter table deployments drop column blocked_since; alter table deployments drop column blocked_until;
    alter table deployments drop column blocked_detail; alter table deployments drop column blocked_tries;
    alter table deployments drop column blocked_told; alter table deployments drop column blocked_log_bytes`,
  '0018': 'alter table deployments drop column checked_at',
  '0017': 'drop index deployments_with_authors; alter table deployments drop column authors_asked',
  '0016': 'alter table environments drop column head_branch; alter table environments drop column head_sha',
  '0015': 'alter table environments drop column failures; alter table environments drop column failing_since',
  '0014': 'alter table deliveries drop column repository',
  '0012': `drop index deployments_of_commit; alter table deployments drop column authors;
    alter table deployments drop column approved_by`,
  '0011': 'alter table deployments drop column changes',
  '0010': `drop index deployments_bad; alter table deployments drop column marked_bad_at;
    alter table deployments drop column marked_bad_by; alter table deployments drop column marked_bad_reason`,
  '0009': `drop table locks; drop table approvals; drop index deployments_held;
    alter table deployments drop column hold_until; alter table deployments drop column forced_by;
    alter table deployments drop column forced_why; alter table events drop column detail`,
  '0008': 'alter table reports drop column barred_since',
  '0007': `drop index deployments_live; alter table deployments drop column end_order;
    create index deployments_live on deployments (environment_id)`,
  '0006': 'drop table hooks; drop table redeliveries',
  '0005': '',
  '0004': 'drop table sights',
} as const

function undoFrom(first: keyof typeof UNDO, file: DatabaseSync): void {
  for (const [name, statements] of Object.entries(UNDO)) if (name >= first) file.exec(statements)
  file.prepare('delete from kysely_migration where name >= ?').run(first)
}

test('what an earlier version has deployed keeps its order', async () => {
  const { address, drop } = await emptyDatabase.sqlite()
  const earlier = await openStore(address)
  const reports = () => []
  for (const sha of ['a', 'b']) {
    const wanted = newDeployment({ sha: sha.repeat(40), lane: sha })
    const [accepted] = await earlier.accept([queuedIntake(wanted)])
    await claimFrom(earlier, { limit: 9, at: 2_000, reports })
    if (sha === 'b')
      await earlier.move(accepted?.deployments[0]?.id ?? 0, 'running', 'succeeded', { at: 3_000, reports })
  }
  await earlier.move(1, 'running', 'succeeded', { at: 4_000, reports })
  await earlier.accept([queuedIntake(newDeployment())])
  await earlier.close()
  const file = new DatabaseSync(address)
  undoFrom('0007', file)
  file.close()

  const store = await openStore(address)

  expect(await store.previousSha(3)).toBe('a'.repeat(40))
  await store.close()
  await drop()
})

test('environments of an earlier version have failed as often as their history says', async () => {
  const { address, drop } = await emptyDatabase.sqlite()
  const earlier = await openStore(address)
  const reports = () => []
  const ends = ['failed', 'succeeded', 'failed', 'cancelled', 'failed'] as const
  for (const [index, end] of ends.entries()) {
    await earlier.accept([queuedIntake(newDeployment())])
    await claimFrom(earlier, { limit: 9, at: 2_000, reports })
    if (end === 'cancelled') await earlier.move(index + 1, 'running', 'cancelling', { at: 3_000, reports })
    const at = 4_000 + index
    if (end === 'cancelled') await earlier.move(index + 1, 'cancelling', end, { at, reports })
    else await earlier.move(index + 1, 'running', end, { at, reports })
  }
  const failure = { reason: 'task_unknown', detail: 'Unknown task: x' } as const
  await earlier.accept([queuedIntake(newDeployment({ failure }))])
  await earlier.accept([queuedIntake(newDeployment({ environment: 'staging', lane: 'staging' }))])
  await earlier.close()
  const file = new DatabaseSync(address)
  undoFrom('0015', file)
  file.close()

  const store = await openStore(address)

  const streaks: unknown[] = []
  const asked = (_: unknown, streak: unknown) => (streaks.push(streak), [])
  await store.accept([queuedIntake(newDeployment({ reports: asked }))])
  await store.accept([
    queuedIntake(newDeployment({ environment: 'staging', lane: 'staging', reports: asked })),
  ])
  expect(streaks).toEqual([{ failures: 2, since: 4_002 }, undefined])
  await store.close()
  await drop()
})

test('environments of an earlier version are configured since they were first seen or deployed', async () => {
  const { address, drop } = await emptyDatabase.sqlite()
  const earlier = await openStore(address)
  const place = { repository: 'acme/shop', repositoryGithubId: 17, configuredAs: 'acme/shop', branch: 'main' }
  await earlier.see({ ...place, environment: 'staging', sha: undefined, at: 500 })
  await earlier.accept([queuedIntake(newDeployment())]) // to production, at 1000
  await earlier.accept([queuedIntake(newDeployment({ environment: 'staging' }))])
  await earlier.close()
  const file = new DatabaseSync(address)
  undoFrom('0004', file)
  file.close()

  const store = await openStore(address)

  expect(await store.configured(['acme/shop/production', 'acme/shop/staging'], 9_000)).toEqual(
    new Map([
      ['acme/shop/production', 1_000],
      ['acme/shop/staging', 500],
    ]),
  )
  await store.close()
  await drop()
})

test.each([
  'postgres://user:S3CRET@127.0.0.1:1/shop',
  'postgres://user:p@ss/S3CRET@127.0.0.1:1/shop',
  'postgres:///shop?host=127.0.0.1&port=1&password=S3CRET',
])('an address that does not answer is named without its password: %s', async (address) => {
  const cause: unknown = await openStore(address).catch((thrown: unknown) => thrown)

  expect(String(cause)).toMatch(/The database .* does not answer/)
  expect(String(cause)).not.toContain('S3CRET')
})

describe.skipIf(inject('postgres') === undefined)('the lock of the one server on PostgreSQL', () => {
  /** Other tests have databases of their own on the same server. */
  const LOCKS =
    "pg_locks join pg_stat_activity using (pid) where locktype = 'advisory' and datname = current_database()"

  interface Kept {
    readonly store: Store
    readonly relay: Relay
    readonly other: pg.Client
    /** Whether the database takes new connections; what is connected stays so. */
    letIn(isAllowed: boolean): Promise<unknown>
    /** Resolves when another session of the same server holds it. */
    takenAgain(): Promise<void>
    /** How often the server was told that it is not the one any more. */
    lost(): number
  }

  /** A server's lock behind a network that may break. */
  async function kept(): Promise<Kept> {
    const { address, relay, other } = await databaseBehindRelay()
    let lost = 0
    const store = await openStore(relay.address, () => (lost += 1))
    onTestFinished(store.close)
    const holder = async (): Promise<number | undefined> => {
      const { rows } = await other.query<{ pid: number }>(`select pid from ${LOCKS}`)
      return rows[0]?.pid
    }
    const first = await holder()
    const admin = new pg.Client({ connectionString: inject('postgres') ?? '' })
    await admin.connect()
    onTestFinished(() => admin.end())
    const letIn = (isAllowed: boolean) =>
      admin.query(`alter database ${new URL(address).pathname.slice(1)} allow_connections ${isAllowed}`)
    const isAnother = async (): Promise<boolean> => ![undefined, first].includes(await holder())
    return {
      store,
      relay,
      other,
      letIn,
      takenAgain: () => eventually('it is taken again', isAnother),
      lost: () => lost,
    }
  }

  test('is taken again where the network has ended its connection on our side alone', async () => {
    const { relay, takenAgain, lost } = await kept()

    relay.cut()
    await takenAgain()

    expect(lost()).toBe(0)
  })

  test('is taken again where the network swallows what its connection carries', async () => {
    const { relay, takenAgain, lost } = await kept()

    relay.swallow()
    relay.carry()
    await takenAgain()

    expect(lost()).toBe(0)
  }, 90_000)

  test('lets nothing begin while nobody knows who has it', async () => {
    const { store, other, letIn } = await kept()
    await store.accept([queuedIntake(newDeployment())])
    const claim = () => claimFrom(store, { limit: 9, at: 2_000, reports: () => [] })

    await letIn(false)
    await other.query(`select pg_terminate_backend(pid, 5000) from ${LOCKS}`)
    await eventually('nothing begins', () =>
      claim().then(
        () => false,
        () => true,
      ),
    )
    await letIn(true)

    // The first one has begun where its claim was faster than the news.
    const another = queuedIntake(newDeployment({ githubId: 4_712, lane: 'another' }))
    const begins = () =>
      store
        .accept([another])
        .then(claim)
        .catch(() => undefined)
    await eventually('it begins', async () => (await begins()) !== undefined)
  })

  test('is let go in time where the network swallows everything', async () => {
    const { store, relay } = await kept()

    relay.swallow()

    await store.close()
  }, 15_000)

  const terminateHolder = async (address: string): Promise<void> => {
    const client = new pg.Client({ connectionString: address })
    await client.connect()
    await client.query(`select pg_terminate_backend(pid) from ${LOCKS} and pid <> pg_backend_pid()`)
    await client.end()
  }
  const isHeld = async (address: string): Promise<boolean> => {
    const client = new pg.Client({ connectionString: address })
    await client.connect()
    const { rows } = await client.query<{ held: string }>(`select count(*) as held from ${LOCKS}`)
    await client.end()
    return rows[0]?.held !== '0'
  }

  test('keeps a second server out, and is taken again when its connection breaks', async () => {
    const { address, drop } = await emptyDatabase.postgres()
    const store = await openStore(address)

    await expect(openStore(address)).rejects.toThrow('Another Ferryman is already running on the database')
    await terminateHolder(address)
    await eventually('the lock is held again', () => isHeld(address))

    await expect(openStore(address)).rejects.toThrow('Another Ferryman is already running on the database')
    await store.close()
    await drop()
  })
})

test('deliveries that are known keep no second body', async () => {
  const { address, drop } = await emptyDatabase.sqlite()
  const store = await openStore(address)
  const intakes = [queuedIntake(newDeployment()), queuedIntake(newDeployment())]

  await store.accept(intakes)
  await store.accept(intakes)
  await store.close()

  const file = new DatabaseSync(address)
  expect(file.prepare('select count(*) as count from bodies').get()).toEqual({ count: 1 })
  file.close()
  await drop()
})

test('a database that was removed under the server records nothing any more, and says so', async () => {
  const { address, drop } = await emptyDatabase.sqlite()
  const store = await openStore(address)

  rmSync(address)

  await expect(store.probe()).rejects.toThrow('was removed or replaced while it was in use')
  await expect(store.accept([])).rejects.toThrow('was removed or replaced while it was in use')
  await store.close()
  await drop()
})
