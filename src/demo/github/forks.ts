import { userCalled, type GitHubState, type Repository } from './state.ts'
import { addRepository, known } from './world.ts'

/** The fork of that name, made with everything its parent has where there is none. */
export function forkOf(state: GitHubState, parent: Repository, name: string): Repository {
  if (state.repositories.has(name.toLowerCase())) return known(state, name)
  const { isPrivate, defaultBranch, branches, commits } = parent
  userCalled(state, name.split('/')[0] ?? '') // a person, where addRepository would make an organization
  const fork = addRepository(state, name, { isPrivate, defaultBranch, isFork: true })
  fork.commits.clear()
  for (const [sha, commit] of commits) fork.commits.set(sha, commit)
  for (const [branch, at] of branches) fork.branches.set(branch, at)
  return fork
}

/** GitHub knows the commits of a fork in its parent too, by their ids, on no branch there. */
export function showThrough({ commits }: Repository, parent: Repository): void {
  for (const [sha, commit] of commits) if (!parent.commits.has(sha)) parent.commits.set(sha, commit)
}
