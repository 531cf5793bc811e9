import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { onTestFinished } from 'vitest'

import { temporaryFolder } from './running.ts'

/** A real disk with ext4, which may break. Only root may make one, where there are loop devices; see `inject('images')`. */
export interface BreakingDisk {
  /** The kernel has found an error, and lets the disk be read only, whoever has files open on it. */
  breaks(): void
  /** It is checked, and mounted anew. Nobody may use it. */
  mend(): void
}

const run = (program: string, ...words: string[]): void =>
  void execFileSync(program, words, { stdio: ['ignore', 'ignore', 'pipe'] })

/** Mounts such a disk on the folder, which is made; it is gone after the test. */
export function mountBreakingDisk(folder: string): BreakingDisk {
  const image = join(temporaryFolder(), 'disk')
  mkdirSync(folder, { recursive: true })
  writeFileSync(image, '')
  truncateSync(image, 128 * 1_048_576)
  run('mkfs.ext4', '-q', image)
  const mount = (): void => run('mount', '-o', 'loop', image, folder)
  mount()
  chmodSync(folder, 0o700)
  onTestFinished(() => run('umount', '--lazy', folder))
  return {
    breaks: () => run('mount', '-o', 'remount,abort', folder),
    mend() {
      run('umount', folder)
      try {
        run('e2fsck', '-f', '-y', image)
      } catch (thrown) {
        if (Reflect.get(Object(thrown), 'status') !== 1) throw thrown // 1: errors were mended
      }
      mount()
    },
  }
}
