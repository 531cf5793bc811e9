import { Octokit } from '@octokit/rest'

import { fetchAtMost } from '../answer-limit.ts'
import { createAppTokens, type GitHubApp } from './app.ts'
import { GitHubError, type Budget } from './github.ts'
import { errorOf } from './refusals.ts'
import { rememberAnswers } from './remembered.ts'
import { signAs } from './signing.ts'

/** As whom we ask. */
type Credentials = { readonly token: string } | { readonly app: GitHubApp } | typeof NOBODY

/** Nothing is at GitHub: whatever is asked is refused before it goes there. */
export const NOBODY = { isNobody: true } as const

export type GitHubOptions = Credentials & {
  readonly apiUrl: string
  readonly version: string
  readonly timeoutMs?: number
  /** Hides secrets in what GitHub says is wrong, before it is cut: a proxy may have shown it our request. */
  readonly mask?: (text: string) => string
  /** Hears of every token that is made for an App, before it is used; the answer is called when it is worth nothing any more. */
  readonly learn?: (secret: string) => () => void
  readonly clock?: () => number
  /** Hears of every request, before it is made. */
  readonly asked?: () => void
  /** Ends every request that is under way. */
  readonly signal?: AbortSignal
}

/** Says so for nobody. */
export const refuse = (): Promise<never> =>
  Promise.reject(new GitHubError('GitHub is not in the configuration', undefined, {}, undefined))

/** One answer. Nobody has looked yet at what it says. */
export interface Answer {
  readonly status: number
  readonly data: unknown
  readonly headers: Readonly<Record<string, string | number | undefined>>
}

/** Requests to GitHub in the name of one token, or of an App; each has its own time limit. */
export interface Requests {
  readonly rest: Octokit['rest']
  /** For an address that octokit has no name for, or more than one: `GET /orgs/{org}/hooks`. */
  request(route: string, parameters: Common & Readonly<Record<string, unknown>>): Promise<Answer>
  ask(call: (common: Common) => Promise<Answer>): Promise<Answer>
  /** The pages of a list, until one is enough. Rejects rather than leave some out. */
  askAll(
    call: (page: Page) => Promise<Answer>,
    isEnough?: (answer: Answer) => boolean,
  ): Promise<readonly Answer[]>
  /** See `GitHub`. */
  readonly tokenExpiresAt: number | undefined
  readonly clock: number | undefined
  readonly budget: Budget | undefined
}

/** What every request carries. */
export interface Common {
  readonly headers: Readonly<Record<string, string>>
  readonly request: { readonly signal: AbortSignal; readonly fetch: typeof fetch }
}

interface Page extends Common {
  readonly page: number
  readonly per_page: number
}

const TIMEOUT_MS = 15_000
/** A hundred deployments with the largest payloads fit. */
const MOST_BYTES = 16_777_216
const PER_PAGE = 100
const MOST_PAGES = 30

