import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { FerrymanError, messageOf, problem } from '../errors.ts'
import { isBusy } from './database.ts'
import { assertWritable, makeDirectory, makePrivate } from './directory.ts'

const LOOK_EVERY_MS = 2_000

/**
 * Holds the data directory (0700, made where it is missing) for this process until the answer is called
 * or the process ends, however it ends: the kernel lets go of the lock. Throws `data_dir_locked` when
 * another server holds it and `data_dir_unusable` when it cannot be written. The lock is a file, which somebody may
 * delete: then it is made anew, and `onLost` is told when another server was faster.
 */
export function holdDataDirectory(directory: string, onLost: () => void = () => {}): () => void {
  const held = [lock(directory)]
  const timer = setInterval(() => {
    try {
      if (!isThere(directory, held.at(-1))) held.push(lock(directory))
    } catch (cause) {
      // Without the file nobody else can hold it either; it is tried again.
      if (cause instanceof FerrymanError && cause.code === 'data_dir_locked') {
        clearInterval(timer)
        onLost()
      }
    }
  }, LOOK_EVERY_MS)
  timer.unref()
  return () => {
    clearInterval(timer)
    for (const { file } of held) file.close()
  }
}

interface Lock {
  readonly file: DatabaseSync
  readonly inode: number
}

function lock(directory: string): Lock {
  const file = openLockFile(directory)
  try {
    // SQLite's exclusive lock is a record lock of the kernel; Node itself offers none.
    file.exec('begin exclusive')
    return { file, inode: statSync(pathIn(directory)).ino }
  } catch (cause) {
    file.close()
    if (isBusy(cause)) throw problem('data_dir_locked', { directory }, cause)
    throw problem('data_dir_unusable', { directory, cause: messageOf(cause) }, cause)
  }
}

const pathIn = (directory: string): string => join(directory, 'server.lock')

const isThere = (directory: string, held: Lock | undefined): boolean =>
  statSync(pathIn(directory), { throwIfNoEntry: false })?.ino === held?.inode

function openLockFile(directory: string): DatabaseSync {
  try {
    makeDirectory(directory)
    assertWritable(directory) // SQLite would only say that it cannot open something
    makePrivate(pathIn(directory)) // whoever can open it can lock it
    return new DatabaseSync(pathIn(directory), { timeout: 0 })
  } catch (cause) {
    throw problem('data_dir_unusable', { directory, cause: messageOf(cause) }, cause)
  }
}
