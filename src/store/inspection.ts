import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { isDeepStrictEqual } from 'node:util'

import { FerrymanError, messageOf, problem } from '../errors.ts'
import { APPLIED, assertKnown, isBusy } from './database.ts'
import { assertOpenToUs } from './directory.ts'
import { isDamage } from './sqlite.ts'

const PATIENCE_MS = 2_000

/**
 * Reads the whole database and changes nothing, also beside a server that uses it; answers what it is. Throws
 * `database_damaged`, `database_newer` and `database_unusable`.
 */
export async function inspectSqlite(file: string): Promise<'sound' | 'none' | 'busy'> {
  if ((sizeOf(file) ?? 0) === 0) return 'none'
  try {
    assertOpenToUs(file)
    const { found, applied } = read(file)
    if (found !== 'ok') throw problem('database_damaged', { file, cause: oneSentence(found) })
    await assertKnown(applied, 'sqlite')
    return 'sound'
  } catch (thrown) {
    if (thrown instanceof FerrymanError) throw thrown
    if (isBusy(thrown)) return 'busy'
    const cause = messageOf(thrown)
    if (isDamage(thrown)) throw problem('database_damaged', { file, cause }, thrown)
    throw problem('database_unusable', { database: file, cause }, thrown)
  }
}

/** SQLite names the schema in a line of its own first. */
const oneSentence = (found: string): string => found.replace(/^\*+ in database \w+ \*+\n/, '')

interface Seen {
  /** `ok`, or what is damaged. */
  readonly found: string
  readonly applied: readonly { readonly name: string }[]
}

const TRIES = 3

/**
 * Without a log of changes nobody has it open, and SQLite would make one to read it: then it is read as a file that
 * does not change. A server that starts meanwhile does change it, so what was found in such a file says nothing.
 */
function read(file: string): Seen {
  for (let tried = 1; tried < TRIES; tried += 1) {
    const before = stateOf(file)
    if (before.hasLog) break
    const seen = attempt(() => look(file, 'immutable'))
    if (isDeepStrictEqual(stateOf(file), before)) return seen()
  }
  return look(file, 'shared')
}

/** What it led to, to be told later. */
function attempt<T>(work: () => T): () => T {
  try {
    const result = work()
    return () => result
  } catch (thrown) {
    return () => {
      throw thrown
    }
  }
}

const stateOf = (file: string) => {
  const { ino, size, mtimeNs } = statSync(file, { bigint: true })
  return { ino, size, mtimeNs, hasLog: sizeOf(`${file}-wal`) !== undefined }
}

function look(file: string, as: 'immutable' | 'shared'): Seen {
  const address = pathToFileURL(file)
  if (as === 'immutable') address.searchParams.set('immutable', '1')
  const database = new DatabaseSync(address, { readOnly: true, timeout: PATIENCE_MS })
  try {
    const [row] = database.prepare('pragma quick_check(1)').all()
    // A start that was killed leaves a file without a table.
    const isBegun = database.prepare("select 1 from sqlite_schema where name = 'kysely_migration'").get()
    const applied = (isBegun ? database.prepare(APPLIED).all() : []) as { name: string }[]
    return { found: String(row?.['quick_check']), applied }
  } finally {
    database.close()
  }
}

const sizeOf = (file: string): number | undefined => statSync(file, { throwIfNoEntry: false })?.size
