/** A deployment status as GitHub takes it: https://docs.github.com/rest/deployments/statuses */
export interface DeploymentStatus {
  readonly state: 'queued' | 'pending' | 'in_progress' | 'success' | 'failure' | 'error' | 'inactive'
  /** At most 140 characters; GitHub refuses more. */
  readonly description: string
  readonly logUrl?: string | undefined
  readonly environmentUrl?: string | undefined
  /** What is live there stays what it was: nothing becomes inactive by it. */
  readonly keepsOthers?: boolean | undefined
}

/** A status of a commit as GitHub takes it: https://docs.github.com/rest/commits/statuses */
export interface CommitStatus {
  /** By what it is told from the others of the commit. */
  readonly context: string
  readonly state: 'pending' | 'success' | 'failure' | 'error'
  /** At most 140 characters; GitHub refuses more. */
  readonly description: string
  readonly targetUrl?: string | undefined
}

const OURS = 'ferryman/'

/** The context under which the deployments to an environment are shown at a commit. */
export const contextOf = (environment: string): string => `${OURS}${environment}`

/** Whether a context is one of these, of this server or another. GitHub compares them without regard to case. */
export const isOurContext = (context: string): boolean => context.toLowerCase().startsWith(OURS)
