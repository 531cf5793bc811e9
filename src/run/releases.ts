import { randomBytes } from 'node:crypto'
import {
  cp,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'

import { ReleaseFailure, sayDisk } from './sources/failure.ts'
import { copyFolder, flush, synchronise } from './synchronise.ts'
import { removeTree } from './workspace/remove.ts'

/**
 * A folder of releases:
 *
 *     releases/11  releases/12     one deployed version each
 *     current -> releases/12       switched by rename: there is always one, and it is whole
 *     shared/.env                  what all of them have in common, linked into each
 *     releases/.12.json            written when 12 has succeeded: only then it is good
 *
 * With `target: directory` current is a folder, which .current.json says the release of, and saved/ is what was in it.
 *
 * A release without that note that is not current was never finished, and is removed when the next one begins. So a
 * crash at any moment leaves what was current before, or what was to become it, and nothing in between.
 */
export interface Releases {
  /** Absolute. */
  readonly path: string
  /** How many good ones are kept. */
  readonly keep: number
  /** What is linked in from `shared`; a folder ends with `/`, and is made where it is missing. */
  readonly shared: readonly string[]
  /** What `current` is: a link, or for what cannot follow one a folder that is made equal to the release. */
  readonly target: 'link' | 'directory'
}

/** What is known of a release that has succeeded. */
export interface Good {
  readonly release: string
  readonly sha: string
  /** Of the source, where it has one. */
  readonly version: string | undefined
  /** Milliseconds since 1970. */
  readonly at: number
}

const RELEASES = 'releases'
const CURRENT = 'current'
const SHARED = 'shared'
const SAVED = 'saved'
const NOTE = /^\.(.+)\.json$/

/** Which release `current` is made equal to, where it is a folder. */
const IN_FOLDER = '.current.json'
/** That it is being made equal to another one: what is found then is neither. */
const UNDER_WAY = '.switching.json'

type Place = Pick<Releases, 'path' | 'target'>

/** Where a release lies. */
export const folderOf = ({ path }: Pick<Place, 'path'>, release: string): string =>
  join(path, RELEASES, release)

/** Where the current release is to be found, whichever it is. */
export const currentOf = ({ path }: Pick<Place, 'path'>): string => join(path, CURRENT)

/** With `target: directory`, what was in `current` before it was changed last. */
export const savedOf = ({ path }: Pick<Place, 'path'>): string => join(path, SAVED)

/** The release that is current; undefined where none is. Throws where `current` is not what it should be. */
export async function currentRelease(releases: Place): Promise<string | undefined> {
  const current = currentOf(releases)
  const found = await lstat(current).catch(ifMissing)
  if (found === undefined) return undefined
  if (found.isSymbolicLink()) return nameBehind(releases, await readlink(current))
  if (releases.target === 'directory' && found.isDirectory())
    return (await readState(releases, IN_FOLDER))?.release
  throw failed(
    releases.target === 'directory'
      ? `${current} is no folder: move it away, so that one can be made`
      : `${current} is no link: move it away, so that it can become one, or deploy with \`target: directory\``,
  )
}

/** Somebody's own link may lead anywhere: it is replaced, and what it leads to is left alone. */
function nameBehind({ path }: Place, target: string): string | undefined {
  const name = relative(join(path, RELEASES), resolve(path, target))
  return name === '' || name.startsWith('..') || name.includes('/') ? undefined : name
}

/** The good ones, newest first. */
export async function goodReleases(releases: Pick<Place, 'path'>): Promise<readonly Good[]> {
  const names = await readdir(join(releases.path, RELEASES)).catch(ifMissing)
  const found = await Promise.all(
    (names ?? []).map(async (name) => {
      const release = NOTE.exec(name)?.[1]
      if (release === undefined || names?.includes(release) !== true) return undefined
      return readNote(join(releases.path, RELEASES, name), release)
    }),
  )
  return found.filter((one) => one !== undefined).toSorted((one, other) => other.at - one.at)
}

async function readNote(file: string, release: string): Promise<Good | undefined> {
  try {
    const { sha, version, at } = JSON.parse(await readFile(file, 'utf8')) as Partial<Good>
    return typeof at === 'number' && typeof sha === 'string' ? { release, sha, version, at } : undefined
  } catch {
    return undefined // broken off, or not ours: then it is not good
  }
}

/**
 * The name of a release to begin: its number, and a little more where a release of that number is good or current
 * already. Changes nothing.
 */
export async function nameRelease(releases: Place, number: number): Promise<string> {
  const taken = await finished(releases)
  let release = String(number)
  for (let again = 2; taken.has(release); again += 1) release = `${number}.${again}`
  return release
}

/** Makes an empty folder for a release, and removes what was never finished; answers that folder. */
export function beginRelease(releases: Releases, release: string): Promise<string> {
  return onDisk(releases.path, async () => {
    await endSwitching(releases)
    await removeUnfinished(releases)
    const folder = folderOf(releases, release)
    await mkdir(folder)
    return folder
  })
}

/** Notes that the folder of a release is complete as it was fetched, for a deployment that may have to wait yet. */
export function noteFetched(releases: Place, release: string, fetched: Fetched): Promise<void> {
  return onDisk(releases.path, () => writeNote(join(releases.path, RELEASES, fetchedNote(release)), fetched))
}

/** What was noted when the release was fetched; undefined where it was not, or is not there any more. */
export async function fetchedBefore(releases: Place, release: string): Promise<Fetched | undefined> {
  const folder = join(releases.path, RELEASES)
  try {
    await lstat(join(folder, release))
    return JSON.parse(await readFile(join(folder, fetchedNote(release)), 'utf8')) as Fetched
  } catch {
    return undefined
  }
}

export interface Fetched {
  /** The id of the deployment. */
  readonly by: number
  readonly version?: string | undefined
}

const fetchedNote = (release: string): string => `.${release}.fetched`

async function finished(releases: Place): Promise<ReadonlySet<string>> {
  const names = new Set((await goodReleases(releases)).map(({ release }) => release))
  const current = await currentRelease(releases)
  return current === undefined ? names : names.add(current)
}

/** Removes what no deployment has finished: nothing that is current or good. */
async function removeUnfinished(releases: Place): Promise<void> {
  const folder = join(releases.path, RELEASES)
  await mkdir(folder, { recursive: true })
  const kept = await finished(releases)
  const names = await readdir(folder)
  const isOver = (name: string): boolean => !kept.has(NOTE.exec(name)?.[1] ?? name)
  for (const name of names.filter(isOver)) await removeTree(join(folder, name))
  const links = (await readdir(releases.path)).filter((name) => TEMPORARY.test(name))
  for (const link of links) await rm(join(releases.path, link), { force: true })
}

const TEMPORARY = /^\.current\.[0-9a-f]{12}$/

/** Links everything shared into the release, in place of what it brings of the same name. */
export function linkShared(releases: Releases, release: string): Promise<void> {
  return onDisk(releases.path, async () => {
    const folder = folderOf(releases, release)
    for (const entry of releases.shared) await linkOne(releases, folder, entry)
  })
}

async function linkOne({ path, target }: Releases, folder: string, entry: string): Promise<void> {
  const name = entry.replace(/\/+$/, '')
  const shared = join(path, SHARED, name)
  const inside = join(folder, name)
  await makeParent(folder, inside)
  if ((await lstat(shared).catch(ifMissing)) === undefined) await begin(shared, inside, entry)
  await rm(inside, { recursive: true, force: true })
  // A relative one would lead elsewhere from a copy.
  await symlink(target === 'directory' ? shared : relative(dirname(inside), shared), inside)
}

/** A release may bring links of its own: nothing is made behind one that leads out of it. */
async function makeParent(folder: string, inside: string): Promise<void> {
  const parent = dirname(inside)
  await mkdir(parent, { recursive: true })
  const real = relative(await realpath(folder), await realpath(parent))
  if (real.startsWith('..'))
    throw failed(
      `${relative(folder, parent)} of the release leads out of it, so that nothing can be linked there`,
    )
}

/** A shared folder begins as the first release brings it. A file has to be there: nobody knows what is in it. */
async function begin(shared: string, inside: string, entry: string): Promise<void> {
  if (!entry.endsWith('/'))
    throw failed(
      `There is no ${shared}: put it there, or write ${JSON.stringify(`${entry}/`)}, and a folder is made`,
    )
  await mkdir(dirname(shared), { recursive: true })
  const brought = await lstat(inside).catch(ifMissing)
  if (brought?.isDirectory() !== true) return void (await mkdir(shared, { recursive: true }))
  // Beside its place first: half a copy would be taken for all of it.
  const copy = `${shared}.${randomBytes(6).toString('hex')}`
  await cp(inside, copy, { recursive: true, verbatimSymlinks: true })
  await rename(copy, shared)
}

/**
 * Makes the release the current one. A link is switched at once: whoever looks sees the one before or this one. A folder is
 * made equal to it file by file; what was there is saved first, and put back when that does not succeed.
 */
export function switchCurrent(releases: Place, release: string): Promise<void> {
  return onDisk(releases.path, async () => {
    await currentRelease(releases) // refuses to replace what is neither
    await lstat(folderOf(releases, release))
    if (releases.target === 'directory') return switchFolder(releases, release)
    const temporary = join(releases.path, `.current.${randomBytes(6).toString('hex')}`)
    await symlink(join(RELEASES, release), temporary)
    await rename(temporary, currentOf(releases))
  })
}

async function switchFolder(releases: Place, release: string): Promise<void> {
  const current = currentOf(releases)
  const found = await lstat(current).catch(ifMissing)
  if (found?.isSymbolicLink() === true) {
    await replaceLink(releases, release)
    return writeNote(join(releases.path, IN_FOLDER), { release })
  }
  if (found === undefined) await mkdir(current)
  await copyFolder(current, savedOf(releases))
  await writeNote(join(releases.path, UNDER_WAY), { release })
  try {
    await synchronise(folderOf(releases, release), current)
    await flush(current)
  } catch (thrown) {
    await endSwitching(releases)
    throw thrown
  }
  await rename(join(releases.path, UNDER_WAY), join(releases.path, IN_FOLDER))
}

/** No rename puts a folder in the place of a link: for a moment neither is there. */
async function replaceLink(releases: Place, release: string): Promise<void> {
  const current = currentOf(releases)
  const beside = `${current}.new`
  await rm(savedOf(releases), { recursive: true, force: true }) // of a folder that was there once
  await copyFolder(folderOf(releases, release), beside)
  await rm(current)
  await rename(beside, current)
}

/** Puts back what was in the folder before, where it was left between two releases: by a full disk, or by a crash. */
async function endSwitching(releases: Place): Promise<void> {
  if ((await readState(releases, UNDER_WAY)) === undefined) return
  await synchronise(savedOf(releases), currentOf(releases))
  await rm(join(releases.path, UNDER_WAY), { force: true })
}

/**
 * Puts back what was current before the last switch. A link leads there again; a folder becomes what was saved of it, also
 * where that was no release of ours.
 */
export function switchBack(releases: Place, previous: string | undefined): Promise<void> {
  return onDisk(releases.path, async () => {
    const saved = await lstat(savedOf(releases)).catch(ifMissing)
    if (releases.target === 'link' || saved === undefined) {
      if (previous !== undefined) await switchCurrent(releases, previous)
      return
    }
    await synchronise(savedOf(releases), currentOf(releases))
    if (previous === undefined) await rm(join(releases.path, IN_FOLDER), { force: true })
    else await writeNote(join(releases.path, IN_FOLDER), { release: previous })
  })
}

/** Whether something is where the current release has to be. */
export const isSomethingCurrent = async (releases: Place): Promise<boolean> =>
  (await lstat(currentOf(releases)).catch(ifMissing)) !== undefined

async function readState({ path }: Place, name: string): Promise<{ readonly release: string } | undefined> {
  try {
    const { release } = JSON.parse(await readFile(join(path, name), 'utf8')) as { release?: unknown }
    return typeof release === 'string' ? { release } : undefined
  } catch {
    return undefined // it is not there: notes are written beside their place first
  }
}

async function writeNote(file: string, content: object): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(content), { mode: 0o644, flush: true })
  await rename(`${file}.new`, file)
}

