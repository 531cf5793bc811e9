import { runInNewContext } from 'node:vm'

import { workTreeOf } from './commit-in-folder.ts'
import { askGit } from './git-question.ts'

export interface ChangedFacts {
  /** The work tree, or a folder in it. */
  readonly folder: string
  readonly sha: string
  /** The commit of the last success before; undefined when there was none. */
  readonly previousSha: string | undefined
  /** Where git is found. */
  readonly path: string
}

/** Whether a file that matches one of the patterns has changed, with a sentence where the answer is no, or not known. */
export type Changed =
  | { readonly isChanged: true }
  | { readonly isChanged: false; readonly because: string }
  | { readonly isChanged: undefined; readonly because: string }

const MOST_BYTES = 20_000_000
/** Also a commit may write patterns, and some take for ever: nobody else is served meanwhile. */
const MOST_MS = 1_000

/** A plain path may be one of a folder: then all that is in it counts. */
const foldersAmong = (patterns: readonly string[]): string[] =>
  patterns.filter((pattern) => /^[^*?[\]{}()!+@\\]+$/.test(pattern)).map((pattern) => `${pattern}/**`)

/** Compares the two commits in the folder, which has to know both. Patterns are of paths from the root of the repository. */
export async function changedIn(
  patterns: readonly string[],
  { folder, sha, previousSha, path }: ChangedFacts,
): Promise<Changed> {
  if (previousSha === undefined)
    return { isChanged: undefined, because: 'nothing has been deployed here before' }
  const tree = workTreeOf(folder)
  if (tree === undefined) return { isChanged: undefined, because: `${folder} is in no work tree of git` }
  const [from, to] = [previousSha.slice(0, 7), sha.slice(0, 7)]
  const ids = [`${previousSha}^{commit}`, `${sha}^{commit}`]
  const listing = ['diff-tree', '-r', '--no-renames', '--name-only', '-z', '--end-of-options', ...ids]
  const listed = await askGit(tree, path, listing, { mostBytes: MOST_BYTES })
  if (listed === undefined)
    return { isChanged: undefined, because: `git cannot compare ${from} with ${to} in ${folder}` }
  const files = listed.split('\0').filter((file) => file !== '')
  const matches = await matchAny([...patterns, ...foldersAmong(patterns)], files)
  if (matches === undefined)
    return { isChanged: undefined, because: `nobody can say in time what matches ${patterns.join(' or ')}` }
  if (matches) return { isChanged: true }
  const of = files.length === 1 ? 'The one file' : `None of the ${files.length} files`
  const verb = files.length === 1 ? 'does not match' : 'matches'
  const because =
    files.length === 0
      ? `Nothing differs between ${from} and ${to}.`
      : `${of} changed from ${from} to ${to} ${verb} ${patterns.join(' or ')}.`
  return { isChanged: false, because }
}

/** Undefined where that takes too long, or a pattern is none. */
async function matchAny(patterns: readonly string[], files: readonly string[]): Promise<boolean | undefined> {
  const { default: picomatch } = await import('picomatch')
  try {
    const matches = picomatch([...patterns], { dot: true, nonegate: true })
    return Boolean(
      runInNewContext('files.some((file) => matches(file))', { files, matches }, { timeout: MOST_MS }),
    )
  } catch {
    return undefined
  }
}
