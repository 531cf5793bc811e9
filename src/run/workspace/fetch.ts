import { createHash } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { StepFailure } from '../step.ts'
import type { Git } from './git.ts'
import { removeTree } from './remove.ts'

export interface Wanted {
  readonly mirror: string
  readonly sha: string
  /** `owner/name`, for people. */
  readonly repository: string
  /** Of whose deployments the newest commit is kept. */
  readonly environment: string
}

/**
 * Brings a commit into a mirror, which is made where there is none, and made anew where it is damaged. Asks nobody
 * where the commit is there already. Only one may do so at a time.
 */
export async function fetchCommit(wanted: Wanted, git: Git): Promise<StepFailure | undefined> {
  const { mirror, sha } = wanted
  if (await git.knows(mirror, sha)) return undefined
  const isThere = await git.isRepository(mirror)
  if (!isThere) await removeTree(mirror) // what broke off when it was made is none
  else await clearUp(mirror)
  const made = isThere ? undefined : await make(wanted, git)
  if (made !== undefined) return made
  const failure = await fetchInto(wanted, git)
  if (failure === undefined || !isThere || !git.isItsOwn(failure) || (await git.isSound(mirror)))
    return failure
  return fetchAnew(wanted, git)
}

/** Throws a damaged mirror away, and begins again. */
export async function fetchAnew(wanted: Wanted, git: Git): Promise<StepFailure | undefined> {
  const { mirror, repository } = wanted
  await git.say(`What is kept of ${repository} is damaged: it is fetched anew.`)
  await removeTree(mirror)
  return (await make(wanted, git)) ?? (await fetchInto(wanted, git))
}

async function make({ mirror, sha }: Wanted, git: Git): Promise<StepFailure | undefined> {
  await mkdir(mirror, { recursive: true, mode: 0o700 })
  const format = sha.length === 64 ? ['--object-format=sha256'] : []
  return git.run(['init', '--quiet', '--bare', ...format, '--template=', '.'], { folder: mirror })
}

/** First that commit alone. Not every server gives what no branch and no tag names: then those, if it answers at all. */
async function fetchInto(
  { mirror, sha, repository, environment }: Wanted,
  git: Git,
): Promise<StepFailure | undefined> {
  const { url } = git.source
  const fetch = async (...rest: string[]): Promise<StepFailure | undefined> => {
    const words = ['fetch', '--no-write-fetch-head', ...rest]
    const failure = await git.run(words, { folder: mirror, asks: true })
    // Half a pack may be what fills the disk: then nobody would fetch again.
    if (failure !== undefined) await clearUp(mirror).catch(() => {})
    return failure
  }
  const first = await fetch('--end-of-options', url, `+${sha}:${keptAs(environment)}`)
  if (first === undefined || !git.isItsOwn(first)) return first
  // Nothing is listed: whether it answers at all is what matters.
  const listing = ['ls-remote', '--quiet', '--end-of-options', url, 'refs/ferryman/none']
  const unreachable = await git.run(listing, { folder: mirror, asks: true })
  if (unreachable !== undefined) return unreachable
  const all = ['+refs/heads/*:refs/ferryman/heads/*', '+refs/tags/*:refs/tags/*'] // no branches, or a clone would be on one
  const failure = await fetch('--prune', '--no-tags', '--end-of-options', url, ...all)
  if (failure !== undefined) return failure
  if (await git.knows(mirror, sha)) return undefined
  return {
    reason: 'source_unavailable',
    detail: `The commit ${sha} is not in ${repository} at ${url}, or cannot be fetched from there.`,
  }
}

/** What an environment was given last stays known, whatever becomes of its branch: the next fetch begins there. */
const keptAs = (environment: string): string =>
  `refs/ferryman/${createHash('sha256').update(environment.toLowerCase()).digest('hex').slice(0, 12)}`

/** Locks and half a pack of a fetch that was killed: nobody else is here, and nobody would take them away. */
async function clearUp(mirror: string): Promise<void> {
  const files = await readdir(mirror, { recursive: true })
  const left = files.filter((file) => file.endsWith('.lock') || /(?:^|\/)(?:tmp_|incoming-)[^/]*$/.test(file))
  for (const file of left) await rm(join(mirror, file), { recursive: true, force: true })
}
