import { readdir, readFile, realpath, rename, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'

import type { Deployment } from '../../deployment/deployment.ts'
import type { Workspace } from '../../deployment/recipe.ts'
import { askGit } from '../git-question.ts'
import { lookUp } from '../program.ts'
import type { Failure, StepFailure } from '../step.ts'
import type { ActionStep } from '../steps.ts'
import { fetchAnew, fetchCommit, type Wanted } from './fetch.ts'
import { withGit, type Git } from './git.ts'
import type { Mirrors } from './mirrors.ts'
import { removeTree } from './remove.ts'
import { sourceOf } from './source.ts'

/** What checkouts are made of, and where. */
export interface Checkouts {
  readonly mirrors: Mirrors
  /** Below this every run has its checkout. */
  readonly workspaces: string
  /** Where people read what is at GitHub: `https://github.com`. */
  readonly githubUrl: () => string
  /** A token that may read a repository; `others`: those of its owner as well. */
  readonly readingToken: (repository: string, of: { readonly others: boolean }) => Promise<string>
}

export interface CheckOutParts extends Checkouts {
  readonly workspace: Workspace
  /** Where the checkout is made. */
  readonly path: string
  readonly variables: Readonly<Record<string, string>>
}

/** What that is called. */
export const checkOutName = ({ sha, repository }: Pick<Deployment, 'sha' | 'repository'>): string =>
  `check out ${sha.slice(0, 7)} of ${repository}`

/** Makes the checkout of a deployment: its commit, and nothing of what others have left. */
export function checkOutStep(deployment: Deployment, parts: CheckOutParts): ActionStep {
  const { sha, repository, configuredAs, environment, recipe } = deployment
  const { mirrors, workspaces, workspace, path, variables } = parts
  const mirror = mirrors.pathOf(configuredAs)
  const source = sourceOf(workspace, repository, parts.githubUrl())
  const wanted: CheckedOut = { mirror, sha, repository, environment, isOpen: recipe.releases !== undefined }
  return {
    kind: 'action',
    name: checkOutName(deployment),
    onFailure: 'ends',
    async perform(doing) {
      const missing = whyNoGit(workspace, variables['PATH'] ?? '')
      if (missing !== undefined) return missing
      const gitParts = {
        source,
        repository,
        variables,
        ceilings: [mirrors.directory, workspaces],
        lfs: workspace.lfs,
        token: () => parts.readingToken(repository, { others: workspace.submodules }),
      }
      return withGit(gitParts, doing, async (git) => {
        const failure = await mirrors.alone(
          mirror,
          async () => (await fetchCommit(wanted, git)) ?? (await checkOutFrom(wanted, path, git)),
          {
            signal: doing.signal,
            waiting: () => void doing.log.line(`Waits until another deployment has fetched ${repository}.`),
          },
        )
        if (failure !== undefined || doing.signal.aborted) return failure
        return (
          (workspace.submodules ? await checkOutSubmodules(path, git) : undefined) ??
          (recipe.releases?.directory === undefined
            ? undefined
            : await lift(path, recipe.releases.directory)) ??
          folderIn(path, recipe.folder)
        )
      })
    },
  }
}

function whyNoGit({ lfs }: Workspace, path: string): StepFailure | undefined {
  for (const [program, why] of [['git', 'workspace'], ...(lfs ? [['git-lfs', 'workspace.lfs']] : [])]) {
    const found = lookUp(program ?? '', '/', path)
    if ('reason' in found)
      return { reason: found.reason, detail: `${found.detail.replace(/\.$/, '')}, which \`${why}\` needs.` }
  }
  return undefined
}

interface CheckedOut extends Wanted {
  /** Others than this user may get to it. */
  readonly isOpen: boolean
}

/** From a mirror that may turn out to be damaged only now. */
async function checkOutFrom(wanted: CheckedOut, path: string, git: Git): Promise<StepFailure | undefined> {
  const failure = await layOut(wanted, path, git)
  if (failure === undefined || !git.isItsOwn(failure) || (await git.isSound(wanted.mirror))) return failure
  await removeTree(path)
  return (await fetchAnew(wanted, git)) ?? (await layOut(wanted, path, git))
}

/**
 * A repository of its own, so that nothing that is done there reaches the mirror; of its objects the files are links,
 * which cost nothing and stay when the mirror goes. Where others may get to it they are copies: whoever is let in by chown or
 * chmod would be let into the mirror. Large files are fetched from the source, which has to be known first.
 */
async function layOut(
  { mirror, sha, isOpen }: CheckedOut,
  path: string,
  git: Git,
): Promise<StepFailure | undefined> {
  await git.pointTo(mirror, sha)
  const later = git.lfs ? ['--no-checkout'] : []
  const how = isOpen ? '--no-hardlinks' : '--local'
  const clone = ['clone', '--quiet', how, ...later, '--template=', '--', mirror, path]
  const failure = await git.run(clone, { folder: mirror, also: ['file'] })
  if (failure !== undefined) return failure
  const set = (key: string, value: string) => askGit(path, git.path, ['config', key, value])
  await set('remote.origin.url', git.source.url)
  if (git.lfs) await set('lfs.storage', join(mirror, 'lfs')) // where it stays for the next one
  else if ((await headOf(path)) === sha) return undefined
  return git.run(['checkout', '--quiet', '--detach', sha], { folder: path, asks: git.lfs })
}

/** The commit that a clone has checked out, where it is on no branch. */
const headOf = async (path: string): Promise<string> =>
  (await readFile(join(path, '.git/HEAD'), 'utf8').catch(() => '')).trim()

const checkOutSubmodules = (path: string, git: Git): Promise<StepFailure | undefined> =>
  git.run(['submodule', 'update', '--init', '--recursive', '--jobs=4'], {
    folder: path,
    asks: true,
    also: ['https', 'ssh'],
  })

/** Lets a checkout be one of its folders alone, whose commit git still knows. */
async function lift(path: string, directory: string): Promise<Failure | undefined> {
  const inside = join(path, directory)
  const failure = await folderIn(path, inside)
  if (failure !== undefined) return failure
  const real = await realpath(inside)
  const detail = `${directory} is no folder in the checkout that can be released.`
  const [first] = relative(await realpath(path), real).split(sep) // a link may lead to what is git's own
  if (first === '' || first === '.git' || !(await stat(real)).isDirectory())
    return { reason: 'folder_missing', detail }
  const git = join(path, '.git')
  const lifted = join(git, 'lifted') // nothing is left beside it, whenever that is cut short
  await rename(real, lifted)
  for (const other of await readdir(path)) if (other !== '.git') await removeTree(join(path, other))
  for (const one of await readdir(lifted))
    if (one !== '.git') await rename(join(lifted, one), join(path, one)) // a submodule has one of its own
  await removeTree(lifted)
  return undefined
}

/** A repository may have links in it, and none of them may lead the commands elsewhere. */
export async function folderIn(path: string, folder: string): Promise<Failure | undefined> {
  const root = await realpath(path)
  const real = await realpath(folder).catch(() => undefined)
  if (real === undefined)
    return {
      reason: 'folder_missing',
      detail: `There is no folder ${folder.slice(path.length + 1)} in the checkout.`,
    }
  if (`${real}/`.startsWith(`${root}/`)) return undefined
  return {
    reason: 'folder_missing',
    detail: `The folder ${folder.slice(path.length + 1)} of the checkout leads out of it, to ${real}.`,
  }
}
