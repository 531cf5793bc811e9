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
} from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'

import { messageOf } from '../errors.ts'
import {
  currentOf,
  endSwitching,
  exists,
  forgetFolder,
  ifMissing,
  putBackSaved,
  releaseInFolder,
  savedOf,
  switchFolder,
  writeNote,
  type Place,
} from './current-folder.ts'
import { ReleaseFailure, sayDisk } from './sources/failure.ts'
import { removeTree } from './workspace/remove.ts'

/**
 * A folder of releases:
 *
 *     releases/11  releases/12     one deployed version each
 *     current -> releases/12       switched by rename: there is always one, and it is whole
 *     shared/.env                  what all of them have in common, linked into each
 *     releases/.12.begun           it is being made; gone when 12 is good
 *     releases/.12.json            written when 12 has succeeded: only then it is good
 *
 * With `target: directory` current is a folder, which .current.json says the release of, and saved/ is what was in it.
 *
 * What was begun, and is neither good nor current, was never finished, and is removed when the next one begins; what
 * somebody else has put there is not ours to remove. So a crash at any moment leaves what was current before, or what
 * was to become it, and nothing in between.
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

export { currentOf, savedOf } from './current-folder.ts'

/** What is known of a release that has succeeded. */
export interface Good {
  readonly release: string
  readonly sha: string
  /** Of the source, where it has one. */
  readonly version: string | undefined
  /** Milliseconds since 1970; more than that of all that were good before, however the clock was set. */
  readonly at: number
}

const RELEASES = 'releases'
const SHARED = 'shared'
const NOTE = /^\.(.+)\.json$/
/** What belongs to a release: notes, also half written, and its archive. */
const BESIDE = /^\.(\d[\d.]*)\.(?:json|begun|zip|json\.new|begun\.new)$/
/** A release that is being removed. */
const GONE = /^\.\d[\d.]*\.[0-9a-f]{12}\.gone$/

/** Where a release lies. */
export const folderOf = ({ path }: Pick<Place, 'path'>, release: string): string =>
  join(path, RELEASES, release)

/** The release that is current; undefined where none is. Throws where `current` is not what it should be. */
export async function currentRelease(releases: Place): Promise<string | undefined> {
  const current = currentOf(releases)
  const found = await lstat(current).catch(ifMissing)
  if (found === undefined) return undefined
  if (found.isSymbolicLink()) return nameBehind(releases, await readlink(current))
  if (releases.target === 'directory' && found.isDirectory()) return releaseInFolder(releases)
  throw failed(
    releases.target === 'directory'
      ? `${current} is no folder: move it away, so that one can be made`
      : `${current} is no link: move it away, so that it can become one, or deploy with \`target: directory\``,
  )
}

