import { refusal, validationFailed } from './answers.ts'
import { statusEvent } from './check-events.ts'
import { combinedState, latestCheckRuns, latestStatuses } from './contexts.ts'
import { creatorOf } from './deployments.ts'
import { charactersIn, readFields } from './fields.ts'
import { fullRepositoryShape, repositoryShape } from './repository-shape.ts'
import { existing, paged, type AskedThere, type Outcome, type Route } from './routes.ts'
import {
  branchShape,
  checkRunShape,
  commitShape,
  commitStatusShape,
  repositoryUrl,
  userShape,
} from './shapes.ts'
import { resolve, type Commit, type CommitStatus } from './state.ts'

const REPOSITORY = '/repos/{owner}/{repo}'
const COMMIT = `${REPOSITORY}/commits/{ref}`
const reading = (permission: string, ...scopes: string[]) =>
  ({ permission, level: 'read', scopes: ['repo', ...scopes] }) as const

/** Those with more after `{ref}` come first: a ref may hold slashes. */
export const commitRoutes: readonly Route[] = [
  { method: 'GET', template: REPOSITORY, right: reading('metadata'), answer: repositoryItself },
  { method: 'GET', template: `${REPOSITORY}/branches/{branch}`, right: reading('contents'), answer: branch },
  {
    method: 'GET',
    template: `${COMMIT}/status`,
    right: reading('statuses', 'repo:status'),
    answer: combinedStatus,
  },
  { method: 'GET', template: `${COMMIT}/check-runs`, right: reading('checks'), answer: checkRuns },
  { method: 'GET', template: COMMIT, right: reading('contents'), answer: commit },
  {
    method: 'POST',
    template: `${REPOSITORY}/statuses/{sha}`,
    right: { permission: 'statuses', level: 'write', scopes: ['repo', 'repo:status'] },
    answer: createStatus,
  },
]

function repositoryItself({ state, repository, caller: { token } }: AskedThere): Outcome {
  return {
    status: 200,
    body: fullRepositoryShape(
      state,
      repository,
      token !== undefined && (token.type === 'classic' || token.permissions['contents'] === 'write'),
    ),
  }
}

function branch({ state, repository, param }: AskedThere): Outcome {
  const name = param('branch')
  const sha = repository.branches.get(name)?.sha
  const head = sha === undefined ? undefined : repository.commits.get(sha)
  if (head === undefined) throw refusal(404, 'Branch not found')
  return { status: 200, body: branchShape(state, repository, name, head) }
}

function commit({ state, repository, param }: AskedThere): Outcome {
  const found = resolve(repository, param('ref'))
  if (found === undefined) throw refusal(422, `No commit found for SHA: ${param('ref')}`)
  return { status: 200, body: commitShape(state, repository, found) }
}

const commitIn = ({ repository, param }: AskedThere): Commit => existing(resolve(repository, param('ref')))

function combinedStatus(asked: AskedThere): Outcome {
  const { state, repository } = asked
  const { sha } = commitIn(asked)
  const statuses = latestStatuses(repository, sha)
  const url = `${repositoryUrl(state, repository)}/commits/${sha}`
  return paged(asked, statuses, (page) => ({
    state: combinedState(statuses),
    statuses: page.map((status) => commitStatusShape(state, repository, status)),
    sha,
    total_count: statuses.length,
    repository: repositoryShape(state, repository),
    commit_url: url,
    url: `${url}/status`,
  }))
}

function checkRuns(asked: AskedThere): Outcome {
  const { state, repository, query } = asked
  const { sha } = commitIn(asked)
  const all = repository.checkRuns.filter((run) => run.sha === sha).toReversed()
  const wanted = (name: string, value: string) => [null, value].includes(query.get(name))
  const runs = (query.get('filter') === 'all' ? all : latestCheckRuns(repository, sha)).filter(
    ({ name, status }) => wanted('check_name', name) && wanted('status', status),
  )
  return paged(asked, runs, (page) => ({
    total_count: runs.length,
    check_runs: page.map((run) => checkRunShape(state, repository, run)),
  }))
}

const STATUS_DOCS = 'commits/statuses#create-a-commit-status'
const STATES = ['error', 'failure', 'pending', 'success'] as const

function createStatus({ state, repository, param, caller, body }: AskedThere): Outcome {
  const fields = readFields(body, STATUS_DOCS)
  const refuse = (field: string, message: string) =>
    validationFailed(STATUS_DOCS, { resource: 'Status', code: 'custom', field, message })
  const sha = param('sha')
  if (!repository.commits.has(sha)) throw refusal(422, `No commit found for SHA: ${sha}`)
  const status: CommitStatus = {
    id: state.nextId(),
    sha,
    state: fields.oneOf('state', STATES, () => refuse('state', 'state is not included in the list')),
    context: fields.text('context', 'default'),
    description: fields.text('description', null),
    targetUrl: fields.text('target_url', null),
    creator: creatorOf(state, caller).user,
    createdAt: state.clock(),
  }
  if (charactersIn(status.description ?? '') > 140)
    throw refuse('description', 'description is too long (maximum is 140 characters)')
  repository.commitStatuses.push(status)
  const payload = statusEvent(state, repository, status)
  const shape = { ...commitStatusShape(state, repository, status), creator: userShape(state, status.creator) }
  const announces = [{ event: 'status', repository, payload }]
  return { status: 201, headers: { location: shape.url }, body: shape, announces }
}
