import { createHash } from 'node:crypto'

import type { Commit, GitHubState, Repository } from './state.ts'

/** A commit to be made; what is left out is made up. */
export type NewCommit = Pick<Commit, 'message'> &
  Partial<Pick<Commit, 'sha' | 'author' | 'login' | 'committer' | 'at'>>

const AUTHOR = { name: 'Shop team', email: 'team@example.org' }

/** Adds a commit that stands on no branch yet. One that is known already stays as it is. */
export function addCommit(
  state: GitHubState,
  repository: Repository,
  given: NewCommit,
  parents: readonly string[],
): Commit {
  const { sha = madeUpSha(state, repository), message, author = AUTHOR, at = state.clock() } = given
  const { login, committer } = given
  const commit = repository.commits.get(sha) ?? { sha, message, author, login, committer, at, parents }
  repository.commits.set(sha, commit)
  return commit
}

const madeUpSha = (state: GitHubState, { id }: Repository): string =>
  createHash('sha1').update(`${id} ${state.nextId()}`).digest('hex')

/** Adds commits, oldest first, each on top of the one before it. */
export function stack(
  state: GitHubState,
  repository: Repository,
  commits: readonly NewCommit[],
  onto: string | undefined,
): Commit[] {
  let parent = onto
  return commits.map((given) => {
    const commit = addCommit(state, repository, given, parent === undefined ? [] : [parent])
    parent = commit.sha
    return commit
  })
}

/** The commit and everything before it, nearest first. */
export function historyOf({ commits }: Repository, from: Commit): ReadonlySet<Commit> {
  const found = new Set([from])
  for (const { parents } of found)
    // a set that grows is walked to its new end
    for (const sha of parents) {
      const parent = commits.get(sha)
      if (parent !== undefined) found.add(parent)
    }
  return found
}

/** How two commits stand to each other; the lists are oldest first. */
export function between(repository: Repository, base: Commit, head: Commit) {
  const [inBase, inHead] = [historyOf(repository, base), historyOf(repository, head)]
  const all = [...repository.commits.values()]
  return {
    mergeBase: [...inHead].find((commit) => inBase.has(commit)),
    ahead: all.filter((commit) => inHead.has(commit) && !inBase.has(commit)),
    behind: all.filter((commit) => inBase.has(commit) && !inHead.has(commit)),
  }
}
