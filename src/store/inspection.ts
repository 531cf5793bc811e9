import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'

import { FerrymanError, messageOf, problem } from '../errors.ts'
import { APPLIED, assertKnown, isBusy } from './database.ts'
import { isDamage } from './sqlite.ts'

const PATIENCE_MS = 2_000

/**
 * Reads the whole database and changes nothing, also beside a server that uses it; answers what it is. Throws
 * `database_damaged`, `database_newer` and `database_unusable`.
 */
export async function inspectSqlite(file: string): Promise<'sound' | 'none' | 'busy'> {
  if ((sizeOf(file) ?? 0) === 0) return 'none'
  try {
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

function read(file: string): { found: string; applied: { name: string }[] } {
  const address = pathToFileURL(file)
  // Without a log of changes nobody has it open, and SQLite would make one to read it.
  if (sizeOf(`${file}-wal`) === undefined) address.searchParams.set('immutable', '1')
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
