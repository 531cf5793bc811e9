import { expect, onTestFinished } from 'vitest'

import {
  startGitHubDouble,
  type GitHubDouble,
  type GitHubDoubleOptions,
} from '../../src/demo/github-double.ts'
import { startSlackDouble, type SlackDouble } from '../../src/demo/slack-double.ts'
import { createGitHub } from '../../src/github/client.ts'
import { GitHubError, type GitHub } from '../../src/github/github.ts'
import { createOpenApiCheck } from './openapi.ts'

const wrongExchange = createOpenApiCheck()

/**
 * GitHub's double for one test. When the test ends, every exchange must have been as GitHub describes
 * it, and every route known.
 */
export async function githubForTest(
  options: GitHubDoubleOptions & { readonly allows?: 'unexpected' } = {},
): Promise<GitHubDouble> {
  const github = await startGitHubDouble(options)
  const complaints: string[] = []
  github.onExchange((exchange) => {
    if (!exchange.isUnexpected) complaints.push(...wrongExchange(exchange))
  })
  onTestFinished(async () => {
    await github.close()
    expect(complaints).toEqual([])
    if (options.allows === undefined) expect(github.unexpected).toEqual([])
  })
  return github
}

/** Slack's double for one test. */
export async function slackForTest(): Promise<SlackDouble> {
  const slack = await startSlackDouble()
  onTestFinished(() => slack.close())
  return slack
}

/** Who asks, and with what. */
export interface Question {
  readonly method?: string
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Text as it is, everything else as JSON. */
  readonly body?: unknown
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

/** Asks the double as a client would; `mona-token` where no token is named, nobody where it is empty. */
export async function ask(github: GitHubDouble, path: string, question: Question = {}): Promise<Reply> {
  const { method = 'GET', token = MONA, headers = {}, body } = question
  const response = await fetch(`${github.url}${path}`, {
    method,
    headers: { ...(token === '' ? {} : { authorization: `token ${token}` }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(5_000),
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  }
}

/** The same as a POST. */
export const post = (
  github: GitHubDouble,
  path: string,
  body: unknown,
  question: Question = {},
): Promise<Reply> => ask(github, path, { method: 'POST', body, ...question })

const MONA = 'mona-token'

/** Ferryman's own client, asking the double. */
export const clientOf = (github: Pick<GitHubDouble, 'url'>, token = MONA, timeoutMs = 5_000): GitHub =>
  createGitHub({ token, apiUrl: github.url, version: 'test', timeoutMs })

/** What the client throws; anything else fails the test. */
export async function refusalOf(asking: Promise<unknown>): Promise<GitHubError> {
  const thrown: unknown = await asking.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (thrown instanceof GitHubError) return thrown
  throw new Error('It did not fail as expected.', { cause: thrown })
}

/** GitHub's double with the private repository acme/shop and mona, who may do everything there. */
export async function shopAtGitHub(options: Parameters<typeof githubForTest>[0] = {}): Promise<{
  readonly github: GitHubDouble
  /** The head of `main`. */
  readonly sha: string
}> {
  const github = await githubForTest(options)
  const { branches } = github.addRepository('acme/shop', { id: 17 })
  github.addToken(MONA, { type: 'classic', login: 'mona', scopes: ['repo'] })
  return { github, sha: branches.get('main')?.sha ?? '' }
}
