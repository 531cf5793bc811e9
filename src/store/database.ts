import { Socket } from 'node:net'
import { isDeepStrictEqual } from 'node:util'

import { Kysely, PostgresDialect, sql } from 'kysely'
import type { Client, Pool, PoolConfig } from 'pg'

import { FerrymanError, messageOf, problem } from '../errors.ts'
import { createConnections } from './connections.ts'
import { migrationsFor } from './migrations.ts'
import type { Tables } from './schema.ts'
import { holdServerLock, type ServerLock } from './server-lock.ts'
import { isAnswer } from './postgres-errors.ts'
import { openSqlite } from './sqlite.ts'
import { lookAt } from './usable.ts'

export type Engine = 'sqlite' | 'postgres'

export interface Database {
  readonly engine: Engine
  readonly kysely: Kysely<Tables>
  /**
   * Throws when the file of the database is no longer the one that was opened, or has shown to be damaged: what is
   * written would be lost.
   */
  assertSound(): void
  /** Throws while another server may have taken the database: what is begun might be begun there as well. */
  assertSole(): void
  /** Runs a change of the schema so that all of it happens or nothing. */
  wholly<T>(work: () => Promise<T>): Promise<T>
  /** For a change of the schema, which takes its time where the history is long; to be destroyed. Undefined: as for all else. */
  patient?(): Kysely<Tables>
  close(): Promise<void>
}

/** Told where nothing is in a PostgreSQL yet, with its address for people; may throw. */
type OnEmpty = (database: string) => void

/**
 * Opens SQLite at a path, or PostgreSQL at a `postgres://` address, and brings the schema up to date.
 * `onLockLost`: another server holds the database now (PostgreSQL). Where `onEmpty` throws, nothing is made there. Throws `database_unreachable`, `database_locked`
 * (PostgreSQL, another server), `database_unfit` (PostgreSQL), `database_unusable`, `database_busy`, `database_damaged` (SQLite) or
 * `database_newer`.
 */
export async function openDatabase(
  address: string,
  onLockLost: () => void = () => {},
  onEmpty: OnEmpty = () => {},
): Promise<Database> {
  const engine: Engine = /^postgres(ql)?:\/\//.test(address) ? 'postgres' : 'sqlite'
  try {
    const database = engine === 'postgres' ? await openPostgres(address, onLockLost) : openSqlite(address)
    await migrate(database, address, onEmpty).catch(async (cause: unknown) => {
      await database.close()
      throw cause
    })
    return database
  } catch (cause) {
    throw whyNotOpened(cause, engine, address)
  }
}

/** What keeps a database from being opened, in words for people. */
export function whyNotOpened(cause: unknown, engine: Engine, address: string): FerrymanError {
  if (cause instanceof FerrymanError) return cause
  const details = { database: withoutPassword(address), cause: messageOf(cause) }
  if (isAnswer(cause)) return problem('database_unfit', details, cause)
  if (isBusy(cause)) return problem('database_busy', details, cause)
  return problem(engine === 'postgres' ? 'database_unreachable' : 'database_unusable', details, cause)
}

/**
 * Connects to PostgreSQL and answers its version; changes nothing. Throws `database_unreachable`, `database_unfit`,
 * `database_newer`.
 */
export async function reachPostgres(address: string, onEmpty: OnEmpty): Promise<string> {
  const { default: pg } = await import('pg')
  let client: Client | undefined
  try {
    const reaching = new pg.Client({ connectionString: address, connectionTimeoutMillis: 10_000 })
    client = reaching.on('error', () => {})
    await reaching.connect()
    const { rows } = await reaching.query<{ server_version: string }>('show server_version')
    const applied = await reaching.query<{ name: string }>(APPLIED).catch(() => ({ rows: [] })) // none yet
    await assertKnown(applied.rows, 'postgres')
    const isComplete = await areAll(applied.rows, 'postgres')
    await assertFit((statement) => reaching.query(statement), { address, isComplete, onEmpty })
    return rows[0]?.server_version ?? 'unknown'
  } catch (cause) {
    if (cause instanceof FerrymanError) throw cause
    throw problem(
      'database_unreachable',
      { database: withoutPassword(address), cause: messageOf(cause) },
      cause,
    )
  } finally {
    await client?.end().catch(() => {})
  }
}

/** Throws `database_unfit` where a PostgreSQL that answers cannot be used. */
async function assertFit(
  ask: Parameters<typeof lookAt>[0],
  {
    address,
    isComplete,
    onEmpty,
  }: { readonly address: string; readonly isComplete: boolean; readonly onEmpty: OnEmpty },
): Promise<void> {
  const { missing, isEmpty } = await lookAt(ask, isComplete)
  const database = withoutPassword(address)
  if (missing !== undefined) throw problem('database_unfit', { database, cause: missing })
  if (isEmpty) onEmpty(database)
}

/** Whether the statement was refused because the row is already there. */
export const isUniqueViolation = (thrown: unknown): boolean =>
  codeOf(thrown, 'code') === '23505' || [2067, 1555].includes(Number(codeOf(thrown, 'errcode')))

