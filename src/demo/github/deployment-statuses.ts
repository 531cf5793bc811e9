import { validationFailed } from './answers.ts'
import { creatorOf, deploymentOf } from './deployments.ts'
import { charactersIn, readFields } from './fields.ts'
import { deploymentStatusEvent } from './payloads.ts'
import { existing, paged, type Announcement, type AskedThere, type Outcome, type Route } from './routes.ts'
import { deploymentStatusShape } from './shapes.ts'
import { DEPLOYMENT_STATES, type Deployment, type DeploymentStatus, type GitHubState } from './state.ts'

const READ = { permission: 'deployments', level: 'read', scopes: ['repo', 'repo_deployment'] } as const
const LIST = '/repos/{owner}/{repo}/deployments/{deployment_id}/statuses'
const CREATE_DOCS = 'deployments/statuses#create-a-deployment-status'
const MOST_CHARACTERS = 140

export const deploymentStatusRoutes: readonly Route[] = [
  { method: 'GET', template: LIST, right: READ, answer: list },
  { method: 'POST', template: LIST, right: { ...READ, level: 'write' }, answer: create },
  { method: 'GET', template: `${LIST}/{status_id}`, right: READ, answer: get },
]

function list(asked: AskedThere): Outcome {
  const deployment = deploymentOf(asked)
  return paged(asked, deployment.statuses.toReversed(), (page) =>
    page.map((status) => deploymentStatusShape(asked.state, deployment, status)),
  )
}

function get(asked: AskedThere): Outcome {
  const deployment = deploymentOf(asked)
  const status = existing(deployment.statuses.find(({ id }) => String(id) === asked.param('status_id')))
  return { status: 200, body: deploymentStatusShape(asked.state, deployment, status) }
}

function create(asked: AskedThere): Outcome {
  const { state } = asked
  const deployment = deploymentOf(asked)
  const given = readNewStatus(asked.body)
  const creator = creatorOf(state, asked.caller)
  const status: DeploymentStatus = {
    id: state.nextId(),
    state: given.state,
    description: given.description,
    environment: given.environment ?? deployment.environment,
    environmentUrl: given.environmentUrl,
    logUrl: given.logUrl,
    creator: creator.user,
    byApp: creator.byApp,
    createdAt: state.clock(),
  }
  append(deployment, status)
  if (given.autoInactive && status.state === 'success') retirePredecessors(state, deployment, status)
  const shape = deploymentStatusShape(state, deployment, status)
  return {
    status: 201,
    headers: { location: shape.url },
    body: shape,
    announces: announced(state, deployment, status),
  }
}

function readNewStatus(body: string) {
  const fields = readFields(body, CREATE_DOCS)
  const refuse = (field: string, message: string) =>
    validationFailed(CREATE_DOCS, { resource: 'DeploymentStatus', code: 'custom', field, message })
  const link = (name: string) => {
    const url = fields.text(name, '')
    if (url !== '' && !/^https?:\/\//.test(url)) throw refuse(name, `${name} must use http(s) scheme`)
    return url
  }
  const state = fields.oneOf('state', DEPLOYMENT_STATES, () =>
    refuse('state', 'state is not included in the list'),
  )
  const description = fields.text('description', '')
  if (charactersIn(description) > MOST_CHARACTERS)
    throw refuse('description', `description is too long (maximum is ${MOST_CHARACTERS} characters)`)
  return {
    state,
    description,
    environment: fields.text('environment', undefined),
    environmentUrl: link('environment_url'),
    logUrl: link('log_url') || link('target_url'),
    autoInactive: fields.flag('auto_inactive', true),
  }
}

function append(deployment: Deployment, status: DeploymentStatus): void {
  deployment.statuses.push(status)
  deployment.environment = status.environment
  deployment.updatedAt = status.createdAt
}

/** A success makes the earlier successes there inactive, but never those of a production or transient environment. */
function retirePredecessors(
  state: GitHubState,
  { id, repository }: Deployment,
  success: DeploymentStatus,
): void {
  for (const earlier of repository.deployments) {
    if (earlier.id === id || earlier.isProduction || earlier.isTransient) continue
    if (earlier.environment !== success.environment || earlier.statuses.at(-1)?.state !== 'success') continue
    append(earlier, {
      ...success,
      id: state.nextId(),
      state: 'inactive',
      description: '',
      logUrl: '',
      environmentUrl: '',
    })
  }
}

/** GitHub tells hooks of every status but `inactive`. */
function announced(
  state: GitHubState,
  deployment: Deployment,
  status: DeploymentStatus,
): readonly Announcement[] {
  if (status.state === 'inactive') return []
  const payload = deploymentStatusEvent(state, deployment, status)
  return [{ event: 'deployment_status', repository: deployment.repository, payload }]
}
