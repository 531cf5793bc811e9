import type { Deployment } from '../deployment/deployment.ts'
import { contextOf, type CommitStatus, type DeploymentStatus } from '../deployment/status.ts'

/** A status of a commit as it is owed. */
export interface OwedCommitStatus extends CommitStatus {
  readonly sha: string
  /** It only ends what was pending: of what gave way nothing else is said. */
  readonly onlyOverPending: boolean
}

const STATES = {
  queued: 'pending',
  pending: 'pending',
  in_progress: 'pending',
  success: 'success',
  failure: 'failure',
  error: 'error',
  inactive: 'error', // a commit knows no word for it
} as const satisfies Record<DeploymentStatus['state'], CommitStatus['state']>

/**
 * The status of the commit that goes with the status of its deployment; undefined: none. Pure. What says nothing about
 * the commit has none: another task than to deploy it, and one that nobody knows. Nor has what GitHub has not made yet, before it ends.
 */
export function commitStatus(
  deployment: Deployment,
  { state: deploymentState, description, logUrl }: DeploymentStatus,
): OwedCommitStatus | undefined {
  const { task, reason, sha, environment, githubId } = deployment
  if (task !== 'deploy' || reason === 'task_unknown') return undefined
  const state = STATES[deploymentState]
  const isTakenBack = deploymentState === 'inactive'
  if (githubId === undefined && (state === 'pending' || isTakenBack)) return undefined
  return {
    sha,
    context: contextOf(environment),
    state,
    description,
    ...(logUrl === undefined ? {} : { targetUrl: logUrl }),
    onlyOverPending: isTakenBack,
  }
}
