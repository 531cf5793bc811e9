import { execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

import { onTestFinished } from 'vitest'

/** A file system of its own in memory, which can be full or read-only. */
export interface SmallDisk {
  readonly folder: string
  /** Leaves room for about so many bytes; none at all by default. There is never more on the way there. */
  fill(leaving?: number): void
  /** Makes all the room again. */
  empty(): void
  setReadOnly(isReadOnly: boolean): void
}

const PAGE = 4_096
const MEGABYTE = 1_048_576

interface Size {
  readonly megabytes?: number
  /** So many files and folders can be made, the first folder included. */
  readonly files?: number
}

/** Mounts a disk on the folder, which is made; it is gone after the test. Only root may; see `inject('mounts')`. */
export function mountSmallDisk(folder: string, { megabytes = 64, files }: Size = {}): SmallDisk {
  mkdirSync(folder, { recursive: true })
  execFileSync('mount', [
    '-t',
    'tmpfs',
    '-o',
    `size=${megabytes}m,mode=0700${files === undefined ? '' : `,nr_inodes=${files}`}`,
    'ferryman-test',
    folder,
  ])
  onTestFinished(() => void execFileSync('umount', ['--lazy', folder]))
  const ballast = join(folder, 'ballast')
  return {
    folder,
    fill(leaving = 0) {
      const { bavail, bsize } = statfsSync(folder)
      const missing = leaving - bavail * bsize
      if (missing > 0) return truncateSync(ballast, statSync(ballast).size - missing)
      const file = openSync(ballast, 'a')
      try {
        for (let left = bavail * bsize - leaving; left >= PAGE || leaving === 0;)
          left -= writeSync(file, Buffer.alloc(left >= MEGABYTE ? MEGABYTE : PAGE))
      } catch (cause) {
        if (!(cause instanceof Error && Reflect.get(cause, 'code') === 'ENOSPC')) throw cause
      } finally {
        closeSync(file)
      }
    },
    empty: () => rmSync(ballast, { force: true }),
    setReadOnly: (isReadOnly) =>
      void execFileSync('mount', ['-o', `remount,${isReadOnly ? 'ro' : 'rw'}`, folder]),
  }
}
