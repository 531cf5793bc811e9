import type { Caller, Right } from './access.ts'
import { notFound, type Answer } from './answers.ts'
import type { GitHubState, Repository } from './state.ts'

/** One operation of the API, written as GitHub's documentation writes it. */
export type Route = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Such as `/repos/{owner}/{repo}/deployments`; `{ref}`, `{branch}` and `{basehead}` may hold slashes. */
  readonly template: string
} & (
  | { readonly right: Right; answer(asked: AskedThere): Outcome | Promise<Outcome> }
  | { readonly right?: undefined; answer(asked: Asked): Outcome | Promise<Outcome> }
)

export interface Asked {
  readonly state: GitHubState
  readonly caller: Caller
  readonly param: (name: string) => string
  readonly query: URLSearchParams
  /** The address asked for, without its query. */
  readonly url: string
  readonly body: string
}

export interface AskedThere extends Asked {
  readonly repository: Repository
}

/** An answer, and the events that hooks have to hear about. */
export interface Outcome extends Answer {
  readonly announces?: readonly Announcement[]
}

export interface Announcement {
  readonly event: string
  readonly repository: Repository
  readonly payload: unknown
}

/** The route for a request and the values of its blanks. */
export function findRoute(
  routes: readonly Route[],
  method: string,
  path: string,
): { readonly route: Route; readonly params: Readonly<Record<string, string>> } | undefined {
  for (const route of routes) {
    if (route.method !== method) continue
    const groups = patternOf(route.template).exec(path)?.groups
    if (groups === undefined) continue
    const params = Object.entries(groups)
      .filter(([, value]: readonly [string, string | undefined]) => value !== undefined)
      .map(([name, value]) => [name, decodeURIComponent(value)] as const)
    return { route, params: Object.fromEntries(params) }
  }
  return undefined
}

const MAY_HOLD_SLASHES = ['ref', 'branch', 'basehead']

/** A repository answers under its number too: redirects from an old name lead there. */
const patternOf = (template: string): RegExp => {
  const blanks = template
    .replace('/repos/{owner}/{repo}', '/(?:repos/{owner}/{repo}|repositories/{repository_id})')
    .replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      MAY_HOLD_SLASHES.includes(name) ? `(?<${name}>.+?)` : `(?<${name}>[^/]+)`,
    )
  return new RegExp(`^${blanks}$(?<none>)`)
}

/** One page of a list, with the Link header to the others. */
export function paged<Item>(
  asked: Asked,
  items: readonly Item[],
  wrap: (page: readonly Item[]) => unknown,
): Answer {
  const perPage = Math.min(positive(asked.query.get('per_page'), 30), 100)
  const page = positive(asked.query.get('page'), 1)
  const last = Math.max(1, Math.ceil(items.length / perPage))
  const link = (to: number, rel: string) => {
    const query = new URLSearchParams(asked.query)
    query.set('per_page', String(perPage))
    query.set('page', String(to))
    return `<${asked.url}?${query.toString()}>; rel="${rel}"`
  }
  const links = [
    ...(page > 1 ? [link(page - 1, 'prev')] : []),
    ...(page < last ? [link(page + 1, 'next'), link(last, 'last')] : []),
    ...(page > 1 ? [link(1, 'first')] : []),
  ]
  return {
    status: 200,
    headers: links.length === 0 ? {} : { link: links.join(', ') },
    body: wrap(items.slice((page - 1) * perPage, page * perPage)),
  }
}

const positive = (text: string | null, otherwise: number): number => {
  const value = Number(text ?? otherwise)
  return Number.isSafeInteger(value) && value > 0 ? value : otherwise
}

/** What is there, or GitHub's 404. */
export function existing<Thing>(thing: Thing | undefined): Thing {
  if (thing === undefined) throw notFound()
  return thing
}
