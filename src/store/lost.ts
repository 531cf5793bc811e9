import { readdirSync, statSync } from 'node:fs'

import { messageOf, problem } from '../errors.ts'

/**
 * Throws `database_missing` where there are logs of deployments and no database that knows them: a new one would
 * give their numbers to others, and nobody would notice what is lost. Throws `database_unusable` where it cannot be
 * looked for, as in a folder that is closed to this user.
 */
export function assertNotLost(file: string, logsDirectory: string): void {
  if (sizeOf(file) === 0) assertNoLogs(file, logsDirectory)
}

/** The same of a database in which there is nothing. */
export function assertNoLogs(database: string, directory: string): void {
  if (hasLogs(directory)) throw problem('database_missing', { file: database, directory })
}

function sizeOf(file: string): number {
  try {
    return statSync(file, { throwIfNoEntry: false })?.size ?? 0
  } catch (cause) {
    throw problem('database_unusable', { database: file, cause: messageOf(cause) }, cause)
  }
}

function hasLogs(directory: string): boolean {
  try {
    return readdirSync(directory).some((name) => /^\d+$/.test(name)) // and no lost+found
  } catch {
    return false // there is none, or what is wrong with it will be said when it is written
  }
}
