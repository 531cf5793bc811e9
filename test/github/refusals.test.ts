import { expect, test } from 'vitest'

import { secondaryLimit } from '../../src/demo/github/answers.ts'
import type { GitHubError } from '../../src/github/github.ts'
import { clientOf, refusalOf, shopAtGitHub } from '../support/doubles.ts'

const SHOP = 'acme/shop'
const NOW = Date.UTC(2026, 10, 21, 12)

/** What comes of a deployment that GitHub answers so. */
async function made(answer: {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: unknown
}): Promise<GitHubError> {
  const { github, sha } = await shopAtGitHub()
  github.fail({ with: answer })
  return refusalOf(
    clientOf(github).createDeployment(SHOP, {
      sha,
      environment: 'production',
      task: 'deploy',
      description: '',
      payload: {},
      requiredContexts: 'all',
    }),
  )
}

test('contexts that are not met are told, each once', async () => {
  const { message, status, contexts } = await made({
    status: 409,
    body: {
      message: 'Conflict: Commit status checks failed for feature/abc.',
      errors: [
        {
          contexts: [
            { context: 'CodeRabbit', state: 'pending' },
            { context: 'test', state: 'failure' },
            { context: 'test', state: 'pending' },
            { context: 'CodeRabbit', state: 'pending' },
          ],
          resource: 'Deployment',
          field: 'required_contexts',
          code: 'invalid',
        },
      ],
      documentation_url: 'https://docs.github.com/rest/deployments/deployments#create-a-deployment',
      status: '409',
    },
  })

  expect(status).toBe(409)
  expect(contexts).toEqual([
    { context: 'CodeRabbit', state: 'pending' },
    { context: 'test', state: 'failure' },
    { context: 'test', state: 'pending' },
  ])
  expect(message).toBe(
    'GitHub answered 409: Conflict: Commit status checks failed for feature/abc: ' +
      'CodeRabbit is pending, test is failure, test is pending, CodeRabbit is pending',
  )
})

test('a merge conflict is one without contexts', async () => {
  const { message, status, contexts } = await made({
    status: 409,
    body: { message: 'Conflict merging master into topic-branch' },
  })

  expect([message, status, contexts]).toEqual([
    'GitHub answered 409: Conflict merging master into topic-branch',
    409,
    [],
  ])
})

test.each([
  [
    'Validation Failed: description is too long (maximum is 140 characters)',
    {
      message: 'Validation Failed',
      errors: [
        {
          resource: 'DeploymentStatus',
          code: 'custom',
          field: 'description',
          message: 'description is too long (maximum is 140 characters)',
        },
      ],
    },
  ],
  [
    'Validation Failed: ref missing_field; environment invalid',
    {
      message: 'Validation Failed',
      errors: [
        { resource: 'Deployment', code: 'missing_field', field: 'ref' },
        { resource: 'Deployment', code: 'invalid', field: 'environment', message: null, contexts: 5 },
      ],
    },
  ],
  ['Validation Failed: one; two', { message: 'Validation Failed', errors: ['one', 'two', 'one'] }],
  [
    'Invalid request. "ref" wasn\'t supplied.',
    { message: 'Invalid request.\n\n"ref" wasn\'t supplied.', documentation_url: 'https://docs.github.com' },
  ],
  ['No ref found for: main', { message: 'No ref found for: main', errors: 'none' }],
])('a 422 says %s', async (said, body) => {
  const { message, status, contexts } = await made({ status: 422, body })

  expect([message, status, contexts]).toEqual([`GitHub answered 422: ${said}`, 422, []])
})

test('a refusal without end is cut', async () => {
  const contexts = Array.from({ length: 5_000 }, (_, count) => ({ context: `c${count}`, state: 'pending' }))

  const refusal = await made({ status: 409, body: { message: 'x'.repeat(9_000), errors: [{ contexts }] } })

  expect(refusal.message).toHaveLength(500)
  expect(refusal.contexts).toHaveLength(200)
})

test('a spent rate limit says when it is renewed', async () => {
  const { github } = await shopAtGitHub({ clock: () => NOW })
  github.setRateLimit('mona', { remaining: 0, resetAt: NOW + 60_000 })

  const { message, status, headers } = await refusalOf(clientOf(github).repository(SHOP))

  expect(message).toMatch(/^GitHub answered 403: API rate limit exceeded for user ID \d+\.$/)
  expect(status).toBe(403)
  expect(headers).toMatchObject({
    'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': String(NOW / 1000 + 60),
  })
})

test.each([[30], [undefined]])('a secondary limit keeps its words, with Retry-After %s', async (seconds) => {
  const { message, status, headers } = await made(secondaryLimit(seconds))

  expect(message).toBe(
    'GitHub answered 403: You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
  )
  expect([status, headers['retry-after']]).toEqual([403, seconds?.toString()])
})

test.each([
  [
    '<!DOCTYPE html>\n<html><head><title>Unicorn! &middot;\n GitHub</title></head></html>',
    'Unicorn! &middot; GitHub',
  ],
  ['<html>Bad gateway</html>', 'it is not JSON'],
  ['', 'it is not JSON'],
  ['[]', 'it is not JSON'],
])('a page in place of an answer is told by its title', async (body, said) => {
  const { message, status, contexts } = await made({
    status: 502,
    headers: { 'content-type': 'text/html' },
    body,
  })

  expect([message, status, contexts]).toEqual([`GitHub answered 502: ${said}`, 502, []])
})

test('a token that is not valid is a 401', async () => {
  const { github } = await shopAtGitHub()

  expect(await refusalOf(clientOf(github, 'nonsense').repository(SHOP))).toMatchObject({
    status: 401,
    message: 'GitHub answered 401: Bad credentials',
  })
})

test('silence ends after the time limit, each request for itself', async () => {
  const { github, sha } = await shopAtGitHub()
  const held = github.hold({ path: /check-runs/, before: 'answer' })

  const { message, status } = await refusalOf(clientOf(github, 'mona-token', 300).reportedChecks(SHOP, sha))
  held.release()

  expect([message, status]).toEqual(['GitHub did not answer within 0.3 s', undefined])
})

test('a connection that ends is no answer', async () => {
  const { github } = await shopAtGitHub()
  github.fail({ with: 'reset' })

  const { message, status, headers } = await refusalOf(clientOf(github).branchHead(SHOP, 'main'))

  expect(message).toContain('GitHub cannot be reached: ')
  expect([status, headers]).toEqual([undefined, {}])
})

test('what speaks no TLS is named in words, without the lines of OpenSSL', async () => {
  const { github } = await shopAtGitHub()

  const { message } = await refusalOf(
    clientOf({ url: github.url.replace('http:', 'https:') }).branchHead(SHOP, 'main'),
  )

  expect(message).toBe('GitHub cannot be reached: SSL routines: wrong version number')
})
