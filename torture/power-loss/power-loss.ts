import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Chance } from '../chance.ts'
import { changesIn, diskOf, putBack, type Disk } from './disk.ts'

/** The power of one machine. */
export interface Power {
  /**
   * The environment in which the next life of the server begins: everything that it changes on the disk is
   * written down. `cutAt`: it ends in front of its n-th change.
   */
  on(cutAt: number | undefined): Readonly<Record<string, string>>
  /** Leaves on the disk what a power loss would have left. Nothing may run any more. */
  cut(chance: Chance): void
}

/** Compiles shim.c into the folder; answers its path, or undefined where there is no gcc. */
export function compileShim(folder: string): string | undefined {
  const shim = join(folder, 'shim.so')
  const words = [
    '-O2',
    '-shared',
    '-fPIC',
    '-o',
    shim,
    join(import.meta.dirname, 'shim.c'),
    '-ldl',
    '-lpthread',
  ]
  const { error, status, stderr } = spawnSync('gcc', words, { encoding: 'utf8' })
  if (error !== undefined) return undefined
  if (status !== 0) throw new Error(`gcc could not compile shim.c:\n${stderr}`)
  return shim
}

/** A machine whose disk is the directory; the log and the boot id lie in the folder. */
export function powerOf(directory: string, { shim, folder }: { shim: string; folder: string }): Power {
  const [log, bootId] = [join(folder, 'disk.log'), join(folder, 'boot-id')]
  let disk: Disk | undefined
  const boot = (): void => writeFileSync(bootId, `${randomUUID()}\n`)
  boot()
  return {
    on(cutAt = 0) {
      rmSync(log, { force: true })
      disk = diskOf(directory)
      return {
        LD_PRELOAD: shim,
        TORTURE_DISK: directory,
        TORTURE_LOG: log,
        TORTURE_CUT: String(cutAt),
        TORTURE_BOOT_ID: bootId,
        UV_USE_IO_URING: '0',
      }
    },
    cut(chance) {
      disk?.replay(existsSync(log) ? changesIn(readFileSync(log)) : [])
      if (disk !== undefined) putBack(directory, disk.remains(chance))
      disk = undefined
      boot()
    },
  }
}
