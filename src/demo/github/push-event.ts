import { historyOf } from './history.ts'
import { repositoryShape } from './repository-shape.ts'
import { fullName, htmlUrl, timeText, userShape } from './shapes.ts'
import { userCalled, type Commit, type GitHubState, type Repository } from './state.ts'

const NO_COMMIT = '0'.repeat(40)

export interface Push {
  /** In full, such as `refs/heads/main`. */
  readonly ref: string
  /** Commit ids; left out for a ref that did not exist, or is no more. */
  readonly before?: string | undefined
  readonly after?: string | undefined
  readonly pusher: string
}

/** The `push` event, with the commits that it brings as far as the double knows them. */
export function pushEvent(
  state: GitHubState,
  repository: Repository,
  { ref, before = NO_COMMIT, after = NO_COMMIT, pusher }: Push,
) {
  const page = `${htmlUrl(state)}/${fullName(repository)}`
  const elsewhere = historyOfOthers(repository, ref)
  const [old, head] = [repository.commits.get(before), repository.commits.get(after)]
  const known = old === undefined ? elsewhere : historyOf(repository, old)
  const reached = head === undefined ? new Set<Commit>() : historyOf(repository, head)
  const shape = (commit: Commit) => pushedCommit(page, commit, !elsewhere.has(commit))
  return {
    ref,
    before,
    after,
    repository: {
      ...repositoryShape(state, repository),
      stargazers: 0,
      master_branch: repository.defaultBranch,
    },
    pusher: { name: pusher, email: `${pusher}@users.noreply.example.org` },
    sender: userShape(state, userCalled(state, pusher)),
    created: before === NO_COMMIT,
    deleted: after === NO_COMMIT,
    forced: old !== undefined && head !== undefined && !reached.has(old),
    base_ref: null,
    compare: `${page}/compare/${before.slice(0, 12)}...${after.slice(0, 12)}`,
    commits: [...repository.commits.values()]
      .filter((commit) => reached.has(commit) && !known.has(commit))
      .map(shape),
    head_commit: head === undefined ? null : shape(head),
  }
}

/** The `create` or `delete` event that goes with the push of a branch. */
export const branchEvent = (
  state: GitHubState,
  repository: Repository,
  { branch, by, isNew }: { readonly branch: string; readonly by: string; readonly isNew: boolean },
) => ({
  ref: branch,
  ref_type: 'branch',
  ...(isNew ? { master_branch: repository.defaultBranch, description: null } : {}),
  pusher_type: 'user',
  repository: repositoryShape(state, repository),
  sender: userShape(state, userCalled(state, by)),
})

/** What the other branches hold. */
function historyOfOthers(repository: Repository, ref: string): ReadonlySet<Commit> {
  const heads = [...repository.branches]
    .filter(([name]) => ref !== `refs/heads/${name}`)
    .flatMap(([, { sha }]) => repository.commits.get(sha) ?? [])
  return new Set(heads.flatMap((head) => [...historyOf(repository, head)]))
}

/** `distinct`: no other branch has it yet. */
function pushedCommit(page: string, { sha, message, author, at }: Commit, distinct: boolean) {
  return {
    id: sha,
    tree_id: sha,
    distinct,
    message,
    timestamp: timeText(at),
    url: `${page}/commit/${sha}`,
    author,
    committer: author,
    added: [],
    removed: [],
    modified: [],
  }
}
