import { Octokit } from '@octokit/rest'

import { contextsOf, firstLineOf, madeOf } from './answers.ts'
import { GitHubError, type CheckRun, type GitHub, type ReportedChecks } from './github.ts'

const TIMEOUT_MS = 15_000

export interface GitHubOptions {
  readonly token: string
  readonly apiUrl: string
  readonly version: string
}

/** A client for one token. The API version is pinned: https://docs.github.com/rest/about-the-rest-api/api-versions */
export function createGitHub({ token, apiUrl, version }: GitHubOptions): GitHub {
  const follow = followRenames(new URL(apiUrl).origin)
  let tokenExpiresAt: number | undefined
  const fetchThere: typeof fetch = async (input, init) => {
    const response = await follow(input, init)
    tokenExpiresAt = expiryIn(response.headers.get(EXPIRY)) ?? tokenExpiresAt
    return response
  }
  const octokit = new Octokit({
    auth: token,
    baseUrl: apiUrl,
    userAgent: `ferryman/${version}`,
    log: { debug() {}, info() {}, warn() {}, error() {} }, // its own log would name addresses; ours says what matters
  })
  const options = () => ({
    headers: { 'x-github-api-version': '2022-11-28' },
    request: { signal: AbortSignal.timeout(TIMEOUT_MS), fetch: fetchThere },
  })
  const at = (repository: string) => {
    const [owner = '', repo = ''] = repository.split('/')
    return { owner, repo }
  }
  return {
    get tokenExpiresAt() {
      return tokenExpiresAt
    },
    async createStatus(repository, githubId, status) {
      const { state, description, logUrl, environmentUrl } = status
      const answer = await asked(() =>
        octokit.rest.repos.createDeploymentStatus({
          ...at(repository),
          deployment_id: githubId,
          state,
          description,
          ...(logUrl === undefined ? {} : { log_url: logUrl }),
          ...(environmentUrl === undefined ? {} : { environment_url: environmentUrl }),
          ...options(),
        }),
      )
      const written: unknown = Reflect.get(Object(answer.data), 'state')
      if (!isStatus(answer, 201) || written !== state)
        throw notGitHub(answer.status, 'the status that was written')
    },
    async statuses(repository, githubId) {
      const { data } = await asked(() =>
        octokit.rest.repos.listDeploymentStatuses({
          ...at(repository),
          deployment_id: githubId,
          per_page: 100,
          ...options(),
        }),
      )
      return data.map(({ state, description, log_url, environment_url }) => ({
        state,
        description,
        logUrl: log_url === '' ? undefined : log_url,
        environmentUrl: environment_url === '' ? undefined : environment_url,
      }))
    },
    async createDeployment(repository, wanted) {
      const { sha, environment, task, description, payload, requiredContexts } = wanted
      const answer = await asked(() =>
        octokit.rest.repos.createDeployment({
          ...at(repository),
          ref: sha,
          environment,
          task,
          description,
          payload,
          auto_merge: false,
          ...(requiredContexts === 'all' ? {} : { required_contexts: [...requiredContexts] }),
          ...options(),
        }),
      )
      if (isStatus(answer, 202)) return 'auto_merged'
      const made = madeOf(answer.data)
      if (!isStatus(answer, 201) || made === undefined) throw notGitHub(answer.status, 'a deployment')
      return made
    },
    async deployments(repository, { sha, environment, task }) {
      const { data, status } = await asked(() =>
        octokit.rest.repos.listDeployments({
          ...at(repository),
          sha,
          environment,
          task,
          per_page: 100,
          ...options(),
        }),
      )
      return listOf(data, status).map((one) => {
        const made = madeOf(one)
        if (made === undefined) throw notGitHub(status, 'deployments')
        return made
      })
    },
    async reportedChecks(repository, sha) {
      const statuses = await allPages(async (page) => {
        const { data, status } = await asked(() =>
          octokit.rest.repos.getCombinedStatusForRef({
            ...at(repository),
            ref: sha,
            per_page: PAGE,
            page,
            ...options(),
          }),
        )
        return listOf(Reflect.get(Object(data), 'statuses') as typeof data.statuses, status)
      })
      const checkRuns = await allPages(async (page) => {
        const { data, status } = await asked(() =>
          octokit.rest.checks.listForRef({
            ...at(repository),
            ref: sha,
            filter: 'latest',
            per_page: PAGE,
            page,
            ...options(),
          }),
        )
        return listOf(Reflect.get(Object(data), 'check_runs') as typeof data.check_runs, status)
      })
      const reported: ReportedChecks = {
        statuses: statuses.map(({ context, state }) => ({ context, state })),
        checkRuns: checkRuns.map(({ id, name, app, status, conclusion }): CheckRun => ({
          id,
          name,
          appId: app?.id,
          status,
          conclusion: conclusion ?? undefined,
        })),
      }
      return reported
    },
    async branchHead(repository, branch) {
      const answer = await unless404(() =>
        octokit.rest.repos.getBranch({ ...at(repository), branch, ...options() }),
      )
      return answer === undefined ? undefined : textIn(answer, Reflect.get(Object(answer.data.commit), 'sha'))
    },
    async compare(repository, base, head) {
      const answer = await unless404(() =>
        octokit.rest.repos.compareCommitsWithBasehead({
          ...at(repository),
          basehead: `${base}...${head}`,
          per_page: 1,
          page: 2, // the first page also holds every changed file
          ...options(),
        }),
      )
      if (answer === undefined) return undefined
      const { status, ahead_by: aheadBy } = answer.data
      if (!['identical', 'ahead', 'behind', 'diverged'].includes(status) || !Number.isInteger(aheadBy))
        throw notGitHub(answer.status, 'a comparison')
      return { status, aheadBy }
    },
    async repository(repository) {
      const answer = await unless404(() => octokit.rest.repos.get({ ...at(repository), ...options() }))
      if (answer === undefined) return undefined
      const { id, full_name, default_branch } = answer.data
      if (!Number.isInteger(id)) throw notGitHub(answer.status, 'a repository')
      return {
        githubId: id,
        name: textIn(answer, full_name),
        defaultBranch: textIn(answer, default_branch),
      }
    },
    async access(repository) {
      const { headers } = await asked(() =>
        octokit.rest.repos.listDeployments({ ...at(repository), per_page: 1, ...options() }),
      )
      // The scope repo_deployment opens the deployments of a private repository, but not the repository itself.
      const seen = await unless404(() => octokit.rest.repos.get({ ...at(repository), ...options() }))
      return {
        canPush: seen?.data.permissions?.push,
        scopes: headers['x-oauth-scopes']
          ?.split(',')
          .map((scope) => scope.trim())
          .filter((scope) => scope !== ''),
        expiresAt: expiryIn(headers[EXPIRY]),
      }
    },
  }
}

