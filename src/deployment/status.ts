/** A deployment status as GitHub takes it: https://docs.github.com/rest/deployments/statuses */
export interface DeploymentStatus {
  readonly state: 'queued' | 'pending' | 'in_progress' | 'success' | 'failure' | 'error' | 'inactive'
  /** At most 140 characters; GitHub refuses more. */
  readonly description: string
  readonly logUrl?: string | undefined
  readonly environmentUrl?: string | undefined
}