/** The API version is pinned: https://docs.github.com/rest/about-the-rest-api/api-versions */
export function createRequests(options: GitHubOptions): Requests {
  const { apiUrl, version, timeoutMs = TIMEOUT_MS, mask = (text) => text, signal: ended } = options
  const fetchThere = rememberAnswers(fetchAtMost(MOST_BYTES, followRenames(new URL(apiUrl).origin)))
  const octokit = new Octokit({
    ...('token' in options ? { auth: options.token } : {}),
    baseUrl: apiUrl,
    userAgent: `ferryman/${version}`,
    log: { debug() {}, info() {}, warn() {}, error() {} }, // its own log would name addresses; ours says what matters
  })
  let tokenExpiresAt: number | undefined
  let clock: number | undefined
  let budget: Budget | undefined

  const fetchAndNote: typeof fetch = async (input, init) => {
    options.asked?.()
    const response = await fetchThere(input, init)
    // An App's tokens end every hour, and are followed by others.
    if ('token' in options) tokenExpiresAt = expiryIn(response.headers) ?? tokenExpiresAt
    clock = Date.parse(response.headers.get('date') ?? '') || clock
    budget = budgetIn(response.headers) ?? budget
    return response
  }

  async function ask(call: (common: Common) => Promise<Answer>): Promise<Answer> {
    if ('isNobody' in options) return refuse()
    const limit = AbortSignal.timeout(timeoutMs)
    const signal = ended === undefined ? limit : AbortSignal.any([limit, ended])
    const headers = { 'x-github-api-version': '2022-11-28' }
    try {
      return await call({ headers, request: { signal, fetch: fetchAndNote } })
    } catch (thrown) {
      throw errorOf(thrown, { timeoutMs, mask })
    }
  }

  const request: Requests['request'] = (route, parameters) => octokit.request(route, { ...parameters })
  if ('app' in options) {
    const { app, learn = () => () => {} } = options
    signAs(octokit, createAppTokens({ app, clock: options.clock ?? Date.now, learn, ask, request }))
  }

  return {
    rest: octokit.rest,
    request,
    ask,
    async askAll(call, isEnough = () => false) {
      const answers: Answer[] = []
      while (answers.length < MOST_PAGES) {
        const answer = await ask((common) =>
          call({ ...common, page: answers.length + 1, per_page: PER_PAGE }),
        )
        answers.push(answer)
        if (isEnough(answer) || !hasMore(answer)) return answers
      }
      throw new GitHubError(`GitHub has more than ${MOST_PAGES} pages of it`, undefined, {}, undefined)
    },
    get tokenExpiresAt() {
      return tokenExpiresAt
    },
    get clock() {
      return clock
    },
    get budget() {
      return budget
    },
  }
}

/** Whether a list goes on after this page. */
export const hasMore = ({ headers }: Answer): boolean => String(headers['link']).includes('rel="next"')

/** The scopes of a classic token, as GitHub tells them with every answer; undefined for other tokens. */
export function scopesIn({ headers }: Answer): readonly string[] | undefined {
  const scopes = headers['x-oauth-scopes']
  if (scopes === undefined) return undefined
  return String(scopes)
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}

/** A repository, as its addresses name it. */
export function placeOf(repository: string) {
  const [owner = '', repo = ''] = repository.split('/')
  return { owner, repo }
}

/** Takes these statuses for an answer: there is nothing. */
export async function unlessStatus<T>(
  statuses: readonly number[],
  asking: Promise<T>,
): Promise<T | undefined> {
  try {
    return await asking
  } catch (thrown) {
    if (thrown instanceof GitHubError && statuses.includes(thrown.status ?? 0)) return undefined
    throw thrown
  }
}

/**
 * GitHub redirects the old name of a renamed repository, writing requests too. It is followed once, with the
 * same method and body, and only to the same server: the token goes nowhere else.
 */
const followRenames =
  (origin: string): typeof fetch =>
  async (input, init) => {
    const response = await fetch(input, { ...init, redirect: 'manual' })
    const location = response.headers.get('location')
    if (![301, 302, 307, 308].includes(response.status) || location === null) return response
    const to = new URL(location, response.url)
    if (to.origin !== origin) throw new Error(`it redirects to another server, ${to.origin}`)
    if (to.search === '') to.search = new URL(response.url).search
    return fetch(to, { ...init, redirect: 'error' })
  }

// `2026-12-24 13:37:00 UTC`, of some tokens `… +0200`: https://docs.github.com/rest/authentication
function expiryIn(headers: Headers): number | undefined {
  const text = headers.get('github-authentication-token-expiration') ?? ''
  const [, day, time, zone] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) (UTC|[+-]\d{4})$/.exec(text) ?? []
  const at = Date.parse(`${day}T${time}${zone === 'UTC' ? 'Z' : `${zone?.slice(0, 3)}:${zone?.slice(3)}`}`)
  return Number.isNaN(at) ? undefined : at
}

// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#checking-the-status-of-your-rate-limit
function budgetIn(headers: Headers): Budget | undefined {
  if (headers.get('x-ratelimit-resource') !== 'core') return undefined
  const [limit, remaining, reset] = ['limit', 'remaining', 'reset'].map((name) =>
    Number(headers.get(`x-ratelimit-${name}`) ?? Number.NaN),
  )
  return limit && remaining !== undefined && reset ? { limit, remaining, resetAt: reset * 1000 } : undefined
}
