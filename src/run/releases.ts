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

/**
 * A folder of releases:
 *
 *     releases/11  releases/12     one deployed version each
 *     current -> releases/12       switched by rename: there is always one, and it is whole
 *     shared/.env                  what all of them have in common, linked into each
 *     releases/.12.json            written when 12 has succeeded: only then it is good
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
const NOTE = /^\.(.+)\.json$/

/** Where a release lies. */
export const folderOf = ({ path }: Pick<Releases, 'path'>, release: string): string =>
  join(path, RELEASES, release)

/** Where the current release is to be found, whichever it is. */
export const currentOf = ({ path }: Pick<Releases, 'path'>): string => join(path, CURRENT)

/** The release that is current; undefined where none is. Throws where `current` is no link of ours. */
export async function currentRelease(releases: Pick<Releases, 'path'>): Promise<string | undefined> {
  const link = currentOf(releases)
  const found = await lstat(link).catch(ifMissing)
  if (found === undefined) return undefined
  if (!found.isSymbolicLink())
    throw failed(
      `${link} is no link: move it away, so that it can become one, or deploy with \`target: directory\``,
    )
  const target = resolve(dirname(link), await readlink(link))
  const name = relative(join(releases.path, RELEASES), target)
  // Somebody's own link may lead anywhere: it is replaced, and what it leads to is left alone.
  return name === '' || name.startsWith('..') || name.includes('/') ? undefined : name
}

/** The good ones, newest first. */
export async function goodReleases(releases: Pick<Releases, 'path'>): Promise<readonly Good[]> {
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
 * Begins a release: removes what was never finished, and makes an empty folder for it. Answers its name, which is its
 * number, and a little more where a release of that number is good or current already.
 */
export function beginRelease(releases: Releases, number: number): Promise<string> {
  return onDisk(releases.path, async () => {
    await removeUnfinished(releases)
    const taken = new Set(await readdir(join(releases.path, RELEASES)))
    let release = String(number)
    for (let again = 2; taken.has(release); again += 1) release = `${number}.${again}`
    await mkdir(folderOf(releases, release))
    return release
  })
}

/** Removes what no deployment has finished: nothing that is current or good. */
async function removeUnfinished(releases: Releases): Promise<void> {
  const folder = join(releases.path, RELEASES)
  await mkdir(folder, { recursive: true })
  const kept = new Set((await goodReleases(releases)).map(({ release }) => release))
  const current = await currentRelease(releases)
  if (current !== undefined) kept.add(current)
  const names = await readdir(folder)
  const isOver = (name: string): boolean => !kept.has(NOTE.exec(name)?.[1] ?? name)
  for (const name of names.filter(isOver)) await rm(join(folder, name), { recursive: true, force: true })
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

async function linkOne({ path }: Releases, folder: string, entry: string): Promise<void> {
  const name = entry.replace(/\/+$/, '')
  const shared = join(path, SHARED, name)
  const inside = join(folder, name)
  await makeParent(folder, inside)
  if ((await lstat(shared).catch(ifMissing)) === undefined) await begin(shared, inside, entry)
  await rm(inside, { recursive: true, force: true })
  await symlink(relative(dirname(inside), shared), inside)
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

/** Makes the release the current one, at once: whoever looks sees the one before or this one. */
export function switchCurrent(releases: Pick<Releases, 'path'>, release: string): Promise<void> {
  return onDisk(releases.path, async () => {
    await currentRelease(releases) // refuses to replace what is no link
    await lstat(folderOf(releases, release))
    const temporary = join(releases.path, `.current.${randomBytes(6).toString('hex')}`)
    await symlink(join(RELEASES, release), temporary)
    await rename(temporary, currentOf(releases))
  })
}

/** Notes that a release has succeeded: from now on it is one to go back to. */
export function markGood(releases: Pick<Releases, 'path'>, { release, ...facts }: Good): Promise<void> {
  return onDisk(releases.path, async () => {
    const note = join(releases.path, RELEASES, `.${release}.json`)
    await writeFile(`${note}.new`, JSON.stringify(facts), { mode: 0o644, flush: true })
    await rename(`${note}.new`, note)
  })
}

/** Removes a release that did not become one; never the current one. */
export async function discardRelease(releases: Pick<Releases, 'path'>, release: string): Promise<void> {
  if ((await currentRelease(releases)) === release) return
  await rm(folderOf(releases, release), { recursive: true, force: true })
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
      await rm(folderOf(releases, release), { recursive: true, force: true })
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
