import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { askGit } from './git-question.ts'

export interface Asked {
  readonly sha: string
  /** `owner/name`. */
  readonly repository: string
  readonly path: string
  /** Work trees that begin above this folder are somebody else's; undefined: none are. */
  readonly within?: string | undefined
}

/**
 * The commit that the folder is at, where the folder is a work tree of the repository that was asked for:
 * it knows the commit, or has a remote of that name. Anything else, and any trouble, is undefined: then
 * nothing is said about it.
 */
export async function commitInFolder(
  folder: string,
  { sha, repository, path, within }: Asked,
): Promise<string | undefined> {
  const tree = workTreeOf(folder)
  if (tree === undefined || (within !== undefined && !isInside(tree, within))) return undefined
  const git = (...args: string[]): Promise<string | undefined> => askGit(tree, path, args)
  const head = await git('rev-parse', '--verify', '--quiet', '--end-of-options', 'HEAD^{commit}')
  if (head === undefined || !/^[0-9a-f]{40,64}$/.test(head)) return undefined
  if (head === sha) return head
  if ((await git('cat-file', '-t', sha)) === 'commit') return head
  const remotes = (await git('config', '--get-regexp', String.raw`^remote\..*\.url$`)) ?? ''
  return remotes.split('\n').some((line) => isRemoteOf(line.replace(/^\S+\s/, ''), repository))
    ? head
    : undefined
}

/** Where the work tree begins that the folder is in: git wants its true path before it trusts it. */
export function workTreeOf(folder: string): string | undefined {
  try {
    return upwards(realpathSync(folder)).find((path) => existsSync(join(path, '.git')))
  } catch {
    return undefined
  }
}

const isInside = (path: string, folder: string): boolean => `${path}/`.startsWith(`${realpathSync(folder)}/`)

const upwards = (path: string): string[] =>
  dirname(path) === path ? [path] : [path, ...upwards(dirname(path))]

/** Whether the last two parts of an address are the repository's owner and name. */
const isRemoteOf = (address: string, repository: string): boolean =>
  address
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .split(/[/:]/)
    .slice(-2)
    .join('/')
    .toLowerCase() === repository.toLowerCase()