/** Somebody's own link may lead anywhere: it is replaced, and what it leads to is left alone. */
function nameBehind({ path }: Pick<Place, 'path'>, target: string): string | undefined {
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
 * The name of a release to begin: its number, and a little more where something of that name is there already that is
 * more than begun. Changes nothing.
 */
export async function nameRelease(releases: Place, number: number): Promise<string> {
  const taken = await finished(releases)
  const isTaken = async (release: string): Promise<boolean> =>
    taken.has(release) ||
    ((await exists(folderOf(releases, release))) && !(await exists(begunNote(releases, release))))
  let release = String(number)
  for (let again = 2; await isTaken(release); again += 1) release = `${number}.${again}`
  return release
}

/**
 * Makes an empty folder for a release, and removes what was never finished. Answers what of that cannot be removed, as
 * sentences: files of somebody else are in nobody's way.
 */
export function beginRelease(releases: Releases, release: string): Promise<readonly string[]> {
  return onDisk(releases.path, async () => {
    if (releases.target === 'directory') await endSwitching(releases)
    const left = await removeUnfinished(releases)
    await writeNote(begunNote(releases, release), {})
    await mkdir(folderOf(releases, release))
    return left
  })
}

/** Removes a release that is not to be: what there is of it may be what fills the disk. Answers whether nothing is left. */
export const discardRelease = (releases: Place, release: string): Promise<boolean> =>
  removeRelease(releases, release).then(
    () => true,
    () => false, // the next one that begins tries it again
  )

/** Notes that the folder of a release is complete as it was fetched, for a deployment that may have to wait yet. */
export function noteFetched(releases: Place, release: string, fetched: Fetched): Promise<void> {
  return onDisk(releases.path, () => writeNote(begunNote(releases, release), fetched))
}

/** What was noted when the release was fetched; undefined where it was not, or is not there any more. */
export async function fetchedBefore(releases: Place, release: string): Promise<Fetched | undefined> {
  try {
    await lstat(folderOf(releases, release))
    const { by, sha, version } = JSON.parse(
      await readFile(begunNote(releases, release), 'utf8'),
    ) as Partial<Fetched>
    return by === undefined || sha === undefined ? undefined : { by, sha, version }
  } catch {
    return undefined
  }
}

export interface Fetched {
  /** The id of the deployment; another has it where a backup was restored. */
  readonly by: number
  readonly sha: string
  readonly version?: string | undefined
}

const noteIn = ({ path }: Pick<Place, 'path'>, release: string, kind: 'json' | 'begun' | 'zip'): string =>
  join(path, RELEASES, `.${release}.${kind}`)
const begunNote = (releases: Pick<Place, 'path'>, release: string): string =>
  noteIn(releases, release, 'begun')

/** Where the archive of a release is put until it is unpacked. */
export const archiveOf = (releases: Pick<Place, 'path'>, release: string): string =>
  noteIn(releases, release, 'zip')

async function finished(releases: Place): Promise<ReadonlySet<string>> {
  const names = new Set((await goodReleases(releases)).map(({ release }) => release))
  const current = await currentRelease(releases)
  return current === undefined ? names : names.add(current)
}

/** Removes what was begun and is neither current nor good; answers what cannot be removed. */
async function removeUnfinished(releases: Place): Promise<readonly string[]> {
  const folder = join(releases.path, RELEASES)
  await mkdir(folder, { recursive: true })
  const kept = await finished(releases)
  for (const name of await readdir(folder)) {
    const release = BESIDE.exec(name)?.[1]
    if (release === undefined || kept.has(release)) continue
    await setAside(releases, release)
    await rm(join(folder, name), { force: true })
  }
  const links = (await readdir(releases.path)).filter((name) => TEMPORARY.test(name))
  for (const link of links) await rm(join(releases.path, link), { force: true })
  const left: string[] = []
  for (const name of (await readdir(folder)).filter((one) => GONE.test(one)))
    await removeTree(join(folder, name)).catch((thrown: unknown) => {
      left.push(`${join(folder, name)} cannot be removed: ${messageOf(thrown)}`)
    })
  return left
}

/** The folder first, and at once: of a release that is half gone nothing is left by its name. */
async function removeRelease(releases: Place, release: string): Promise<void> {
  const aside = await setAside(releases, release)
  for (const kind of ['json', 'begun', 'zip'] as const)
    await rm(noteIn(releases, release, kind), { force: true })
  if (aside !== undefined) await removeTree(aside)
}

async function setAside(releases: Place, release: string): Promise<string | undefined> {
  const folder = folderOf(releases, release)
  const aside = join(dirname(folder), `.${release}.${randomBytes(6).toString('hex')}.gone`)
  return rename(folder, aside).then(() => aside, ifMissing)
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
  const parent = await makeParent(folder, inside)
  if (!(await exists(shared))) await begin(shared, inside, entry)
  await removeTree(inside)
  // A relative one would lead elsewhere from a copy.
  const fromThere = relative(parent, join(await realpath(path), SHARED, name))
  await symlink(target === 'directory' ? shared : fromThere, inside)
}

/** A release may bring links of its own: nothing is made behind one that leads out of it. Answers where it really is. */
async function makeParent(folder: string, inside: string): Promise<string> {
  const root = await realpath(folder)
  const parts = relative(folder, dirname(inside)).split('/')
  let real = root
  for (const [index, part] of parts.entries()) {
    const next = join(real, part)
    if (!(await exists(next))) await mkdir(next)
    real = await realpath(next)
    if (real !== root && !real.startsWith(`${root}/`))
      throw failed(
        `${parts.slice(0, index + 1).join('/')} of the release leads out of it, so that nothing can be linked there`,
      )
  }
  return real
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
  try {
    await cp(inside, copy, { recursive: true, verbatimSymlinks: true })
    await rename(copy, shared)
  } catch (thrown) {
    await removeTree(copy).catch(() => {}) // nobody would know what it is
    throw thrown
  }
}

/**
 * Makes the release the current one. A link is switched at once: whoever looks sees the one before or this one. A folder is
 * made equal to it file by file; what was there is saved first, and put back when that does not succeed.
 */
export function switchCurrent(releases: Place, release: string): Promise<void> {
  return onDisk(releases.path, async () => {
    await currentRelease(releases) // refuses to replace what is neither
    const folder = folderOf(releases, release)
    if (!(await exists(folder))) throw failed(`There is no ${folder} any more`)
    if (releases.target === 'directory') return switchFolder(releases, release, folder)
    await leadTo(releases, join(RELEASES, release))
  })
}

/** Ends what a crash has left between two releases, as far as a folder is made equal to them; answers whether it has. */
export const mendCurrent = (releases: Place): Promise<boolean> =>
  onDisk(releases.path, async () => releases.target === 'directory' && endSwitching(releases))

/** What was current before a switch. */
export interface Before {
  readonly release: string | undefined
  /** Where somebody else's link led; undefined where there was none. */
  readonly link: string | undefined
}

/** What is current, to be put back by `switchBack`; undefined where nothing is. */
export async function whatIsCurrent(releases: Place): Promise<Before | undefined> {
  const release = await currentRelease(releases)
  const found = await lstat(currentOf(releases)).catch(ifMissing)
  if (found === undefined) return undefined
  const isForeign = release === undefined && found.isSymbolicLink()
  return { release, link: isForeign ? await readlink(currentOf(releases)) : undefined }
}

/** Puts back what was current before the last switch, also where that was no release of ours. */
export function switchBack(releases: Place, { release, link }: Before): Promise<void> {
  return onDisk(releases.path, async () => {
    if (link !== undefined) return leadTo(releases, link)
    if (releases.target === 'directory' && (await exists(savedOf(releases))))
      return putBackSaved(releases, release)
    if (release !== undefined) await switchCurrent(releases, release)
  })
}

/** Makes `current` a link, whatever it was made since. */
async function leadTo(releases: Place, link: string): Promise<void> {
  const current = currentOf(releases)
  const temporary = join(releases.path, `.current.${randomBytes(6).toString('hex')}`)
  await symlink(link, temporary)
  const isFolder = (await lstat(current).catch(ifMissing))?.isDirectory() === true
  if (!isFolder) return rename(temporary, current)
  // No rename puts a link in the place of a folder: for a moment neither is there.
  const aside = `${current}.new`
  await removeTree(aside)
  await rename(current, aside)
  await rename(temporary, current)
  await forgetFolder(releases)
  await removeTree(aside)
}

/** Notes that a release has succeeded: from now on it is one to go back to. */
export function markGood(releases: Place, { release, at: now, ...facts }: Good): Promise<void> {
  return onDisk(releases.path, async () => {
    const [newest] = await goodReleases(releases)
    const at = Math.max(now, (newest?.at ?? 0) + 1)
    await writeNote(noteIn(releases, release, 'json'), { ...facts, at })
    await rm(begunNote(releases, release), { force: true })
  })
}

/** Removes the oldest good ones until so many are left; never the current one. Answers which went. */
export function prune(releases: Releases): Promise<readonly string[]> {
  return onDisk(releases.path, async () => {
    const current = await currentRelease(releases)
    const good = (await goodReleases(releases)).map(({ release }) => release)
    const over = good.slice(Math.max(releases.keep, 1)).filter((release) => release !== current)
    for (const release of over) await removeRelease(releases, release)
    return over
  })
}

const failed = (detail: string): ReleaseFailure => new ReleaseFailure('release_failed', `${detail}.`)

/** Trouble with the disk becomes a sentence that names the folder. */
async function onDisk<Answer>(path: string, work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work()
  } catch (thrown) {
    return sayDisk(thrown, path)
  }
}
