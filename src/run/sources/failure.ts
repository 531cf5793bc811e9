import { messageOf } from '../../errors.ts'

/** Why no release came of a source, or why it could not be put in place. Nothing that is in use was changed. */
export class ReleaseFailure extends Error {
  readonly reason: 'source_unavailable' | 'source_refused' | 'release_failed'

  constructor(reason: ReleaseFailure['reason'], detail: string, cause?: unknown) {
    super(detail, { cause })
    this.reason = reason
  }
}

/** What the system said about a disk, in words; undefined for what is no word of the system. */
export function diskTrouble(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('syscall' in thrown) || !('code' in thrown)) return undefined
  const path: unknown = Reflect.get(thrown, 'path')
  if (NO_RIGHT.has(thrown.code) && typeof path === 'string') return `this user has no right to ${path}`
  return DISK[String(thrown.code)] ?? messageOf(thrown)
}

const NO_RIGHT: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM'])

const DISK: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of this user is used up',
  EROFS: 'the disk cannot be written',
  EIO: 'the disk is broken',
}

/** Says of trouble with the disk where it was; passes on what is none. */
export function sayDisk(thrown: unknown, where: string): never {
  const trouble = thrown instanceof ReleaseFailure ? undefined : diskTrouble(thrown)
  if (trouble === undefined) throw thrown
  throw new ReleaseFailure('release_failed', `Nothing can be written to ${where}: ${trouble}.`, thrown)
}
