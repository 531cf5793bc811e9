import { deploymentEvent, deploymentStatusEvent, pingEvent, pushEvent, type Push } from './payloads.ts'
import { pullRequestEvent, type PullRequest } from './pull-request-event.ts'
import type { Deployment, GitHubState, Hook } from './state.ts'
import { known } from './world.ts'

/** Payloads of webhooks, as GitHub would send them about what the double knows. */
export interface Events {
  deployment(deployment: Deployment): ReturnType<typeof deploymentEvent>
  /** About the newest status of the deployment. */
  deploymentStatus(deployment: Deployment): ReturnType<typeof deploymentStatusEvent>
  push(repository: string, push: Push): ReturnType<typeof pushEvent>
  pullRequest(repository: string, request: PullRequest): ReturnType<typeof pullRequestEvent>
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
  ping: (hook) => pingEvent(state, hook),
})
