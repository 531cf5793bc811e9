import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { Deployment } from '../deployment/deployment.ts'
import type { ReleasesRecipe, Value, ZipSource } from '../deployment/recipe.ts'
import { fillAddress, type Named } from '../deployment/source.ts'
import { FerrymanError } from '../errors.ts'
import type { LogWriter } from '../logs/logs.ts'
import {
  archiveOf,
  beginRelease,
  currentOf,
  currentRelease,
  discardRelease,
  fetchedBefore,
  folderOf,
  goodReleases,
  linkShared,
  markGood,
  nameRelease,
  noteFetched,
  prune,
  savedOf,
  switchBack,
  switchCurrent,
  whatIsCurrent,
  type Before,
} from './releases.ts'
import { locate, type Archive, type ArchiveParts } from './sources/archive.ts'
import { diskTrouble, ReleaseFailure } from './sources/failure.ts'
import { readAddress } from './sources/http.ts'
import { unpackZip } from './sources/zip.ts'
import type { Begun } from './parts.ts'
import type { Failure, StepFailure } from './step.ts'
import type { ActionStep, Runbook } from './steps.ts'
import { flush } from './synchronise.ts'

/** The release that a deployment makes. */
export interface Placing {
  readonly releases: ReleasesRecipe
  /** Its name: the number of the deployment, mostly. */
  readonly release: string
  /** Where it is built. */
  readonly folder: string
  /** What is current before it; undefined where nothing of ours is. */
  readonly previous: string | undefined
  /** What comes back where the release turns out not to be good; undefined where nothing was there. */
  readonly before: Before | undefined
  /** It is there already, built and proved by an earlier deployment. */
  readonly isThere: boolean
  /** The version of its source, when it was fetched. */
  version: string | undefined
  /** It was made the current one. */
  isPlaced: boolean
}

/** Looks which release a deployment will make, or go back to, and what it will replace. Changes nothing. */
export async function findPlacing(
  { number, sha }: Pick<Deployment, 'number' | 'sha'>,
  releases: ReleasesRecipe,
): Promise<Placing | Failure> {
  try {
    const previous = await currentRelease(releases)
    const good = releases.goesBack === true ? await goodReleases(releases) : []
    const known = good.find((one) => one.sha === sha)
    const release = known?.release ?? (await nameRelease(releases, number))
    const folder = folderOf(releases, release)
    const before = await whatIsCurrent(releases)
    return {
      releases,
      release,
      folder,
      previous,
      before: previous === release ? undefined : before,
      isThere: known !== undefined,
      version: known?.version,
      isPlaced: false,
    }
  } catch (thrown) {
    return failureOf(thrown, releases.path)
  }
}

/**
 * What a hook can compare: the new release and what is current before it, which with `target: directory` is its saved copy
 * as soon as `current` is the new one.
 */
export function configVariables({ releases, folder, previous }: Placing, is: 'before' | 'after') {
  const before = previous === undefined ? '' : folderOf(releases, previous)
  const inPlace = previous === undefined ? '' : currentOf(releases)
  const isFolder = releases.target === 'directory'
  return is === 'before'
    ? { CURRENT_CONFIG: folder, PREVIOUS_CONFIG: isFolder ? inPlace : before }
    : { CURRENT_CONFIG: currentOf(releases), PREVIOUS_CONFIG: isFolder ? savedOf(releases) : before }
}

/** Makes the folder of the release, fills it, and links in what is shared. */
export function fetchStep(
  { id, sha }: Pick<Deployment, 'id' | 'sha'>,
  placing: Placing,
  filling: Pick<ActionStep, 'name' | 'perform'>,
): ActionStep {
  const { releases, release } = placing
  return {
    kind: 'action',
    name: `${filling.name} as release ${release}`,
    onFailure: 'ends',
    perform: (doing) =>
      guarded({ signal: doing.signal, path: releases.path }, async () => {
        const before = await fetchedBefore(releases, release)
        if (before?.by === id && before.sha === sha) {
          placing.version = before.version
          await doing.log.line(`Release ${release} was fetched before, when it had to wait.`)
          return undefined
        }
        for (const line of await beginRelease(releases, release)) await doing.log.line(line)
        let isFetched = false
        try {
          const failure = await filling.perform(doing)
          if (failure !== undefined || doing.signal.aborted) return failure
          await linkShared(releases, release)
          await noteFetched(releases, release, { by: id, sha, version: placing.version })
          isFetched = true
          return undefined
        } finally {
          if (!isFetched) await discardRelease(releases, release)
        }
      }),
  }
}

