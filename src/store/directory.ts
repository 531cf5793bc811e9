import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

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
