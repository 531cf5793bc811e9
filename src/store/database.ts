import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'

import {
  Kysely,
  PostgresDialect,
  sql,
  SqliteDialect,
  type SqliteDatabase,
  type SqliteStatement,
} from 'kysely'
import { Migrator } from 'kysely/migration'

import { messageOf, problem } from '../errors.ts'
import { makeDirectory, makePrivate } from './directory.ts'
import { migrationsFor } from './migrations.ts'
import type { Tables } from './schema.ts'
import { holdServerLock, type ServerLock } from './server-lock.ts'

export type Engine = 'sqlite' | 'postgres'

export interface Database {
  readonly engine: Engine
  readonly kysely: Kysely<Tables>
  /** Throws when the file of the database is no longer the one that was opened: what is written would be lost. */
  assertThere(): void
  /** Runs a change of the schema so that all of it happens or nothing. */
  wholly<T>(work: () => Promise<T>): Promise<T>
  close(): Promise<void>
}

/**
 * Opens SQLite at a path, or PostgreSQL at a `postgres://` address, and brings the schema up to date.
 * `onLockLost`: another server holds the database now (PostgreSQL). Throws `database_unreachable`, `database_locked` (PostgreSQL, another server) or `database_newer`.
 */
export async function openDatabase(address: string, onLockLost: () => void = () => {}): Promise<Database> {
  const engine: Engine = /^postgres(ql)?:\/\//.test(address) ? 'postgres' : 'sqlite'
  try {
    const database = engine === 'postgres' ? await openPostgres(address, onLockLost) : openSqlite(address)
    await migrate(database).catch(async (cause: unknown) => {
      await database.close()
      throw cause
    })
    return database
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'FerrymanError') throw cause
    throw problem(
      'database_unreachable',
      { database: withoutPassword(address), cause: messageOf(cause) },
      cause,
    )
  }
}

/** Connects to PostgreSQL and answers its version; changes nothing. Throws `database_unreachable`. */
export async function reachPostgres(address: string): Promise<string> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: address, connectionTimeoutMillis: 10_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ server_version: string }>('show server_version')
    return rows[0]?.server_version ?? 'unknown'
  } catch (cause) {
    throw problem(
      'database_unreachable',
      { database: withoutPassword(address), cause: messageOf(cause) },
      cause,
    )
  } finally {
    await client.end().catch(() => {})
  }
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

function openSqlite(path: string): Database {
  makeDirectory(dirname(path))
  makePrivate(path)
  // A short busy timeout: waiting inside SQLite would stop the whole server.
  const file = new DatabaseSync(path, { timeout: 50 })
  file.exec(
    'pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; pragma wal_autocheckpoint = 4000',
  )
  const opened = statSync(path).ino
  const kysely = new Kysely<Tables>({ dialect: new SqliteDialect({ database: nodeSqlite(file) }) })
  return {
    engine: 'sqlite',
    kysely,
    close: () => kysely.destroy(),
    assertThere() {
      if (statSync(path, { throwIfNoEntry: false })?.ino !== opened)
        throw new Error(`The database ${path} was removed or replaced while it was in use.`)
    },
    // Kysely begins no transaction for the schema of SQLite, though SQLite can.
    async wholly(work) {
      file.exec('begin immediate')
      try {
        const result = await work()
        file.exec('commit')
        return result
      } catch (cause) {
        if (file.isTransaction) file.exec('rollback')
        throw cause
      }
    },
  }
}

const NOTHING: SqliteStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [].values(),
}

/** node:sqlite in the shape that Kysely asks for; statements are prepared once. */
function nodeSqlite(file: DatabaseSync): SqliteDatabase {
  const prepared = new Map<string, { statement: StatementSync; reader: boolean }>()
  const prepare = (sql: string) => {
    const known = prepared.get(sql)
    if (known) return known
    const statement = file.prepare(sql)
    const fresh = { statement, reader: statement.columns().length > 0 }
    if (prepared.size < 500) prepared.set(sql, fresh)
    return fresh
  }
  return {
    close: () => file.close(),
    prepare(sql) {
      // A full disk has rolled back already; asking again would hide the reason behind another error.
      if (sql === 'rollback' && !file.isTransaction) return NOTHING
      // A deferred transaction that reads first fails at its first write when somebody else wrote meanwhile.
      const { statement, reader } = prepare(sql === 'begin' ? 'begin immediate' : sql)
      const inputs = (parameters: readonly unknown[]) => parameters as SQLInputValue[]
      return {
        reader,
        all: (parameters) => statement.all(...inputs(parameters)),
        run: (parameters) => statement.run(...inputs(parameters)),
        iterate: (parameters) => statement.iterate(...inputs(parameters)),
      }
    },
  }
}

async function openPostgres(address: string, onLockLost: () => void): Promise<Database> {
  const { default: pg } = await import('pg')
  const types = {
    // int8 arrives as text; every number of ours fits into a double.
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format),
  }
  const pool = new pg.Pool({
    connectionString: address,
    max: 8,
    connectionTimeoutMillis: 10_000,
    query_timeout: 8_000, // a network that swallows everything must not hold up an answer for ever
    keepAlive: true,
    types,
  })
  pool.on('error', () => {}) // an idle connection broke; the next query opens a new one and reports its own error
  pool.on('connect', (client) => client.on('error', () => {})) // one in use broke: its query is told
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  let lock: ServerLock | undefined
  const close = async () => {
    await lock?.release()
    await kysely.destroy()
  }
  try {
    lock = await holdServerLock(address, onLockLost)
    if (lock === undefined) throw problem('database_locked', { database: withoutPassword(address) })
  } catch (cause) {
    await close()
    throw cause
  }
  return { engine: 'postgres', kysely, close, wholly: (work) => work(), assertThere() {} }
}

async function migrate({ kysely, engine, wholly }: Database): Promise<void> {
  const provider = migrationsFor(engine)
  const error = await wholly(async () => {
    const { error: failure } = await new Migrator({ db: kysely, provider }).migrateToLatest()
    if (failure !== undefined) throw failure
  }).catch((cause: unknown) => cause)
  if (error === undefined) return
  const newer = await unknownMigration(kysely, Object.keys(await provider.getMigrations()))
  if (newer !== undefined) throw problem('database_newer', { version: newer }, error)
  throw error
}

/** The newest step of the schema that this program does not know: a later version has been here. */
async function unknownMigration(
  kysely: Kysely<Tables>,
  known: readonly string[],
): Promise<string | undefined> {
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`
    .execute(kysely)
    .catch(() => ({ rows: [] })) // it was rolled back with the rest
  return rows.map(({ name }) => name).findLast((name) => !known.includes(name))
}

/** An address that can be shown: the server and the name, and nothing at all where a password may stand. */
function withoutPassword(address: string): string {
  if (!/^postgres(ql)?:/.test(address)) return address
  if (!URL.canParse(address)) return 'in `database`'
  const { host, pathname } = new URL(address)
  return pathname.includes('@') ? 'in `database`' : `postgres://${host}${pathname}`
}
