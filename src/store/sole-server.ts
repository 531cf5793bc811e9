import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { messageOf, problem } from '../errors.ts'
import { isBusy } from './database.ts'

/**
 * Holds the data directory (0700, made where it is missing) for this process until the answer is called
 * or the process ends, however it ends: the kernel lets go of the lock. Throws `data_dir_locked` when
 * another server holds it and `data_dir_unusable` when it cannot be written.
 */
export function holdDataDirectory(directory: string): () => void {
  const file = openLockFile(directory)
  try {
    // SQLite's exclusive lock is a record lock of the kernel; Node itself offers none.
    file.exec('begin exclusive')
  } catch (cause) {
    file.close()
    if (isBusy(cause)) throw problem('data_dir_locked', { directory }, cause)
    throw problem('data_dir_unusable', { directory, cause: messageOf(cause) }, cause)
  }
  return () => file.close()
}

function openLockFile(directory: string): DatabaseSync {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    return new DatabaseSync(join(directory, 'server.lock'), { timeout: 0 })
  } catch (cause) {
    throw problem('data_dir_unusable', { directory, cause: messageOf(cause) }, cause)
  }
}