const EXPIRY = 'github-authentication-token-expiration'

/** `2026-12-24 13:37:00 UTC`, or with an offset: https://docs.github.com/rest/authentication */
function expiryIn(header: unknown): number | undefined {
  const text = typeof header === 'string' ? header : ''
  const expiresAt = Date.parse(text.replace(/ UTC$/, 'Z').replace(' ', 'T').replace(' ', ''))
  return Number.isNaN(expiresAt) ? undefined : expiresAt
}

const PAGE = 100
/** More checks of one commit than that are a mistake; what is beyond counts as not reported. */
const MOST_PAGES = 30

async function allPages<T>(read: (page: number) => Promise<readonly T[]>): Promise<readonly T[]> {
  const all: T[] = []
  for (let page = 1; page <= MOST_PAGES; page += 1) {
    const items = await read(page)
    all.push(...items)
    if (items.length < PAGE) break
  }
  return all
}

// The types of the library promise one code; what is on the way to GitHub may answer with another.
const isStatus = (answer: { readonly status: number }, status: number): boolean => answer.status === status

/** Whatever says 2xx with something else, a proxy or a sign-in page, is not GitHub: nothing is known then. */
const notGitHub = (status: number, what: string): GitHubError =>
  new GitHubError(`GitHub answered ${status}, but not with ${what}`, undefined, {}, undefined)

function listOf<T>(data: readonly T[], status: number): readonly T[] {
  if (!Array.isArray(data)) throw notGitHub(status, 'a list')
  return data
}

function textIn({ status }: { readonly status: number }, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw notGitHub(status, 'what was asked for')
  return value
}

/** The answer, or undefined where GitHub knows of nothing, or does not say so to this token. */
async function unless404<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await asked(call)
  } catch (thrown) {
    if (thrown instanceof GitHubError && thrown.status === 404) return undefined
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
    return fetch(to, { ...init, redirect: 'error' })
  }

async function asked<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (thrown) {
    throw errorOf(thrown)
  }
}

// Octokit gives a network failure the status 500; only an answer has a response.
function errorOf(thrown: unknown): GitHubError {
  if (!(thrown instanceof Error)) return new GitHubError(String(thrown), undefined, {}, thrown)
  const response: unknown = Reflect.get(thrown, 'response')
  if (typeof response !== 'object' || response === null) {
    const message = isTimeout(thrown)
      ? `GitHub did not answer within ${TIMEOUT_MS / 1000} s`
      : `GitHub cannot be reached: ${thrown.message}`
    return new GitHubError(message, undefined, {}, thrown)
  }
  const { status, headers, data } = response as {
    status: number
    headers: Record<string, string>
    data: unknown
  }
  const message = `GitHub answered ${status}: ${firstLineOf(thrown.message)}`
  return new GitHubError(message, status, headers, thrown, contextsOf(data))
}

const isTimeout = (thrown: Error): boolean =>
  [thrown, thrown.cause].some(
    (one) => one instanceof Error && ['TimeoutError', 'AbortError'].includes(one.name),
  )
