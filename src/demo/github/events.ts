import { checkRunEvent, checkSuiteEvent, statusEvent } from './check-events.ts'
import { deploymentEvent, deploymentStatusEvent, pingEvent } from './payloads.ts'
import { pullRequestEvent } from './pull-request-event.ts'
import { branchEvent, pushEvent, type Push } from './push-event.ts'
import type { CheckRun, CommitStatus, Deployment, GitHubState, PullRequest, Hook } from './state.ts'
import { known } from './world.ts'

/** Payloads of webhooks, as GitHub would send them about what the double knows. */
export interface Events {
  deployment(deployment: Deployment): ReturnType<typeof deploymentEvent>
  /** About the newest status of the deployment. */
  deploymentStatus(deployment: Deployment): ReturnType<typeof deploymentStatusEvent>
  push(repository: string, push: Push): ReturnType<typeof pushEvent>
  pullRequest(repository: string, request: PullRequest): ReturnType<typeof pullRequestEvent>
  /** `create` or `delete`. */
  branch(repository: string, change: Parameters<typeof branchEvent>[2]): ReturnType<typeof branchEvent>
  status(repository: string, status: CommitStatus): ReturnType<typeof statusEvent>
  checkRun(
    repository: string,
    run: CheckRun,
    action: 'created' | 'completed',
  ): ReturnType<typeof checkRunEvent>
  checkSuite(repository: string, run: CheckRun): ReturnType<typeof checkSuiteEvent>
  ping(hook: Hook): ReturnType<typeof pingEvent>
}

export const createEvents = (state: GitHubState): Events => ({
  deployment: (deployment) => deploymentEvent(state, deployment),
  deploymentStatus(deployment) {
    const status = deployment.statuses.at(-1)
    if (status === undefined) throw new Error(`Deployment ${deployment.id} has no status yet`)
    return deploymentStatusEvent(state, deployment, status)
  },
  push: (repository, push) => pushEvent(state, known(state, repository), push),
  pullRequest: (repository, request) => pullRequestEvent(state, known(state, repository), request),
  branch: (repository, change) => branchEvent(state, known(state, repository), change),
  status: (repository, status) => statusEvent(state, known(state, repository), status),
  checkRun: (repository, run, action) => checkRunEvent(state, known(state, repository), run, action),
  checkSuite: (repository, run) => checkSuiteEvent(state, known(state, repository), run),
  ping: (hook) => pingEvent(state, hook),
})
