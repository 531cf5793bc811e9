import { posix } from 'node:path'

import { placeholdersIn } from './placeholders.ts'
import type { Path } from './positions.ts'
import { hasReference } from './references.ts'
import { originIn, type Level, type WorkOptions } from './work.ts'

/** A git repository, and what of it is meant: `url.git/path#branch`. */
export interface GitSource {
  readonly url: string
  /** A folder of it, relative and normal. */
  readonly path: string | undefined
  readonly branch: string | undefined
}

/**
 * Where a git repository may be: without credentials, since it is shown; over no other transports, since some of them start
 * programs: gitremote-helpers(7).
 */
export const REPOSITORY_SHAPE =
  /^(?:https?:\/\/(?![^/]*@)[^\s/]+\/\S+|ssh:\/\/(?![^/]*:[^/]*@)[^\s/-]\S*|file:\/\/\/\S+|[\w.-]+@[\w][\w.-]*:[^\s-]\S*|\.{0,2}\/[^\0]*)$/

/** What git takes for the name of a branch. */
export const BRANCH_SHAPE = /^(?![-/]|refs\/)(?!.*(?:\.\.|@\{|\/\/))[^ ~^:?*[\\]+$/

/** Whether it looks like the address of a git repository: of a snapshot of one, as cgit makes them, it is none. */
export const isGitAddress = (address: string): boolean =>
  !/^https?:[^?#]*\.zip(?:[?#]|$)|^s3:/.test(address) &&
  (/^git\+|^ssh:/.test(address) || /\.git(?:[/#]|$)/.test(address) || /^[\w.-]+@[\w.-]+:/.test(address))

// What begins it ends at the first slash behind its host, so that a host may be called like a repository.
const PARTS =
  /^(?:git\+)?((?:[a-z]+:\/\/[^/]*\/|[^/@\s]+@[^:/\s]+:|\.{0,2}\/).*?\.git)(?:\/([^#]*))?(?:#(.*))?$/s

/** The git repository that `source` names by its address, if it does; what is wrong with that says `checkGitSource`. */
export function gitSourceIn(levels: readonly Level[]): GitSource | undefined {
  const given = addressIn(levels)
  const parts = given === undefined ? undefined : partsOf(given)
  return parts && { ...parts, path: isFolder(parts.path) ? parts.path : undefined }
}

/** The address as it is written. */
function addressIn(levels: readonly Level[]): string | undefined {
  const given = levels.find(({ entry }) => entry.source !== undefined)?.entry.source
  return typeof given === 'string' && given !== 'git' && isGitAddress(given) ? given : undefined
}

function partsOf(given: string): GitSource {
  const [, url = given, path = '', branch = ''] = PARTS.exec(given) ?? []
  return { url, path: path.replace(/\/+$/, '') || undefined, branch: branch || undefined }
}

const isFolder = (path: string | undefined): boolean =>
  path === undefined || (posix.normalize(path) === path && !/^\.\.?(?:\/|$)/.test(path))

/** Complains about the address of a git repository, and about what says the same once more. */
export function checkGitSource(levels: readonly Level[], complain: WorkOptions['complain']): void {
  const given = addressIn(levels)
  if (given === undefined) return
  const git = partsOf(given)
  const wrong = whyWrong(git, given)
  if (wrong !== undefined) complain(originIn(levels, 'source'), wrong)
  const { workspace } = levels.find(({ entry }) => entry.workspace !== undefined)?.entry ?? {}
  const place: Path = originIn(levels, 'workspace')
  if (workspace === 'none')
    complain(place, 'none cannot be beside a git address in `source`, which is checked out')
  if (typeof workspace === 'object' && workspace.url !== undefined)
    complain([...place, 'url'], 'stands in `source`, too: keep one of the two')
  if (git.branch !== undefined && levels.some(({ entry }) => entry.branch !== undefined))
    complain(originIn(levels, 'branch'), 'stands in `source`, too, behind its #: keep one of the two')
}

function whyWrong({ url, path, branch }: GitSource, given: string): string | undefined {
  if (hasReference(given) || placeholdersIn(given).length > 0)
    return 'is a git address, in which nothing is filled: write `workspace: {url: …}` instead, with `folder` and `branch`'
  if (!PARTS.test(given))
    return 'is a git address in which nobody can tell the repository from the folder: end the repository with .git, such as https://git.example.org/shop.git/folder#branch'
  if (!REPOSITORY_SHAPE.test(url))
    return 'is a git address with credentials, or with a transport that is not taken: expected https, ssh or a path'
  if (!isFolder(path)) return `names no folder of the repository behind .git/: ${path ?? ''}`
  if (branch !== undefined && !BRANCH_SHAPE.test(branch)) return `names no branch behind its #: ${branch}`
  return undefined
}
