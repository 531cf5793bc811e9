import { randomBytes } from 'node:crypto'
import {
  chmod,
  copyFile,
  cp,
  lchown,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  type FileHandle,
} from 'node:fs/promises'
import { constants, type Stats } from 'node:fs'
import { dirname, join } from 'node:path'

import { removeTree } from './workspace/remove.ts'

/**
 * Makes a folder equal to another one: every file and link is replaced by rename, so that whoever reads it sees the old
 * one or the new one; what is equal is not touched; what is not in the other folder goes at last. Times and owners do not
 * count, but what is new has the owner that it has there, where this user may say so. Of pipes and sockets nothing is taken over.
 */
export async function synchronise(from: string, to: string): Promise<void> {
  const isNew = (await mkdir(to, { recursive: true })) !== undefined
  const wanted = await readdir(from)
  for (const name of wanted) await bring(join(from, name), join(to, name))
  const others = (await readdir(to)).filter((name) => !wanted.includes(name))
  for (const name of others) await removeTree(join(to, name))
  if (isNew) await keepOwner(to, await lstat(from))
}

async function bring(from: string, to: string): Promise<void> {
  const source = await lstat(from)
  const there = await lstat(to).catch(() => undefined)
  if (source.isDirectory()) {
    if (there !== undefined && !there.isDirectory()) await rm(to)
    else if (there !== undefined && (there.mode & 0o700) !== 0o700)
      await chmod(to, (there.mode & 0o7777) | 0o700)
    await synchronise(from, to)
    return chmod(to, source.mode & 0o7777)
  }
  const isKnown = source.isFile() || source.isSymbolicLink()
  if (!isKnown || (there !== undefined && (await areEqual({ from, source }, { to, there })))) return
  if (there?.isDirectory() === true) await removeTree(to)
  // Not beside its name, which may be as long as names can be.
  const beside = join(dirname(to), `.${randomBytes(6).toString('hex')}.new`)
  if (source.isSymbolicLink()) await symlink(await readlink(from), beside)
  else await copyFile(from, beside, constants.COPYFILE_FICLONE)
  await keepOwner(beside, source)
  if (source.isFile()) await chmod(beside, source.mode & 0o7777) // to give it away takes special modes from it
  await rename(beside, to)
}

/** Root alone may give something away, and not on every disk: where it stays ours, that is as good as it gets. */
async function keepOwner(path: string, { uid, gid }: Pick<Stats, 'uid' | 'gid'>): Promise<void> {
  if (isRoot()) await lchown(path, uid, gid).catch(() => {})
}

const isRoot = (): boolean => process.geteuid?.() === 0

async function areEqual(
  { from, source }: { readonly from: string; readonly source: Stats },
  { to, there }: { readonly to: string; readonly there: Stats },
): Promise<boolean> {
  if (source.isSymbolicLink() || there.isSymbolicLink())
    return (
      source.isSymbolicLink() && there.isSymbolicLink() && (await readlink(from)) === (await readlink(to))
    )
  if (!there.isFile() || source.size !== there.size || source.mode !== there.mode) return false
  const files = [await open(from), await open(to).catch(() => undefined)] as const
  const [one, other] = files
  try {
    return other !== undefined && (await haveSameContent(one, other))
  } finally {
    await one.close()
    await other?.close()
  }
}

const PIECE = 262_144

async function haveSameContent(one: FileHandle, other: FileHandle): Promise<boolean> {
  const [ours, theirs] = [Buffer.alloc(PIECE), Buffer.alloc(PIECE)]
  for (let at = 0; ; at += PIECE) {
    const read = await one.read(ours, 0, PIECE, at)
    const compared = await other.read(theirs, 0, PIECE, at)
    if (read.bytesRead !== compared.bytesRead) return false
    if (!ours.subarray(0, read.bytesRead).equals(theirs.subarray(0, read.bytesRead))) return false
    if (read.bytesRead < PIECE) return true
  }
}

/** A copy of a folder as it is, in place of the one before: whole, or not there. Pipes and sockets are left out. */
export async function copyFolder(from: string, to: string): Promise<void> {
  const beside = `${to}.new`
  await removeTree(beside)
  try {
    await copyTo(from, beside)
  } catch (thrown) {
    await removeTree(beside).catch(() => {}) // it may be what fills the disk
    throw thrown
  }
  await removeTree(to)
  await rename(beside, to)
}

async function copyTo(from: string, to: string): Promise<void> {
  await cp(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    preserveTimestamps: true,
    mode: constants.COPYFILE_FICLONE,
    async filter(path) {
      const found = await lstat(path)
      return found.isDirectory() || found.isFile() || found.isSymbolicLink()
    },
  })
  if (isRoot()) await keepOwners(from, to)
}

/** What is inside first: whoever has got a folder could put links in the way. */
async function keepOwners(from: string, to: string): Promise<void> {
  const source = await lstat(from).catch(() => undefined) // whose folder it is may have removed it meanwhile
  if (source === undefined) return
  const copy = await lstat(to)
  const inside = copy.isDirectory() ? await readdir(to) : []
  for (const name of inside) await keepOwners(join(from, name), join(to, name))
  if (copy.uid === source.uid && copy.gid === source.gid) return
  await keepOwner(to, source)
  if (!copy.isSymbolicLink()) await chmod(to, source.mode & 0o7777)
}

/** Everything written there so far is on the disk, as far as the system can say: power may fail from here on. */
export async function flush(folder: string): Promise<void> {
  const { execa } = await import('execa')
  // One call for the whole disk, where a call for each file would take minutes.
  await execa('sync', ['-f', folder], { reject: false, timeout: 120_000, stdio: 'ignore' })
}
