import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { compileShim } from '../../torture/power-loss/power-loss.ts'
import { temporaryFolder } from './running.ts'

/**
 * A disk that can become read-only under a process that has files open on it, which the kernel does when it finds an
 * error, and refuses to do for us. Only with a C compiler; see `inject('gcc')`.
 */
export interface ReadOnlyDisk {
  /** For the process that is to see it so. */
  readonly environment: Readonly<Record<string, string>>
  setReadOnly(isReadOnly: boolean): void
}

/** Everything below the folder, for processes with that environment. */
export function diskThatMayBeReadOnly(folder: string): ReadOnlyDisk {
  const ours = temporaryFolder()
  const flag = join(ours, 'read-only')
  return {
    environment: {
      LD_PRELOAD: compileShim(ours) ?? '',
      TORTURE_DISK: folder,
      TORTURE_READ_ONLY: flag,
      UV_USE_IO_URING: '0',
    },
    setReadOnly: (isReadOnly) => (isReadOnly ? writeFileSync(flag, '') : rmSync(flag, { force: true })),
  }
}
