import { constants } from 'node:fs'
import { access, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

import type { Listing } from './steps.ts'

/** What is in these folders, links followed; hidden files are left out, and older states of executables as well. */
export async function listFolders(folders: readonly string[]): Promise<ReadonlyMap<string, Listing>> {
  const listed = await Promise.all(folders.map(async (folder) => [folder, await list(folder)] as const))
  return new Map(listed)
}

async function list(folder: string): Promise<Listing> {
  let names: readonly string[]
  try {
    names = await readdir(folder)
  } catch (thrown) {
    return { why: whyNot(folder, (thrown as NodeJS.ErrnoException).code) }
  }
  const files: string[] = []
  const executables: string[] = []
  for (const name of names.filter((one) => !one.startsWith('.')).toSorted(byBytes)) {
    const found = await stat(join(folder, name)).catch(() => undefined)
    if (found?.isFile() !== true) continue
    files.push(name)
    if (!LEFT_OVER.test(name) && (await mayExecute(join(folder, name)))) executables.push(name)
  }
  return { files, executables }
}

function whyNot(folder: string, code: string | undefined): string {
  if (code === 'ENOENT') return `The folder ${folder} does not exist.`
  if (code === 'ENOTDIR') return `${folder} is not a folder.`
  return `The folder ${folder} cannot be listed by this user (${code ?? 'unknown'}).`
}

/** What editors, patch and package managers leave beside a file: an older state of it, as executable as the newer one. */
const LEFT_OVER = /~$|^#.*#$|\.(?:bak|orig|rej|rpm(?:save|new|orig)|(?:dpkg|ucf)-\w+)$/

const mayExecute = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  )

/** The same order on every machine, whatever its language. */
const byBytes = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other))