/** Whether the row itself cannot be taken, whatever the state of the database: a constraint, a size, a type. */
export const isOfOneRow = (thrown: unknown): boolean => {
  const [code, errcode] = [codeOf(thrown, 'code'), codeOf(thrown, 'errcode')]
  if (errcode !== undefined) return [18, 19, 20, 25].includes(Number(errcode) & 0xff)
  return typeof code === 'string' && /^(?:22|23|54)\w{3}$/.test(code)
}

/** Whether another process holds SQLite's lock for the moment (SQLITE_BUSY and its extended codes). */
export const isBusy = (thrown: unknown): boolean => (Number(codeOf(thrown, 'errcode')) & 0xff) === 5

const codeOf = (thrown: unknown, key: string): unknown =>
  typeof thrown === 'object' && thrown !== null ? Reflect.get(thrown, key) : undefined

async function openPostgres(address: string, onLockLost: () => void): Promise<Database> {
  const { default: pg } = await import('pg')
  const types = {
    // int8 arrives as text; every number of ours fits into a double.
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format),
  }
  const sockets = new Set<Socket>()
  const stream = (): Socket => {
    const socket = new Socket()
    sockets.add(socket)
    return socket.once('close', () => sockets.delete(socket))
  }
  const reaching = {
    connectionString: address,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    types,
    stream,
  }
  const poolOf = (options: PoolConfig): Pool => {
    const pool = new pg.Pool({ ...reaching, ...options })
    pool.on('error', () => {}) // an idle connection broke; the next query opens a new one and reports its own error
    pool.on('connect', (client) => client.on('error', () => {})) // one in use broke: its query is told
    return pool
  }
  const pool = poolOf({
    max: 8,
    lock_timeout: 2_000, // by then somebody else's lock is no short one, and GitHub waits for an answer
    query_timeout: 8_000, // a network that swallows everything must not hold up an answer for ever
  })
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: createConnections(pool) }) })
  let lock: ServerLock | undefined
  const close = async () => {
    await lock?.release()
    await kysely.destroy()
    for (const socket of sockets) socket.unref() // one that does not answer hears of no end
  }
  try {
    lock = await holdServerLock(address, onLockLost)
    if (lock === undefined) throw problem('database_locked', { database: withoutPassword(address) })
  } catch (cause) {
    await close()
    throw cause
  }
  return {
    engine: 'postgres',
    kysely,
    close,
    wholly: (work) => work(),
    assertSound() {},
    assertSole() {
      if (lock.isHeld) return
      const cause = 'the connection that keeps other servers out of it is broken'
      throw problem('database_unreachable', { database: withoutPassword(address), cause })
    },
    patient: () =>
      new Kysely<Tables>({
        dialect: new PostgresDialect({ pool: poolOf({ max: 1, lock_timeout: 60_000 }) }),
      }),
  }
}

async function migrate(
  { kysely, engine, wholly, patient }: Database,
  address: string,
  onEmpty: OnEmpty,
): Promise<void> {
  const provider = migrationsFor(engine)
  const patiently = patient?.()
  const error = await wholly(async () => {
    const isComplete = await isUpToDate(kysely, engine)
    if (engine === 'postgres')
      await assertFit((statement) => sql.raw<never>(statement).execute(kysely), {
        address,
        isComplete,
        onEmpty,
      })
    if (isComplete) return
    const { Migrator } = await import('kysely/migration')
    const { error: failure } = await new Migrator({ db: patiently ?? kysely, provider }).migrateToLatest()
    if (failure !== undefined) throw failure
  }).catch((cause: unknown) => cause)
  await patiently?.destroy()
  if (error === undefined) return
  await assertKnown(await appliedTo(kysely), engine, error) // what failed was rolled back with the rest
  throw error
}

/** Whether nothing is to be done, as at most starts: to see that, Kysely would look at every table. */
const isUpToDate = async (kysely: Kysely<Tables>, engine: Engine): Promise<boolean> =>
  areAll(await appliedTo(kysely), engine)

/** Whether these are all steps that there are. */
async function areAll(applied: readonly { readonly name: string }[], engine: Engine): Promise<boolean> {
  const known = Object.keys(await migrationsFor(engine).getMigrations())
  return isDeepStrictEqual(
    applied.map(({ name }) => name),
    known,
  )
}

/** The steps that a database has been through; none where it is new. */
async function appliedTo(kysely: Kysely<Tables>): Promise<readonly { readonly name: string }[]> {
  const asking = sql.raw<{ name: string }>(APPLIED).execute(kysely)
  const { rows } = await asking.catch(() => ({ rows: [] }))
  return rows
}

/** Which steps of the schema a database has been through. */
export const APPLIED = 'select name from kysely_migration order by name'

/** Throws `database_newer` where this program does not know a step: a later version has been here. */
export async function assertKnown(
  applied: readonly { readonly name: string }[],
  engine: Engine,
  cause?: unknown,
): Promise<void> {
  const known = Object.keys(await migrationsFor(engine).getMigrations())
  const newer = applied.findLast(({ name }) => !known.includes(name))
  if (newer !== undefined) throw problem('database_newer', { version: newer.name }, cause)
}

/** An address that can be shown: the server and the name, and nothing at all where a password may stand. */
function withoutPassword(address: string): string {
  if (!/^postgres(ql)?:/.test(address)) return address
  if (!URL.canParse(address)) return 'in `database`'
  const { host, pathname } = new URL(address)
  return pathname.includes('@') ? 'in `database`' : `postgres://${host}${pathname}`
}
