import { userCalled, type CheckRun, type CommitStatus, type GitHubState, type Repository } from './state.ts'

export type NewCommitStatus = Pick<CommitStatus, 'context' | 'state'> &
  Partial<Pick<CommitStatus, 'description' | 'targetUrl'>> & { readonly by?: string }

/** Without a suite, that which the app already has for the commit. */
export type NewCheckRun = Pick<CheckRun, 'name' | 'status' | 'conclusion'> &
  Partial<Pick<CheckRun, 'app' | 'suiteId'>>

export function addCommitStatus(
  state: GitHubState,
  { commitStatuses }: Repository,
  sha: string,
  { by = 'ci[bot]', ...given }: NewCommitStatus,
): CommitStatus {
  const status: CommitStatus = {
    id: state.nextId(),
    sha,
    description: null,
    targetUrl: null,
    creator: userCalled(state, by),
    createdAt: state.clock(),
    ...given,
  }
  commitStatuses.push(status)
  return status
}

/** Adds a run, or goes on with the one of that name in that suite which is not completed. */
export function addCheckRun(
  state: GitHubState,
  { checkRuns }: Repository,
  sha: string,
  { app = 'github-actions', ...given }: NewCheckRun,
): { readonly run: CheckRun; readonly isNew: boolean } {
  const ofApp = checkRuns.filter((run) => run.sha === sha && run.app === app)
  const suiteId = given.suiteId ?? ofApp[0]?.suiteId ?? state.nextId()
  const begun = ofApp.find(
    (run) => run.name === given.name && run.suiteId === suiteId && run.status !== 'completed',
  )
  const { id, startedAt } = begun ?? { id: state.nextId(), startedAt: state.clock() }
  const run: CheckRun = { ...given, id, sha, app, suiteId, startedAt }
  if (begun === undefined) checkRuns.push(run)
  else checkRuns[checkRuns.indexOf(begun)] = run
  return { run, isNew: begun === undefined }
}
