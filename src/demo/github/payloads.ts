import { hookShape } from './hook-shapes.ts'
import { repositoryShape } from './repository-shape.ts'
import { deploymentShape, deploymentStatusShape, fullName, htmlUrl, timeText, userShape } from './shapes.ts'
import {
  userCalled,
  type Commit,
  type Deployment,
  type DeploymentStatus,
  type GitHubState,
  type Hook,
  type Repository,
} from './state.ts'

const NO_COMMIT = '0'.repeat(40)

/** The `deployment` event, as one that the API made sends it: no workflow is behind it. */
export const deploymentEvent = (state: GitHubState, deployment: Deployment) => ({
  deployment: deploymentShape(state, deployment),
  action: 'created',
  workflow: null,
  workflow_run: null,
  repository: repositoryShape(state, deployment.repository),
  sender: userShape(state, deployment.creator),
})

/** The `deployment_status` event. */
export const deploymentStatusEvent = (
  state: GitHubState,
  deployment: Deployment,
  status: DeploymentStatus,
) => ({
  deployment_status: deploymentStatusShape(state, deployment, status),
  deployment: deploymentShape(state, deployment),
  action: 'created',
  check_run: null,
  workflow: null,
  workflow_run: null,
  repository: repositoryShape(state, deployment.repository),
  sender: userShape(state, status.creator),
})

/** The `ping` event that a new hook gets. */
export const pingEvent = (state: GitHubState, hook: Hook) => ({
  zen: 'Keep it logically awesome.',
  hook_id: hook.id,
  hook: hookShape(state, hook),
  repository: repositoryShape(state, hook.repository),
  sender: userShape(state, userCalled(state, hook.repository.owner)),
})

export interface Push {
  /** In full, such as `refs/heads/main`. */
  readonly ref: string
  /** Commit ids; 40 zeros for a ref that did not exist, or is no more. */
  readonly before?: string
  readonly after?: string
  readonly pusher: string
}

/** The `push` event, with the commits between `before` and `after` that the double knows. */
export function pushEvent(
  state: GitHubState,
  repository: Repository,
  { ref, before = NO_COMMIT, after = NO_COMMIT, pusher }: Push,
) {
  const page = `${htmlUrl(state)}/${fullName(repository)}`
  const commits = between(repository, before, after).map((commit) => pushedCommit(page, commit))
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
    forced: false,
    base_ref: null,
    compare: `${page}/compare/${before.slice(0, 12)}...${after.slice(0, 12)}`,
    commits,
    head_commit: commits.at(-1) ?? null,
  }
}

function between({ commits }: Repository, before: string, after: string): Commit[] {
  const found: Commit[] = []
  for (let sha: string | undefined = after; sha !== undefined && sha !== before;) {
    const commit = commits.get(sha)
    if (commit !== undefined) found.unshift(commit)
    sha = before === NO_COMMIT ? undefined : commit?.parents[0]
  }
  return found
}

function pushedCommit(page: string, { sha, message, author, at }: Commit) {
  return {
    id: sha,
    tree_id: sha,
    distinct: true,
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
