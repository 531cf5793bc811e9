import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'

import { Kysely, SqliteDialect, type SqliteDatabase, type SqliteStatement } from 'kysely'

import { messageOf, problem, type FerrymanError } from '../errors.ts'
import type { Database } from './database.ts'
import { assertOpenToUs, makeDirectory, makePrivate } from './directory.ts'
import type { Tables } from './schema.ts'

/** Somebody else may write for a moment when the server starts; nobody waits for an answer then. */
const PATIENCE_AT_START_MS = 10_000
/** Waiting inside SQLite stops the whole server: who waits for longer does so by itself, see `inTransaction`. */
const PATIENCE_MS = 5

/** Opens SQLite, or makes it. Throws what SQLite says, and `database_damaged`. */
export function openSqlite(path: string): Database {
  makeDirectory(dirname(path))
  makePrivate(path)
  assertOpenToUs(path) // SQLite would open it, only to read
  const file = new DatabaseSync(path, { timeout: PATIENCE_AT_START_MS })
  const { watched, assertWhole } = watchForDamage(path)
  try {
    watched(() => file.exec(PRAGMAS))
  } catch (cause) {
    file.close()
    throw cause
  }
  const opened = statSync(path).ino
  const kysely = new Kysely<Tables>({ dialect: new SqliteDialect({ database: nodeSqlite(file, watched) }) })
  return {
    engine: 'sqlite',
    kysely,
    close: () => kysely.destroy(),
    assertSound() {
      assertWhole()
      if (statSync(path, { throwIfNoEntry: false })?.ino !== opened)
        throw new Error(`The database ${path} was removed or replaced while it was in use.`)
    },
    assertSole() {}, // the lock of the data directory sees to it
    // Kysely begins no transaction for the schema of SQLite, though SQLite can.
    async wholly(work) {
      file.exec('begin immediate')
      try {
        const result = await work()
        file.exec('commit')
        file.exec(`pragma busy_timeout = ${PATIENCE_MS}`)
        return result
      } catch (cause) {
        if (file.isTransaction) file.exec('rollback')
        throw cause
      }
    },
  }
}

const PRAGMAS =
  'pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; pragma wal_autocheckpoint = 4000'

type Watched = <T>(work: () => T) => T

/** Whether SQLite says that the file is damaged, or no database: SQLITE_CORRUPT and SQLITE_NOTADB. */
export const isDamage = (thrown: unknown): boolean =>
  [11, 26].includes(Number(Reflect.get(Object(thrown), 'errcode')) & 0xff)

/** What is damaged in one place may be so in others: from the first sign on nothing more is entrusted to it. */
function watchForDamage(path: string): { readonly watched: Watched; assertWhole(): void } {
  let damage: FerrymanError | undefined
  return {
    watched(work) {
      try {
        return work()
      } catch (thrown) {
        if (!isDamage(thrown)) throw thrown
        throw (damage ??= problem('database_damaged', { file: path, cause: messageOf(thrown) }, thrown))
      }
    },
    assertWhole() {
      if (damage !== undefined) throw damage
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
function nodeSqlite(file: DatabaseSync, watched: Watched): SqliteDatabase {
  const prepared = new Map<string, { statement: StatementSync; reader: boolean }>()
  const prepare = (sql: string) => {
    const known = prepared.get(sql)
    if (known) return known
    const statement = watched(() => file.prepare(sql))
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
        all: (parameters) => watched(() => statement.all(...inputs(parameters))),
        run: (parameters) => watched(() => statement.run(...inputs(parameters))),
        iterate: (parameters) => watched(() => statement.iterate(...inputs(parameters))),
      }
    },
  }
}
