import { lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Releases } from './releases.ts'
import { copyFolder, flush, synchronise } from './synchronise.ts'
import { removeTree } from './workspace/remove.ts'

/** Where releases are, and what `current` is there. */
export type Place = Pick<Releases, 'path' | 'target'>

/** Which release `current` is made equal to, where it is a folder. */
const IN_FOLDER = '.current.json'
/** That it is being made equal to another one, and what is in it when that is taken back: what is found is neither. */
const UNDER_WAY = '.switching.json'

/** Where the current release is to be found, whichever it is. */
export const currentOf = ({ path }: Pick<Place, 'path'>): string => join(path, 'current')

/** With `target: directory`, what was in `current` before it was changed last. */
export const savedOf = ({ path }: Pick<Place, 'path'>): string => join(path, 'saved')

/** Which release the folder is; where it is neither one nor the other, which one it will be again. */
export async function releaseInFolder(place: Place): Promise<string | undefined> {
  const underWay = await readState(place, UNDER_WAY)
  const { release } = (underWay?.back === undefined ? undefined : { release: underWay.back }) ??
    (await readState(place, IN_FOLDER)) ?? { release: undefined }
  return release ?? undefined
}

/** Makes the folder equal to another one; what was there is saved first, and put back when that does not succeed. */
export async function switchFolder(place: Place, release: string, folder: string): Promise<void> {
  const current = currentOf(place)
  await endSwitching(place)
  const found = await lstat(current).catch(ifMissing)
  if (found?.isSymbolicLink() === true) {
    await replaceLink(place, folder)
    return writeNote(join(place.path, IN_FOLDER), { release })
  }
  if (found === undefined) await mkdir(current)
  await copyFolder(current, savedOf(place))
  const back = (await releaseInFolder(place)) ?? null
  await writeNote(join(place.path, UNDER_WAY), { release, back })
  try {
    await synchronise(folder, current)
    await flush(current)
  } catch (thrown) {
    await endSwitching(place)
    throw thrown
  }
  await rename(join(place.path, UNDER_WAY), join(place.path, IN_FOLDER))
}

/** No rename puts a folder in the place of a link: for a moment neither is there. */
async function replaceLink(place: Place, folder: string): Promise<void> {
  const current = currentOf(place)
  const beside = `${current}.new`
  await removeTree(savedOf(place)) // of a folder that was there once
  await copyFolder(folder, beside)
  await rm(current)
  await rename(beside, current)
}

/** Makes the folder equal to what is saved, which is that release, or none of ours. A crash meanwhile is mended like one of a switch. */
export async function putBackSaved(place: Place, release: string | undefined): Promise<void> {
  await writeNote(join(place.path, UNDER_WAY), { release: release ?? '', back: release ?? null })
  await endSwitching(place)
}

/**
 * Puts back what was in the folder before, where it was left between two releases: by a full disk, or by a crash. Answers
 * whether it was.
 */
export async function endSwitching(place: Place): Promise<boolean> {
  const underWay = await readState(place, UNDER_WAY)
  if (underWay === undefined) return false
  // Where somebody has removed what was saved, or put something else there, that is theirs.
  const isLink = (await lstat(currentOf(place)).catch(ifMissing))?.isSymbolicLink() === true
  if (!isLink && (await exists(savedOf(place)))) await synchronise(savedOf(place), currentOf(place))
  if (underWay.back === null) await rm(join(place.path, IN_FOLDER), { force: true })
  else if (underWay.back !== undefined)
    await writeNote(join(place.path, IN_FOLDER), { release: underWay.back })
  await rm(join(place.path, UNDER_WAY), { force: true })
  return true
}

/** Forgets what was noted of the folder, where it is none any more. */
export async function forgetFolder({ path }: Place): Promise<void> {
  for (const note of [IN_FOLDER, UNDER_WAY]) await rm(join(path, note), { force: true })
}

interface State {
  readonly release: string
  /** Null: nothing of ours; undefined: as the other note says. */
  readonly back: string | null | undefined
}

async function readState({ path }: Place, name: string): Promise<State | undefined> {
  try {
    const { release, back } = JSON.parse(await readFile(join(path, name), 'utf8')) as Partial<State>
    return typeof release === 'string' ? { release, back } : undefined
  } catch {
    return undefined // it is not there: notes are written beside their place first
  }
}

/** Writes a note beside its place first: whoever finds it finds all of it. */
export async function writeNote(file: string, content: object): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(content), { mode: 0o644, flush: true })
  await rename(`${file}.new`, file)
}

/** Whether there is anything, be it a link that leads nowhere. */
export const exists = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(ifMissing)) !== undefined

/** What is not there is undefined; all other trouble goes on. */
export function ifMissing(thrown: unknown): undefined {
  if (Reflect.get(Object(thrown), 'code') !== 'ENOENT') throw thrown
}