/** What is said of a release to all commands: where it is built, and with what a hook can compare it. */
export const releaseVariables = (placing: Placing): Readonly<Record<string, string>> => ({
  FERRYMAN_RELEASE: placing.folder,
  ...configVariables(placing, 'before'),
  ...(placing.isThere ? { FERRYMAN_ROLLBACK: '1' } : {}),
})

/** Makes the release the current one. */
export const switchStep = (placing: Placing): ActionStep => ({
  kind: 'action',
  name: `make release ${placing.release} the current one`,
  onFailure: 'ends',
  perform: ({ signal, log }) =>
    guarded({ signal, path: placing.releases.path }, async () => {
      const { releases, release, folder } = placing
      // Of a checkout only the files are deployed: its history is nothing for a web server.
      await rm(join(folder, '.git'), { recursive: true, force: true })
      await flush(folder)
      await switchCurrent(releases, release)
      placing.isPlaced = true
      await log.line(`${currentOf(releases)} is release ${release}.`)
      return undefined
    }),
})

/** Where what comes back is found. */
export const folderBefore = ({ releases, before }: Placing): string =>
  before?.release === undefined ? currentOf(releases) : folderOf(releases, before.release)

/** The commit of what comes back; undefined where nobody has noted it. */
export const commitBefore = async ({ releases, before }: Placing): Promise<string | undefined> =>
  before?.release === undefined
    ? undefined
    : (await goodReleases(releases).catch(() => [])).find((one) => one.release === before.release)?.sha

/** Makes current again what was it before; undefined where nothing was. */
export const wayBackOf = (placing: Placing): Runbook['wayBack'] => {
  const { releases, before } = placing
  if (before === undefined) return undefined
  const to = before.release === undefined ? 'what was there before' : `release ${before.release}`
  return { to, isDue: () => placing.isPlaced, steps: [switchBackStep(releases, before, to)] }
}

const switchBackStep = (releases: ReleasesRecipe, before: Before, to: string): ActionStep => ({
  kind: 'action',
  name: `make ${to} the current one again`,
  onFailure: 'ends',
  perform: ({ signal, log }) =>
    guarded({ signal, path: releases.path }, async () => {
      await switchBack(releases, before)
      await log.line(`${currentOf(releases)} is ${to} again.`)
      return undefined
    }),
})

/** Says where a release is current that was never proved: one that was cut short after its switch. */
export async function tellUnproved({ releases, release, isThere }: Placing, log: Pick<LogWriter, 'line'>) {
  const current = await currentRelease(releases).catch(() => undefined)
  if (!isThere && current === release)
    await log.line(`${currentOf(releases)} is release ${release}, which was not proved to be good.`)
}

/** Removes what was built and is not current, where nothing more would be begun for want of room: no next one would. */
export async function makeRoom(
  { releases, release, isThere }: Placing,
  { isFull, log }: Pick<Begun, 'isFull' | 'log'>,
): Promise<void> {
  try {
    if (isThere || !(await isFull(releases.path)) || (await currentRelease(releases)) === release) return
  } catch {
    return // where nobody can say what is current, nothing is removed
  }
  const isGone = await discardRelease(releases, release)
  await log.line(
    isGone
      ? `Removed what was built as release ${release}, since the disk is full.`
      : `The disk is full, and what was built as release ${release} cannot be removed.`,
  )
}

