import { createHash } from 'node:crypto'

import { accessHeaders, enter, identify, type Caller } from './access.ts'
import { Refusal, notFound, refusal } from './answers.ts'
import { limitHeaders, type RateLimits } from './rate-limits.ts'
import { findRoute, type Asked, type Outcome, type Route } from './routes.ts'
import { fullName } from './shapes.ts'
import type { GitHubState } from './state.ts'

export interface Api {
  readonly state: GitHubState
  readonly routes: readonly Route[]
  readonly limits: RateLimits
}

export interface Incoming {
  readonly method: string
  /** Without the root of the API and without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const API_VERSIONS = ['2022-11-28', '2026-03-10'] as const

type Found = NonNullable<ReturnType<typeof findRoute>>

/** GitHub's answer to a request, with the headers that every answer has. */
export async function respond(api: Api, incoming: Incoming): Promise<Outcome> {
  const found = findRoute(api.routes, incoming.method, incoming.path)
  let caller: Caller = { user: undefined, token: undefined }
  let outcome: Outcome
  try {
    const version = versionOf(incoming)
    caller = identify(api.state, incoming.headers['authorization'])
    if (incoming.path !== '/rate_limit') api.limits.spend(caller)
    if (found === undefined) throw notFound()
    outcome = withVersion(await ask(api, found, caller, incoming), version)
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown
    outcome = thrown.answer
  }
  const conditional =
    incoming.method === 'GET' && outcome.status === 200 ? tagged(outcome, incoming) : outcome
  const budget = api.limits.of(caller)
  if (conditional.status === 304) budget.remaining += 1 // GitHub does not count it
  const headers = {
    'x-github-request-id': requestId(api),
    ...limitHeaders(budget),
    ...accessHeaders(caller, found?.route.right),
  }
  return {
    ...conditional,
    headers: { 'x-github-media-type': 'github.v3; format=json', ...headers, ...conditional.headers },
  }
}

const requestId = ({ state }: Api): string => `D0:${state.nextId().toString(16).toUpperCase()}`

function versionOf({ headers }: Incoming): string {
  if (headers['user-agent'] === undefined)
    throw refusal(
      403,
      'Request forbidden by administrative rules. Please make sure your request has a User-Agent header.',
    )
  const version = headers['x-github-api-version'] ?? API_VERSIONS[0]
  if (API_VERSIONS.some((known) => known === version)) return version
  throw refusal(400, `"${version}" is not a supported version of the REST API.`)
}

const withVersion = (outcome: Outcome, version: string): Outcome => ({
  ...outcome,
  headers: { ...outcome.headers, 'x-github-api-version-selected': version },
})

function ask(
  { state }: Api,
  { route, params }: Found,
  caller: Caller,
  incoming: Incoming,
): Outcome | Promise<Outcome> {
  const asked: Asked = {
    state,
    caller,
    param: (name) => params[name] ?? '',
    query: incoming.query,
    url: `${state.url}${incoming.path}`,
    body: incoming.body,
  }
  if (route.right === undefined) return route.answer(asked)
  const { repository_id: id, owner, repo } = params
  const name = id === undefined ? `${owner}/${repo}` : nameOf(state, id)
  const repository = enter(state, caller, name, route.right)
  if (fullName(repository).toLowerCase() !== name.toLowerCase()) throw moved(asked, repository.id, incoming)
  return route.answer({ ...asked, repository })
}

function nameOf({ repositories }: GitHubState, id: string): string {
  const found = [...repositories.values()].find((repository) => String(repository.id) === id)
  return found === undefined ? '' : fullName(found)
}

/** Who asks for a repository under its old name is led to its number, to read or to write. */
function moved({ state }: Asked, id: number, { method, path, query }: Incoming): Refusal {
  const [, , , , ...rest] = path.split('/')
  const search = query.size === 0 ? '' : `?${query.toString()}`
  const url = `${[`${state.url}/repositories/${id}`, ...rest].join('/')}${search}`
  const [status, message] =
    method === 'GET' ? ([301, 'Moved Permanently'] as const) : ([307, 'Temporary Redirect'] as const)
  return new Refusal({
    status,
    headers: { location: url },
    body: { message, url, documentation_url: 'https://docs.github.com/rest' },
  })
}

function tagged(outcome: Outcome, { headers }: Incoming): Outcome {
  const etag = `W/"${createHash('sha256').update(JSON.stringify(outcome.body)).digest('hex')}"`
  const all = { ...outcome.headers, etag, 'cache-control': 'private, max-age=60, s-maxage=60' }
  if (headers['if-none-match'] !== etag) return { ...outcome, headers: all }
  return { status: 304, headers: all }
}
