import { chmod, lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Removes a folder with everything in it, also where folders in it may not be written to, as Go leaves them. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true })
  } catch (thrown) {
    if (!['EACCES', 'EPERM', 'ENOTEMPTY'].includes((thrown as NodeJS.ErrnoException).code ?? '')) throw thrown
    await open(path)
    await rm(path, { recursive: true, force: true })
  }
}

/** What belongs to somebody else stays as it is; its removal says so. Links are not followed. */
async function open(path: string): Promise<void> {
  const isFolder = (await lstat(path)).isDirectory()
  if (!isFolder) return
  await chmod(path, 0o700).catch(() => {})
  const inside = await readdir(path, { withFileTypes: true }).catch(() => [])
  for (const one of inside) if (one.isDirectory()) await open(join(path, one.name))
}