/** Notes that the release is good, and removes the oldest; what is wrong about that changes nothing any more. */
export async function keepRelease(
  { releases, release, version }: Placing,
  { sha, at }: { readonly sha: string; readonly at: number },
  log: Pick<LogWriter, 'line'>,
): Promise<void> {
  try {
    await markGood(releases, { release, sha, version, at })
    const removed = await prune(releases)
    const kept = (await goodReleases(releases)).length
    if (removed.length > 0) await log.line(`Removed ${namesOf(removed)}; ${kept} good ones are kept.`)
  } catch (thrown) {
    const { detail } = failureOf(thrown, releases.path)
    await log.line(
      `The release is in place, but could not be noted as good, or old ones not removed: ${detail}`,
    )
  }
}

const namesOf = (releases: readonly string[]): string =>
  `${releases.length === 1 ? 'release' : 'releases'} ${releases.join(', ')}`

/** What people call the fetching of an archive: with its address, as far as nothing in it is secret. */
export function archiveName(
  deployment: Named,
  { address }: ZipSource,
  resolve: (value: Value) => string,
): string {
  try {
    const filled = fillAddress(resolve(address), deployment, encodeURIComponent)
    return `fetch ${filled.startsWith('s3:') ? filled : readAddress(filled).name}`
  } catch {
    return 'fetch the source' // why it cannot be is told when it is tried
  }
}

/** Downloads an archive and unpacks it into the folder of the release. */
export const archiveStep = (
  deployment: Deployment,
  source: ZipSource,
  placing: Placing,
  parts: ArchiveParts,
): ActionStep => ({
  kind: 'action',
  name: archiveName(deployment, source, parts.resolve),
  onFailure: 'ends',
  async perform({ signal, log }) {
    const { releases, release, folder } = placing
    const file = archiveOf(releases, release)
    try {
      const archive = locate(deployment, source, { ...parts, signal })
      const { version, bytes } = await fetchWanted(archive, deployment, file)
      placing.version = version
      const told = version === undefined ? 'without a version' : `version ${JSON.stringify(version)}`
      await log.line(`Downloaded ${inWords(bytes)}, ${told}.`)
      const unpacked = await unpackZip(file, folder, { signal })
      const files = `${unpacked.files} ${unpacked.files === 1 ? 'file' : 'files'}`
      await log.line(`Unpacked ${files}, ${inWords(unpacked.bytes)}.`)
      if (!archive.isOfCommit && source.isPolled !== true)
        await log.line(
          `Version not verified: the address of the source has no {sha} in it, so that nobody can say that this is ${deployment.sha.slice(0, 7)}.`,
        )
      return undefined
    } finally {
      await rm(file, { force: true })
    }
  },
})

/** Of a source that is polled only the version counts that it held when this deployment was asked for. */
async function fetchWanted(archive: Archive, { sha, recipe, ref }: Deployment, file: string) {
  if (recipe.releases?.source?.isPolled !== true) return archive.download(file)
  const seeSame = async (): Promise<void> => {
    const now = await archive.ask()
    if (now.sha === sha) return
    const detail = `${archive.name} holds version ${JSON.stringify(now.ref)} by now, asked for ${JSON.stringify(ref)}; nothing was changed.`
    throw new ReleaseFailure('source_unavailable', detail)
  }
  await seeSame()
  const downloaded = await archive.download(file)
  await seeSame() // what changed in between may be either
  return { ...downloaded, version: ref }
}

function inWords(bytes: number): string {
  if (bytes < 1_000) return `${bytes} bytes`
  return bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** What the source and the disk say becomes the failure of the step; what ends the run is told by whoever ends it. */
async function guarded(
  { signal, path }: { readonly signal: AbortSignal; readonly path: string },
  work: () => Promise<StepFailure | undefined>,
): Promise<StepFailure | undefined> {
  try {
    return await work()
  } catch (thrown) {
    return signal.aborted ? undefined : failureOf(thrown, path)
  }
}

function failureOf(thrown: unknown, path: string): Failure {
  if (thrown instanceof ReleaseFailure) return { reason: thrown.reason, detail: thrown.message }
  if (thrown instanceof FerrymanError)
    return { reason: 'config_invalid', detail: `${thrown.message} ${thrown.hint}` }
  const trouble = diskTrouble(thrown)
  if (trouble === undefined) throw thrown
  return { reason: 'release_failed', detail: `The releases in ${path} cannot be used: ${trouble}.` }
}
