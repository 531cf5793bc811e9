import { Octokit } from '@octokit/rest'

import type { DeploymentStatus } from '../deployment/status.ts'

/** What Ferryman asks of GitHub's API. Every call has a time limit; none is repeated here: that is the outbox's rule. */
export interface GitHub {
  createStatus(repository: string, githubId: number, status: DeploymentStatus): Promise<void>
  /** The newest statuses of a deployment, newest first. */
  statuses(repository: string, githubId: number): Promise<readonly DeploymentStatus[]>
  /** What the token may do with a repository, as far as GitHub tells without anything being written. */
  access(repository: string): Promise<Access>
}

export interface Access {
  /** Undefined where the token sees the deployments but not the repository itself. */
  readonly canPush: boolean | undefined
  /** Of a classic token; other tokens have none. */
  readonly scopes: readonly string[] | undefined
  /** Milliseconds since 1970; undefined for a token that lives for ever, or that does not say. */
  readonly expiresAt: number | undefined
}

/** GitHub did not do what was asked. `status` is undefined when no answer came. */
export class GitHubError extends Error {
  override readonly name = 'GitHubError'
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(
    message: string,
    status: number | undefined,
    headers: Readonly<Record<string, string>>,
    cause: unknown,
  ) {
    super(message, { cause })
    this.status = status
    this.headers = headers
  }
}

const TIMEOUT_MS = 15_000

export interface GitHubOptions {
  readonly token: string
  readonly apiUrl: string
  readonly version: string
}

/** A client for one token. The API version is pinned: https://docs.github.com/rest/about-the-rest-api/api-versions */
export function createGitHub({ token, apiUrl, version }: GitHubOptions): GitHub {
  const fetchThere = followRenames(new URL(apiUrl).origin)
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
  const place = (repository: string, githubId: number) => {
    const [owner = '', repo = ''] = repository.split('/')
    return { owner, repo, deployment_id: githubId }
  }
  return {
    async createStatus(repository, githubId, status) {
      const { state, description, logUrl, environmentUrl } = status
      const answer = await asked(() =>
        octokit.rest.repos.createDeploymentStatus({
          ...place(repository, githubId),
          state,
          description,
          ...(logUrl === undefined ? {} : { log_url: logUrl }),
          ...(environmentUrl === undefined ? {} : { environment_url: environmentUrl }),
          ...options(),
        }),
      )
      // Whatever else says 2xx, a proxy or a sign-in page, has not written it.
      const written: unknown = Reflect.get(Object(answer.data), 'state')
      const code: number = answer.status
      if (code !== 201 || written !== state)
        throw new GitHubError(
          `GitHub answered ${code}, but not with the status that was written`,
          undefined,
          {},
          undefined,
        )
    },
    async statuses(repository, githubId) {
      const { data } = await asked(() =>
        octokit.rest.repos.listDeploymentStatuses({
          ...place(repository, githubId),
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
    async access(repository) {
      const { owner, repo } = place(repository, 0)
      const { headers } = await asked(() =>
        octokit.rest.repos.listDeployments({ owner, repo, per_page: 1, ...options() }),
      )
      // The scope repo_deployment opens the deployments of a private repository, but not the repository itself.
      const seen = await asked(() => octokit.rest.repos.get({ owner, repo, ...options() })).catch(
        (thrown: unknown) => {
          if (thrown instanceof GitHubError && thrown.status === 404) return undefined
          throw thrown
        },
      )
      // `2026-12-24 13:37:00 UTC`: https://docs.github.com/rest/authentication
      const expiry = String(headers['github-authentication-token-expiration'] ?? '')
      const expiresAt = Date.parse(expiry.replace(' UTC', 'Z').replace(' ', 'T'))
      return {
        canPush: seen?.data.permissions?.push,
        scopes: headers['x-oauth-scopes']
          ?.split(',')
          .map((scope) => scope.trim())
          .filter((scope) => scope !== ''),
        expiresAt: Number.isNaN(expiresAt) ? undefined : expiresAt,
      }
    },
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
  const { status, headers } = response as { status: number; headers: Record<string, string> }
  const firstLine = thrown.message.split('\n')[0]?.slice(0, 300)
  return new GitHubError(`GitHub answered ${status}: ${firstLine}`, status, headers, thrown)
}

const isTimeout = (thrown: Error): boolean =>
  [thrown, thrown.cause].some(
    (one) => one instanceof Error && ['TimeoutError', 'AbortError'].includes(one.name),
  )
