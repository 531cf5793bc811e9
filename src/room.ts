import { statfs } from 'node:fs/promises'

import { messageOf } from './errors.ts'
import type { Journal } from './logs/journal.ts'

export interface RoomParts {
  /** Where we write; those that are not there yet count for nothing. */
  readonly folders: readonly string[]
  readonly journal: Journal
  /** There is room again. */
  made(): void
}

export interface Room {
  /** Whether the disk had room for no more than the next few writes when it was looked at last. */
  readonly isFull: boolean
  /** Looks now. */
  look(): Promise<void>
  stop(): void
}

/** One delivery of the largest size fits, and what runs can tell of its end. */
export const LEAST_MEGABYTES = 32
const MEGABYTE = 1_048_576
const LOOK_AGAIN_MS = 2_000

/** Watches how full the disks are; what changes is told to the log. */
export function watchRoom({ folders, journal, made }: RoomParts): Room {
  let isFull = false
  const look = async (): Promise<void> => {
    const left = await Promise.all(folders.map(megabytesIn))
    const least = Math.min(...left)
    const wasFull = isFull
    isFull = least < LEAST_MEGABYTES
    if (isFull && !wasFull)
      journal.error('disk:full', {
        folder: folders[left.indexOf(least)],
        megabytes: Math.floor(least),
        hint: `Nothing is begun until ${LEAST_MEGABYTES} MB are free.`,
      })
    if (wasFull && !isFull) {
      journal.info('disk:has-room', { megabytes: Math.floor(least) })
      made()
    }
  }
  const lookOrSay = (): Promise<void> =>
    look().catch((cause: unknown) => journal.warn('disk:unknown', { error: messageOf(cause) }))
  const timer = setInterval(() => void lookOrSay(), LOOK_AGAIN_MS)
  return {
    get isFull() {
      return isFull
    },
    look: lookOrSay,
    stop: () => clearInterval(timer),
  }
}

/** How many megabytes are free for us where the folder lies; without end where nobody can say. */
export async function megabytesIn(folder: string): Promise<number> {
  try {
    const { bsize, blocks, bavail, bfree } = await statfs(folder)
    // Some network file systems know no sizes. Root may use what is kept for root.
    return blocks === 0 ? Infinity : (bsize * (process.getuid?.() === 0 ? bfree : bavail)) / MEGABYTE
  } catch (cause) {
    if (cause instanceof Error && Reflect.get(cause, 'code') === 'ENOENT') return Infinity
    throw cause
  }
}
