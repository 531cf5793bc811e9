import { forkOf, showThrough } from './forks.ts'
import { addCommit, between, stack, type NewCommit } from './history.ts'
import { pullRequestEvent } from './pull-request-event.ts'
import { fullName } from './shapes.ts'
import type { Commit, GitHubState, PullRequest, Repository } from './state.ts'

/** A pull request that is merged now. */
export interface MergedPullRequest {
  readonly number: number
  readonly title: string
  readonly author: string
  /** Who merges; the author when left out. */
  readonly by?: string
  readonly method: 'merge' | 'squash' | 'rebase'
  /** The default branch when left out. */
  readonly base?: string
  /** The branch that is merged; made where there is none. */
  readonly head?: string
  /** Put onto the head first, oldest first; one when left out, on a head that was made. */
  readonly commits?: readonly NewCommit[]
  /** `owner/name` of the fork that the head is in; made where there is none. */
  readonly fromFork?: string
  /** Ids of what comes onto the base, oldest first: one, and with `rebase` one for each commit. */
  readonly shas?: readonly string[]
  /** The head branch is deleted afterwards. */
  readonly deleteBranch?: boolean
  /** Which events hooks hear of, and in which order: as at GitHub, `push` first, when left out. */
  readonly tell?: readonly ('push' | 'pull_request')[]
}

interface Head {
  readonly repository: Repository
  readonly branch: string
  readonly commit: Commit
}

/** Puts the commits of a pull request onto its base. */
export function merge(state: GitHubState, repository: Repository, request: Omit<MergedPullRequest, 'tell'>) {
  const { number, title, author, by = author, base = repository.defaultBranch } = request
  const before = headOf(repository, base)
  const head = openHead(state, repository, before, request)
  const { ahead } = between(repository, before, head.commit)
  const commits = resultOf(state, repository, { request, before, head, ahead })
  const after = commits.at(-1)?.sha ?? before.sha
  repository.branches.set(base, { sha: after, behind: 'no' })
  const pullRequest: PullRequest = {
    action: 'closed',
    number,
    title,
    author,
    base: { branch: base, sha: before.sha },
    head: { branch: head.branch, sha: head.commit.sha, repository: fullName(head.repository) },
    merged: { sha: after, by },
    commits: ahead.length,
  }
  repository.pullRequests.push({ ...pullRequest, shas: [...ahead, ...commits].map(({ sha }) => sha) })
  const closed = pullRequestEvent(state, repository, pullRequest)
  const pushed = { ref: `refs/heads/${base}`, before: before.sha, after, pusher: by }
  return { commits, pushed, closed, head }
}

function headOf({ branches, commits }: Repository, branch: string): Commit {
  const commit = commits.get(branches.get(branch)?.sha ?? '')
  if (commit === undefined) throw new Error(`The double of GitHub has no branch ${branch}`)
  return commit
}

/** The head of the pull request. */
function openHead(
  state: GitHubState,
  repository: Repository,
  base: Commit,
  { number, title, head: branch = `change-${number}`, commits, fromFork }: Omit<MergedPullRequest, 'tell'>,
): Head {
  const home = fromFork === undefined ? repository : forkOf(state, repository, fromFork)
  const existing = home.branches.get(branch)?.sha
  const added = commits ?? (existing === undefined ? [{ message: title }] : [])
  const made = stack(state, home, added, existing ?? base.sha)
  home.branches.set(branch, { sha: made.at(-1)?.sha ?? existing ?? base.sha, behind: 'no' })
  showThrough(home, repository)
  return { repository: home, branch, commit: headOf(home, branch) }
}

interface Merging {
  readonly request: Omit<MergedPullRequest, 'tell'>
  readonly before: Commit
  readonly head: Head
  /** What the head has and the base has not, oldest first. */
  readonly ahead: readonly Commit[]
}

/** What comes onto the base, oldest first. */
function resultOf(
  state: GitHubState,
  repository: Repository,
  { request, before, head, ahead }: Merging,
): Commit[] {
  const { number, title, author: login, method, shas = [] } = request
  const withId = (given: NewCommit, at: number): NewCommit => ({
    ...given,
    ...(shas[at] && { sha: shas[at] }),
  })
  if (method === 'rebase')
    return stack(
      state,
      repository,
      ahead.map(({ message, author, login }, at) => withId({ message, author, login }, at)),
      before.sha,
    )
  const committer = 'web-flow'
  const squashed = { message: `${title} (#${number})`, login, committer }
  if (method === 'squash') return stack(state, repository, [withId(squashed, 0)], before.sha)
  const merged = `Merge pull request #${number} from ${head.repository.owner}/${head.branch}\n\n${title}`
  return [
    addCommit(state, repository, withId({ message: merged, login: request.by ?? login, committer }, 0), [
      before.sha,
      head.commit.sha,
    ]),
  ]
}
