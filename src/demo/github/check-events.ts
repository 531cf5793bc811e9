import { latestCheckRuns } from './contexts.ts'
import { historyOf } from './history.ts'
import { repositoryShape } from './repository-shape.ts'
import {
  appShape,
  branchSummary,
  checkRunShape,
  commitShape,
  commitStatusShape,
  fullName,
  nodeId,
  repositoryUrl,
  timeText,
  userShape,
} from './shapes.ts'
import { userCalled, type CheckRun, type CommitStatus, type GitHubState, type Repository } from './state.ts'

const MOST_BRANCHES = 10

/** The `status` event, with the branches that hold the commit. */
export function statusEvent(state: GitHubState, repository: Repository, status: CommitStatus) {
  const commit = repository.commits.get(status.sha)
  if (commit === undefined) throw new Error(`${fullName(repository)} has no commit ${status.sha}`)
  const holding = [...repository.branches].filter(([, { sha }]) => {
    const head = repository.commits.get(sha)
    return head !== undefined && historyOf(repository, head).has(commit)
  })
  const { url: _, node_id: __, ...shape } = commitStatusShape(state, repository, status)
  return {
    ...shape,
    sha: status.sha,
    name: fullName(repository),
    commit: commitShape(state, repository, commit),
    branches: holding
      .slice(0, MOST_BRANCHES)
      .map(([name, { sha }]) => branchSummary(state, repository, name, sha)),
    repository: repositoryShape(state, repository),
    sender: userShape(state, status.creator),
  }
}

/** The `check_run` event: hooks of a repository hear of `created` and `completed`. */
export const checkRunEvent = (
  state: GitHubState,
  repository: Repository,
  run: CheckRun,
  action: 'created' | 'completed',
) => {
  const { app: _, head_commit: __, ...suite } = checkSuiteShape(state, repository, run)
  return {
    action,
    check_run: { ...checkRunShape(state, repository, run), check_suite: suite },
    repository: repositoryShape(state, repository),
    sender: senderOf(state, run),
  }
}

/** The `check_suite` event about the suite that the run belongs to. */
export const checkSuiteEvent = (state: GitHubState, repository: Repository, run: CheckRun) => ({
  action: 'completed',
  check_suite: checkSuiteShape(state, repository, run),
  repository: repositoryShape(state, repository),
  sender: senderOf(state, run),
})

const senderOf = (state: GitHubState, { app }: CheckRun) => userShape(state, userCalled(state, `${app}[bot]`))

/** The newest runs of the suite that the run belongs to. */
export const runsOfSuite = (repository: Repository, { sha, suiteId }: CheckRun): CheckRun[] =>
  latestCheckRuns(repository, sha).filter((run) => run.suiteId === suiteId)

function checkSuiteShape(state: GitHubState, repository: Repository, run: CheckRun) {
  const { sha, suiteId, app, startedAt } = run
  const runs = runsOfSuite(repository, run)
  const isCompleted = runs.every(({ status }) => status === 'completed')
  const url = `${repositoryUrl(state, repository)}/check-suites/${suiteId}`
  const commit = repository.commits.get(sha)
  const person = commit?.author ?? { name: 'nobody', email: 'nobody@example.org' }
  return {
    id: suiteId,
    node_id: nodeId('CS', suiteId),
    head_branch: [...repository.branches].find(([, branch]) => branch.sha === sha)?.[0] ?? null, // null for a fork's
    head_sha: sha,
    status: isCompleted ? 'completed' : 'in_progress',
    conclusion: isCompleted ? conclusionOf(runs) : null,
    url,
    before: commit?.parents[0] ?? '0'.repeat(40),
    after: sha,
    pull_requests: [],
    app: appShape(state, app),
    created_at: timeText(startedAt),
    updated_at: timeText(state.clock()),
    latest_check_runs_count: runs.length,
    check_runs_url: `${url}/check-runs`,
    head_commit: {
      id: sha,
      tree_id: sha,
      message: commit?.message ?? '',
      timestamp: timeText(commit?.at ?? startedAt),
      author: person,
      committer: person,
    },
  }
}

/** The worst that one of its runs says. */
function conclusionOf(runs: readonly CheckRun[]): CheckRun['conclusion'] {
  const order = [
    'action_required',
    'timed_out',
    'cancelled',
    'failure',
    'success',
    'neutral',
    'skipped',
  ] as const
  return order.find((word) => runs.some(({ conclusion }) => conclusion === word)) ?? 'neutral'
}
