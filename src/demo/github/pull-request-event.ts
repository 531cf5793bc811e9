import { pullRequestShape } from './pull-request-shape.ts'
import { repositoryShape } from './repository-shape.ts'
import { userShape } from './shapes.ts'
import { userCalled, type GitHubState, type PullRequest, type Repository } from './state.ts'

/** The `pull_request` event. */
export function pullRequestEvent(state: GitHubState, repository: Repository, request: PullRequest) {
  return {
    action: request.action,
    number: request.number,
    pull_request: pullRequestShape(state, repository, request),
    repository: repositoryShape(state, repository),
    sender: userShape(state, userCalled(state, request.merged?.by ?? request.author)),
  }
}
