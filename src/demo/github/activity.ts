import { checkRunEvent, checkSuiteEvent, runsOfSuite, statusEvent } from './check-events.ts'
import type { Delivered } from './delivery.ts'
import { addCheckRun, addCommitStatus, type NewCheckRun, type NewCommitStatus } from './checks.ts'
import { forkOf, showThrough } from './forks.ts'
import { stack, type NewCommit } from './history.ts'
import { merge, type MergedPullRequest } from './merge.ts'
import { branchEvent, pushEvent } from './push-event.ts'
import type { Announcement } from './routes.ts'
import type { CheckRun, Commit, CommitStatus, GitHubState, Repository } from './state.ts'
import { addCommits, known } from './world.ts'

/**
 * What people and robots do at GitHub, and what hooks hear of it. Each resolves when every hook has answered;
 * a hook hears one event after the other. Repositories are named `owner/name`.
 */
export interface Activity {
  /** Pushes commits, oldest first, onto a branch; a new branch begins at the default one. */
  push(repository: string, commits: readonly NewCommit[], given?: PushGiven): Promise<Pushed>
  /** Pushes commits onto the default branch of a fork, made where there is none; no hook here hears of it. */
  pushToFork(repository: string, fork: string, commits: readonly NewCommit[]): readonly Commit[]
  deleteBranch(repository: string, branch: string, by?: string): Promise<readonly Delivered[]>
  /** Merges a pull request. */
  merge(repository: string, request: MergedPullRequest): Promise<Merged>
  reportStatus(repository: string, sha: string, given: NewCommitStatus): Promise<Reported<CommitStatus>>
  /** Begins a check run, or ends the one of that name which has begun; with its last run a suite ends. */
  reportCheckRun(repository: string, sha: string, given: NewCheckRun): Promise<Reported<CheckRun>>
}

interface PushGiven {
  /** The default branch when left out. */
  readonly branch?: string
  readonly by?: string
  /** The commit to which the branch is set back first. */
  readonly force?: string
}

interface Pushed {
  readonly commits: readonly Commit[]
  readonly deliveries: readonly Delivered[]
}

interface Merged {
  /** `merge_commit_sha`: the newest commit that came of it. */
  readonly sha: string
  /** What came onto the branch, oldest first. */
  readonly commits: readonly Commit[]
  readonly deliveries: readonly Delivered[]
}

interface Reported<Thing> {
  readonly reported: Thing
  readonly deliveries: readonly Delivered[]
}

type Announce = (announcements: readonly Announcement[]) => Promise<readonly Delivered[]>

export function createActivity(state: GitHubState, announce: Announce): Activity {
  async function tell(announcements: readonly Announcement[]): Promise<Delivered[]> {
    const deliveries: Delivered[] = []
    for (const one of announcements) deliveries.push(...(await announce([one])))
    return deliveries
  }

  return {
    async push(name, commits, { branch, by = 'mona', force } = {}) {
      const repository = known(state, name)
      const target = branch ?? repository.defaultBranch
      const { branches, defaultBranch } = repository
      const before = branches.get(target)?.sha
      const onto = force ?? before ?? branches.get(defaultBranch)?.sha
      const made = stack(state, repository, commits, onto)
      const after = made.at(-1)?.sha ?? onto
      if (after === undefined) throw new Error(`There is nothing that ${target} could point at`)
      branches.set(target, { sha: after, behind: 'no' })
      const moved = branchMoved(state, repository, { branch: target, before, after, by })
      return { commits: made, deliveries: await tell(moved) }
    },
    pushToFork(name, forkName, commits) {
      const parent = known(state, name)
      const fork = forkOf(state, parent, forkName)
      const made = addCommits(state, fork, commits, fork.defaultBranch)
      showThrough(fork, parent)
      return made
    },
    async deleteBranch(name, branch, by = 'mona') {
      return tell(deleted(state, known(state, name), branch, by))
    },
    async merge(name, { tell: events = ['push', 'pull_request'], ...request }) {
      const repository = known(state, name)
      const { commits, pushed, closed, head } = merge(state, repository, request)
      const announcements = {
        push: { event: 'push', repository, payload: pushEvent(state, repository, pushed) },
        pull_request: { event: 'pull_request', repository, payload: closed },
      }
      const heard = await tell(events.map((event) => announcements[event]))
      const last =
        request.deleteBranch === true ? deleted(state, head.repository, head.branch, pushed.pusher) : []
      return { sha: pushed.after, commits, deliveries: [...heard, ...(await tell(last))] }
    },
    async reportStatus(name, sha, given) {
      const repository = known(state, name)
      const reported = addCommitStatus(state, repository, sha, given)
      const payload = statusEvent(state, repository, reported)
      return { reported, deliveries: await tell([{ event: 'status', repository, payload }]) }
    },
    async reportCheckRun(name, sha, given) {
      const repository = known(state, name)
      const { run, isNew } = addCheckRun(state, repository, sha, given)
      return { reported: run, deliveries: await tell(checkRunReported(state, repository, run, isNew)) }
    },
  }
}

interface Moved {
  readonly branch: string
  readonly before: string | undefined
  readonly after: string | undefined
  readonly by: string
}

/** A branch that is made or deleted is told of twice. */
function branchMoved(
  state: GitHubState,
  repository: Repository,
  { branch, before, after, by }: Moved,
): Announcement[] {
  const push = pushEvent(state, repository, { ref: `refs/heads/${branch}`, before, after, pusher: by })
  const isNew = before === undefined
  const event = isNew ? 'create' : 'delete'
  return [
    { event: 'push', repository, payload: push },
    ...(isNew || after === undefined
      ? [{ event, repository, payload: branchEvent(state, repository, { branch, by, isNew }) }]
      : []),
  ]
}

function deleted(state: GitHubState, repository: Repository, branch: string, by: string): Announcement[] {
  const before = repository.branches.get(branch)?.sha
  if (before === undefined) throw new Error(`The double of GitHub has no branch ${branch}`)
  repository.branches.delete(branch)
  return branchMoved(state, repository, { branch, before, after: undefined, by })
}

function checkRunReported(
  state: GitHubState,
  repository: Repository,
  run: CheckRun,
  isNew: boolean,
): Announcement[] {
  const isCompleted = run.status === 'completed'
  const actions = [...(isNew ? (['created'] as const) : []), ...(isCompleted ? (['completed'] as const) : [])]
  const isSuiteDone = runsOfSuite(repository, run).every(({ status }) => status === 'completed')
  return [
    ...actions.map((action) => ({
      event: 'check_run',
      repository,
      payload: checkRunEvent(state, repository, run, action),
    })),
    ...(isSuiteDone
      ? [{ event: 'check_suite', repository, payload: checkSuiteEvent(state, repository, run) }]
      : []),
  ]
}
