import { join } from 'node:path'

import type { Config } from '../config/config.ts'
import { FerrymanError } from '../errors.ts'
import { reachPostgres } from '../store/database.ts'
import { inspectSqlite } from '../store/inspection.ts'
import { assertNoLogs, assertNotLost } from '../store/lost.ts'
import { doubtful, fine, wrong, type Finding } from './findings.ts'

/** Whether a server could use the database as it is. Changes nothing, also while a server uses it. */
export async function checkDatabase({
  database,
  dataDir,
}: Pick<Config, 'database' | 'dataDir'>): Promise<Finding> {
  try {
    const logs = join(dataDir, 'logs')
    if (database === undefined) return await checkFile(dataDir, logs)
    const version = await reachPostgres(database, (empty) => assertNoLogs(empty, logs))
    return fine(`database: PostgreSQL ${version} answers`)
  } catch (thrown) {
    if (!(thrown instanceof FerrymanError)) throw thrown
    return wrong(`database: ${thrown.message}`, thrown.hint)
  }
}

async function checkFile(dataDir: string, logs: string): Promise<Finding> {
  const file = join(dataDir, 'ferryman.sqlite')
  assertNotLost(file, logs)
  const is = await inspectSqlite(file)
  if (is === 'busy')
    return doubtful(`database ${file}: another process holds it just now`, 'Try again in a moment.')
  return fine(`database ${file}${is === 'none' ? ' (will be made)' : ''}`)
}