/** Notes that a release has succeeded: from now on it is one to go back to. */
export function markGood(releases: Place, { release, ...facts }: Good): Promise<void> {
  return onDisk(releases.path, async () => {
    await writeNote(join(releases.path, RELEASES, `.${release}.json`), facts)
    await rm(join(releases.path, RELEASES, fetchedNote(release)), { force: true })
  })
}

/** Removes the oldest good ones until so many are left; never the current one. Answers which went. */
export function prune(releases: Releases): Promise<readonly string[]> {
  return onDisk(releases.path, async () => {
    const current = await currentRelease(releases)
    const good = (await goodReleases(releases)).map(({ release }) => release)
    const over = good.slice(Math.max(releases.keep, 1)).filter((release) => release !== current)
    for (const release of over) {
      // The note first: a release that is half gone is nothing to go back to.
      await rm(join(releases.path, RELEASES, `.${release}.json`), { force: true })
      await removeTree(folderOf(releases, release))
    }
    return over
  })
}

const failed = (detail: string): ReleaseFailure => new ReleaseFailure('release_failed', `${detail}.`)

function ifMissing(thrown: unknown): undefined {
  if (Reflect.get(Object(thrown), 'code') !== 'ENOENT') throw thrown
}

/** Trouble with the disk becomes a sentence that names the folder. */
async function onDisk<Answer>(path: string, work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work()
  } catch (thrown) {
    return sayDisk(thrown, path)
  }
}
