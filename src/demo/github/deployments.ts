import type { Caller } from './access.ts'
import { Refusal, invalidRequest, refusal } from './answers.ts'
import { unmetContexts } from './contexts.ts'
import { readFields, type Fields } from './fields.ts'
import { deploymentEvent } from './payloads.ts'
import { pushEvent } from './push-event.ts'
import { existing, paged, type AskedThere, type Outcome, type Route } from './routes.ts'
import { deploymentShape } from './shapes.ts'
import {
  resolve,
  userCalled,
  type Commit,
  type Deployment,
  type GitHubState,
  type Repository,
  type User,
} from './state.ts'

const READ = { permission: 'deployments', level: 'read', scopes: ['repo', 'repo_deployment'] } as const
const WRITE = { ...READ, level: 'write' } as const
const LIST = '/repos/{owner}/{repo}/deployments'
const ONE = `${LIST}/{deployment_id}`
const CREATE_DOCS = 'deployments/deployments#create-a-deployment'

export const deploymentRoutes: readonly Route[] = [
  { method: 'GET', template: LIST, right: READ, answer: list },
  {
    method: 'POST',
    template: LIST,
    right: WRITE,
    answer: ({ state, repository, body, caller }) =>
      create(state, repository, body, creatorOf(state, caller)),
  },
  {
    method: 'GET',
    template: ONE,
    right: READ,
    answer: (asked) => ({ status: 200, body: deploymentShape(asked.state, deploymentOf(asked)) }),
  },
  { method: 'DELETE', template: ONE, right: WRITE, answer: remove },
]

/** The deployment that the address names, or a 404. */
export const deploymentOf = ({ repository, param }: AskedThere): Deployment =>
  existing(repository.deployments.find(({ id }) => String(id) === param('deployment_id')))

/** Who writes: the token's user, and whether it is an app. */
export const creatorOf = (state: GitHubState, { user, token }: Caller): Creator => ({
  user: user ?? userCalled(state, 'ghost'),
  byApp: token?.type === 'app',
})

export interface Creator {
  readonly user: User
  readonly byApp: boolean
}

/**
 * What `POST …/deployments` does, in GitHub's order: read the body, find the commit, merge the default branch
 * in, look at the contexts, and only then make the deployment.
 */
export function create(state: GitHubState, repository: Repository, body: string, creator: Creator): Outcome {
  const given = readNewDeployment(body)
  const commit = resolve(repository, given.ref)
  if (commit === undefined) throw refusal(422, `No ref found for: ${given.ref}`)
  const merged = given.autoMerge ? mergeDefaultBranch(state, repository, given.ref, creator.user) : undefined
  if (merged !== undefined) return merged
  refuseUnmetContexts(repository, commit, given)
  const deployment = add(state, repository, commit, given, creator)
  const shape = deploymentShape(state, deployment)
  return {
    status: 201,
    headers: { location: shape.url },
    body: shape,
    announces: [{ event: 'deployment', repository, payload: deploymentEvent(state, deployment) }],
  }
}

type NewDeployment = ReturnType<typeof readNewDeployment>

function readNewDeployment(body: string) {
  const fields = readFields(body, CREATE_DOCS)
  const environment = fields.text('environment', 'production')
  return {
    ref: fields.text('ref'),
    task: fields.text('task', 'deploy'),
    autoMerge: fields.flag('auto_merge', true),
    requiredContexts: fields.texts('required_contexts', undefined),
    payload: payloadIn(fields),
    environment,
    description: fields.text('description', null),
    isTransient: fields.flag('transient_environment', false),
    isProduction: fields.flag('production_environment', environment === 'production'),
  }
}

/** GitHub keeps the payload as it was sent: text stays text, even where it is JSON. */
function payloadIn(fields: Fields): unknown {
  const payload = fields.raw('payload') ?? {}
  if (typeof payload === 'string' || (typeof payload === 'object' && !Array.isArray(payload))) return payload
  throw invalidRequest(
    CREATE_DOCS,
    `For 'properties/payload', ${JSON.stringify(payload)} is not an object or a string.`,
  )
}

function mergeDefaultBranch(
  state: GitHubState,
  repository: Repository,
  ref: string,
  user: User,
): Outcome | undefined {
  const { branches, commits, defaultBranch } = repository
  const branch = branches.get(ref)
  if (branch === undefined || ref === defaultBranch || branch.behind === 'no') return undefined
  if (branch.behind === 'conflicting')
    throw new Refusal({ status: 409, body: { message: `Conflict merging ${defaultBranch} into ${ref}` } })
  const merge: Commit = {
    sha: state.nextId().toString(16).padStart(40, 'a'),
    message: `Merge ${defaultBranch} into ${ref}`,
    author: { name: user.login, email: `${user.login}@users.noreply.example.org` },
    parents: [branch.sha, branches.get(defaultBranch)?.sha ?? branch.sha],
    at: state.clock(),
  }
  commits.set(merge.sha, merge)
  branches.set(ref, { sha: merge.sha, behind: 'no' })
  const push = { ref: `refs/heads/${ref}`, before: branch.sha, after: merge.sha, pusher: user.login }
  return {
    status: 202,
    body: { message: `Auto-merged ${defaultBranch} into ${ref} on deployment.` },
    announces: [{ event: 'push', repository, payload: pushEvent(state, repository, push) }],
  }
}

function refuseUnmetContexts(
  repository: Repository,
  { sha }: Commit,
  { ref, requiredContexts }: NewDeployment,
): void {
  const contexts = unmetContexts(repository, sha, requiredContexts)
  if (contexts.length === 0) return
  throw new Refusal({
    status: 409,
    body: {
      message: `Conflict: Commit status checks failed for ${ref}.`,
      errors: [{ contexts, resource: 'Deployment', field: 'required_contexts', code: 'invalid' }],
      documentation_url: `https://docs.github.com/rest/${CREATE_DOCS}`,
      status: '409',
    },
  })
}

function add(
  state: GitHubState,
  repository: Repository,
  { sha }: Commit,
  given: NewDeployment,
  creator: Creator,
): Deployment {
  const deployment: Deployment = {
    id: state.nextId(),
    repository,
    sha,
    ref: given.ref,
    task: given.task,
    payload: given.payload,
    originalEnvironment: given.environment,
    environment: given.environment,
    description: given.description,
    isTransient: given.isTransient,
    isProduction: given.isProduction,
    creator: creator.user,
    byApp: creator.byApp,
    createdAt: state.clock(),
    updatedAt: state.clock(),
    statuses: [],
  }
  repository.deployments.push(deployment)
  return deployment
}

function list(asked: AskedThere): Outcome {
  const wanted = (name: string, value: string) => [null, '', 'none', value].includes(asked.query.get(name))
  const found = asked.repository.deployments.filter(
    ({ sha, ref, task, environment }) =>
      wanted('sha', sha) && wanted('ref', ref) && wanted('task', task) && wanted('environment', environment),
  )
  return paged(asked, found.toReversed(), (page) => page.map((one) => deploymentShape(asked.state, one)))
}

function remove(asked: AskedThere): Outcome {
  const { deployments } = asked.repository
  const deployment = deploymentOf(asked)
  if (deployments.length > 1 && deployment.statuses.at(-1)?.state !== 'inactive')
    throw refusal(
      422,
      'We cannot delete an active deployment unless it is the only deployment in a given repository.',
    )
  deployments.splice(deployments.indexOf(deployment), 1)
  return { status: 204 }
}
