import { hookShape } from './hook-shapes.ts'
import { repositoryShape } from './repository-shape.ts'
import { deploymentShape, deploymentStatusShape, userShape } from './shapes.ts'
import { userCalled, type Deployment, type DeploymentStatus, type GitHubState, type Hook } from './state.ts'

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
