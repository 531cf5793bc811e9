import { readdirSync, statSync } from 'node:fs'

import { problem } from '../errors.ts'

/**
 * Throws `database_missing` where there are logs of deployments and no database that knows them: a new one would
 * give their numbers to others, and nobody would notice what is lost.
 */
export function assertNotLost(file: string, logsDirectory: string): void {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0) return
  if (hasLogs(logsDirectory)) throw problem('database_missing', { file, directory: logsDirectory })
}

function hasLogs(directory: string): boolean {
  try {
    return readdirSync(directory).some((name) => /^\d+$/.test(name)) // and no lost+found
  } catch {
    return false // there is none, or what is wrong with it will be said when it is written
  }
}
