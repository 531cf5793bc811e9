import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  statSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/**
 * Makes a directory (0700) and what is missing above it, so that it is still there after a power loss: what is
 * synced in it later does not keep its own name.
 */
export function makeDirectory(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 })
  const highest = resolve(first ?? path)
  for (
    let made = resolve(path);
    made.length >= highest.length && made !== dirname(made);
    made = dirname(made)
  )
    sync(dirname(made)) // also where it was there: who made it may have been killed before this
}

/**
 * An empty file in a directory of ours. To open it for writing shows whether the disk may be written: one that became
 * read-only after an error says so then, and not to access(2).
 */
export const probeIn = (directory: string): string => join(directory, '.writable')
export const OPEN_PROBE = constants.O_WRONLY | constants.O_CREAT

/** Throws what the system says where nothing can be written in the directory. */
export function assertWritable(directory: string): void {
  accessSync(directory, constants.W_OK) // says it of the directory itself, where it can be said
  makePrivate(probeIn(directory))
  closeSync(openSync(probeIn(directory), OPEN_PROBE))
}

/** What SQLite keeps beside a database; what it makes anew has the rights of the database. */
const PARTS = ['', '-wal', '-shm', '-journal']

/** Sees to it that a database of SQLite is for this user alone, in whatever folder it stands; made where it is missing. */
export function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'ax', 0o600))
  } catch (cause) {
    if (!(cause instanceof Error) || Reflect.get(cause, 'code') !== 'EEXIST') throw cause
    // By its name: to close a file would let go of the locks that this process holds on it.
    for (const part of PARTS) closeToOthers(`${path}${part}`)
  }
}

/** Throws what the system says where it, or what is beside it, is somebody else's, as root's, and closed to this user. */
export function assertOpenToUs(path: string): void {
  for (const part of PARTS) {
    const owner = statSync(`${path}${part}`, { throwIfNoEntry: false })?.uid
    if (owner !== undefined && owner !== process.geteuid?.())
      accessSync(`${path}${part}`, constants.R_OK | constants.W_OK)
  }
}

function closeToOthers(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined || found.uid !== process.geteuid?.()) return
  if ((found.mode & 0o077) !== 0) chmodSync(path, 0o600)
}

function sync(directory: string): void {
  try {
    const file = openSync(directory, 'r')
    try {
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  } catch {
    // It may not be ours to read, and some file systems refuse this; then they keep names by themselves, or nobody can.
  }
}
