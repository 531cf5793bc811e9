import { constants } from 'node:fs'
import { open, statfs } from 'node:fs/promises'

import { messageOf } from './errors.ts'
import type { Journal } from './logs/journal.ts'
import { OPEN_PROBE, probeIn } from './store/directory.ts'

export interface RoomParts {
  /** Where we write; those that are not there yet count for nothing. */
  readonly folders: readonly string[]
  readonly journal: Journal
  /** The disks take what we write again. */
  made(): void
}

/** What a disk may lack: room for more than the next few writes, or the leave to write at all. */
export const LACKS = { disk_full: 'the disk is full', disk_unwritable: 'the disk cannot be written' } as const
type Lack = keyof typeof LACKS

export interface Room {
  /** Why nothing is to be begun, when it was looked last. */
  readonly lack: Lack | undefined
  /** Looks now. */
  look(): Promise<void>
  stop(): void
}

/** One delivery of the largest size fits, and what runs can tell of its end. */
const LEAST_MEGABYTES = 32
/** A deployment makes a few: its log, what its commands get, those of the database. */
const LEAST_FILES = 100
/** What has to be free, in words. */
export const LEAST = `${LEAST_MEGABYTES} MB and ${LEAST_FILES} files`
const MEGABYTE = 1_048_576
const LOOK_AGAIN_MS = 2_000

/** Watches whether the disks have room and may be written; what changes is told to the log. */
export function watchRoom({ folders, journal, made }: RoomParts): Room {
  let lack: Lack | undefined
  const look = async (): Promise<void> => {
    const before = lack
    const found = await lookAt(folders)
    lack = found.lack
    if (lack === before) return
    if (found.lack === 'disk_full')
      journal.error('disk:full', {
        folder: found.folder,
        ...freeIn(found),
        hint: `Nothing is begun until ${LEAST} are free.`,
      })
    else if (found.lack === 'disk_unwritable')
      journal.error('disk:unwritable', {
        folder: found.folder,
        error: found.cause,
        hint: 'Nothing is begun until it can be written.',
      })
    else {
      journal.info(before === 'disk_full' ? 'disk:has-room' : 'disk:writable', freeIn(found))
      made()
    }
  }
  const lookOrSay = (): Promise<void> =>
    look().catch((cause: unknown) => journal.warn('disk:unknown', { error: messageOf(cause) }))
  const timer = setInterval(() => void lookOrSay(), LOOK_AGAIN_MS)
  return {
    get lack() {
      return lack
    },
    look: lookOrSay,
    stop: () => clearInterval(timer),
  }
}

type Found =
  | { readonly lack: 'disk_unwritable'; readonly folder: string; readonly cause: string }
  | ({ readonly lack: 'disk_full' | undefined } & Free)

/** What is free for us where a folder lies; without end where nobody can say. */
export interface Free {
  readonly folder: string
  readonly megabytes: number
  /** So many files can still be made; some file systems have a number of them that never grows. */
  readonly files: number
}

/** The worst that is to be found in one of them. */
async function lookAt(folders: readonly string[]): Promise<Found> {
  for (const folder of folders) {
    const cause = await whyUnwritable(folder, 'make')
    if (cause !== undefined) return { lack: 'disk_unwritable', folder, cause }
  }
  const left = await Promise.all(folders.map(freeAt))
  const full = left.find(isFull)
  const least = left.reduce((one, other) => (other.megabytes < one.megabytes ? other : one), NOWHERE)
  return { lack: full === undefined ? undefined : 'disk_full', ...(full ?? least) }
}

const NOWHERE: Free = { folder: '', megabytes: Infinity, files: Infinity }

/** Whether it is too little to begin anything. */
export const isFull = ({ megabytes, files }: Free): boolean =>
  megabytes < LEAST_MEGABYTES || files < LEAST_FILES

const freeIn = ({ megabytes, files }: Free) => ({
  megabytes: Math.floor(megabytes),
  ...(files < LEAST_FILES ? { files } : {}),
})

/** What is free for us where the folder lies. */
export async function freeAt(folder: string): Promise<Free> {
  try {
    const { bsize, blocks, bavail, bfree, files, ffree } = await statfs(folder)
    return {
      folder,
      // Some network file systems know no sizes. Root may use what is kept for root.
      megabytes: blocks === 0 ? Infinity : (bsize * (process.getuid?.() === 0 ? bfree : bavail)) / MEGABYTE,
      files: files === 0 ? Infinity : ffree, // and others make room for files as they come
    }
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return { ...NOWHERE, folder }
    throw cause
  }
}

/** The folder is not there yet, the disk is full, which is looked at by itself, or it is not the disk that refuses. */
const SAYS_NOTHING = ['ENOENT', 'ENOSPC', 'EMFILE', 'ENFILE']

/** Why nothing can be written where the folder lies, or undefined. `look` makes no file to see that. */
export async function whyUnwritable(folder: string, as: 'make' | 'look'): Promise<string | undefined> {
  const flags = as === 'make' ? OPEN_PROBE : constants.O_WRONLY
  try {
    const file = await open(probeIn(folder), flags, 0o600)
    await file.close()
    return undefined
  } catch (cause) {
    return SAYS_NOTHING.includes(codeOf(cause) ?? '') ? undefined : messageOf(cause)
  }
}

const codeOf = (thrown: unknown): string | undefined => (thrown as NodeJS.ErrnoException).code
