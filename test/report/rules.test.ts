import { describe, expect, test } from 'vitest'

import type { ScriptedAnswer } from '../../src/demo/faults.ts'
import { createGitHubPace } from '../../src/github/pace.ts'
import { githubChannel } from '../../src/report/github-channel.ts'
import type { Channel } from '../../src/report/outbox.ts'
import { ruleFor, type Circumstances, type Rule, type SendFailure } from '../../src/report/rules.ts'
import { slackChannel } from '../../src/report/slack-channel.ts'
import { slackMessageOf } from '../../src/report/slack-message.ts'
import { retryAfter } from '../../src/retry-after.ts'
import type { OwedReport } from '../../src/store/store.ts'
import { clientOf, shopAtGitHub, slackForTest } from '../support/doubles.ts'

const NOW = 1_000_000_000_000
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const clock = () => NOW
const NOTHING_TOLD = { of: () => Promise.resolve([]) }

const circumstances = (given: Partial<Circumstances> = {}): Circumstances => ({
  now: NOW,
  barredSince: undefined,
  attempts: 1,
  failures: { recipient: 1, repository: 1 },
  random: 0.5,
  ...given,
})
const reportOf = (body: unknown): OwedReport => ({
  id: 1,
  channel: 'any',
  body,
  attempts: 0,
  createdAt: NOW,
  barredSince: undefined,
  isFinal: false,
  deployment: {
    id: 1,
    repository: 'acme/shop',
    configuredAs: 'acme/shop',
    environment: 'production',
    number: 1,
    githubId: 1,
    reason: undefined,
  },
})
const failureIn = async (channel: Channel, body: unknown): Promise<SendFailure> =>
  channel.send(reportOf(body), false).then(
    () => {
      throw new Error('It was delivered.')
    },
    (thrown: unknown) => channel.failureOf(thrown),
  )

type Fault = ScriptedAnswer | 'reset' | 'hang' | 'reset-after-applying' | 'down'
const page = '<html><title>Bad gateway</title></html>'
const says = (status: number, message: string, headers: Record<string, string> = {}): ScriptedAnswer => ({
  status,
  headers,
  body: { message },
})
const spent = {
  'x-ratelimit-remaining': '0',
  'x-ratelimit-reset': String((NOW + 10 * MINUTE) / 1000),
  date: new Date(NOW).toUTCString(),
}
const later = { 'retry-after': '120' }

const REFUSED: Rule = { settled: true, rest: undefined }
const rests = (of: 'repository' | 'recipient', until: number, isLimit = false) => ({ of, until, isLimit })
const limit = (until: number): Rule => ({
  settled: false,
  dueAt: until,
  rest: rests('recipient', until, true),
})

describe('GitHub', () => {
  const soon: Rule = { settled: false, dueAt: NOW + SECOND, rest: rests('repository', NOW + SECOND) }
  const hourly = (of: 'repository' | 'recipient'): Rule => ({
    settled: false,
    dueAt: NOW + HOUR,
    barredSince: NOW,
    rest: rests(of, NOW + MINUTE),
  })

  test.each<[string, Fault, Rule]>([
    ['is down', 'down', soon],
    ['never answers', 'hang', soon],
    ['resets the connection', 'reset', soon],
    ['resets the connection after it wrote the status', 'reset-after-applying', soon],
    ['answers 500', says(500, 'Server Error'), soon],
    ['answers 502 with a page', { status: 502, body: page }, soon],
    ['answers 200 with a page', { status: 200, body: page }, soon],
    ['answers 503 with Retry-After', says(503, 'Later', later), { ...soon, dueAt: NOW + 2 * MINUTE }],
    ['has a primary limit', says(403, 'API rate limit exceeded', spent), limit(NOW + 10 * MINUTE)],
    [
      'has a primary limit, with Retry-After',
      says(403, 'API rate limit exceeded', { ...spent, ...later }),
      limit(NOW + 2 * MINUTE),
    ],
    [
      'has a primary limit that does not say until when',
      says(403, 'API rate limit exceeded', { 'x-ratelimit-remaining': '0' }),
      limit(NOW + MINUTE),
    ],
    [
      'has a primary limit, and our clock is wrong by years',
      says(403, 'API rate limit exceeded', {
        ...spent,
        date: new Date(NOW + 1e12).toUTCString(),
        'x-ratelimit-reset': String((NOW + 1e12) / 1000 + 600),
      }),
      limit(NOW + 10 * MINUTE),
    ],
    [
      'has a limit that is over by its own clock',
      says(403, 'API rate limit exceeded', { ...spent, 'x-ratelimit-reset': String(NOW / 1000 - 20) }),
      limit(NOW + SECOND),
    ],
    ['has a secondary limit', says(403, 'You have exceeded a secondary rate limit.'), limit(NOW + MINUTE)],
    [
      'has a secondary limit, with Retry-After',
      says(403, 'You have exceeded a secondary rate limit.', later),
      limit(NOW + 2 * MINUTE),
    ],
    ['answers 429', says(429, 'Too many requests'), limit(NOW + MINUTE)],
    ['answers 429 with Retry-After', says(429, 'Too many requests', later), limit(NOW + 2 * MINUTE)],
    ['answers 429 with Retry-After: 0', says(429, 'Slow', { 'retry-after': '0' }), limit(NOW + SECOND)],
    ['asks for a year', says(429, 'Never', { 'retry-after': '31536000' }), limit(NOW + HOUR)],
    ['knows the token no more', says(401, 'Bad credentials'), hourly('recipient')],
    [
      'misses a permission',
      says(403, 'Resource not accessible by personal access token'),
      hourly('repository'),
    ],
    ['hides the repository from the token', says(404, 'Not Found'), hourly('repository')],
    ['says gone', says(410, 'Gone'), REFUSED],
    ['refuses the status', says(422, 'Validation Failed'), REFUSED],
    ['answers 400, as a broken proxy does', says(400, 'Bad request'), soon],
    ['answers 409', says(409, 'Conflict'), soon],
  ])('%s', async (_name, fault, rule) => {
    const { github } = await shopAtGitHub()
    await github.createDeployment('acme/shop', { ref: 'main', auto_merge: false, required_contexts: [] })
    if (fault !== 'down') github.fail({ with: fault, times: 2 })
    const client = clientOf(
      fault === 'down' ? { ...github, url: 'http://127.0.0.1:1' } : github,
      undefined,
      fault === 'hang' ? 300 : 5_000,
    )

    const channel = githubChannel(() => client, {
      outbox: NOTHING_TOLD,
      pace: () => createGitHubPace(480),
      clock,
    })
    const failure = await failureIn(channel, { state: 'queued', description: 'Waiting' })

    expect(ruleFor(failure, circumstances())).toEqual(rule)
  })
})

describe('Slack', () => {
  const soon: Rule = { settled: false, dueAt: NOW + SECOND, rest: rests('recipient', NOW + SECOND) }
  const rest = rests('recipient', NOW + MINUTE)
  const hourly: Rule = { settled: false, dueAt: NOW + HOUR, rest, barredSince: NOW }
  const word = (status: number, body: string, headers: Record<string, string> = {}) => ({
    status,
    body,
    headers,
  })

  test.each<[string, Fault, Rule]>([
    ['is down', 'down', soon],
    ['never answers', 'hang', soon],
    ['resets the connection', 'reset', soon],
    ['resets the connection after it showed the message', 'reset-after-applying', soon],
    ['answers 500', word(500, 'rollup_error'), soon],
    ['answers 502 with a page', word(502, page), soon],
    ['answers 200 with a page', word(200, page), soon],
    ['answers 200 with its word for a no', word(200, 'no_service'), REFUSED],
    ['answers 200 with its word for a missing right', word(200, 'invalid_token'), hourly],
    ['answers 429', word(429, 'rate_limited'), limit(NOW + MINUTE)],
    ['answers 429 with Retry-After', word(429, 'rate_limited', later), limit(NOW + 2 * MINUTE)],
    ['takes the token back', word(403, 'invalid_token'), hourly],
    ['answers 401', word(401, 'no'), hourly],
    ['forbids the channel', word(403, 'action_prohibited'), hourly],
    ['does not know the webhook', word(404, 'no_service'), REFUSED],
    ['archived the channel', word(410, 'channel_is_archived'), REFUSED],
    ['refuses the message', word(400, 'invalid_blocks'), REFUSED],
    ['answers 422', word(422, 'no'), REFUSED],
    ['answers 408', word(408, 'slow'), soon],
  ])('%s', async (_name, fault, rule) => {
    const slack = await slackForTest()
    if (fault !== 'down') slack.fail({ with: fault })
    const url = fault === 'down' ? 'http://127.0.0.1:1/services/x' : slack.url

    const channel = slackChannel(() => ({ url, timeoutMs: 300 }), clock)
    const failure = await failureIn(channel, slackMessageOf('Deployed', 'Deployed'))

    expect(ruleFor(failure, circumstances())).toEqual(rule)
  })
})

const failure = (given: Partial<SendFailure>): SendFailure => ({
  message: 'no',
  status: undefined,
  retryAt: undefined,
  limited: false,
  final: false,
  concerns: 'repository',
  ...given,
})

test.each([401, 403])('what is refused with %i for more than a week is given up', (status) => {
  const dayOf = (days: number) => circumstances({ barredSince: NOW - days * 24 * HOUR })

  expect(ruleFor(failure({ status }), dayOf(6.9))).toMatchObject({ settled: false, dueAt: NOW + HOUR })
  expect(ruleFor(failure({ status }), dayOf(7.1))).toMatchObject({ settled: true })
})

test.each([401, 403])(
  'the week of %i begins with the first of them, however long it was tried before',
  (status) => {
    const first = ruleFor(failure({ status }), circumstances({ attempts: 5_000 }))

    expect(first).toMatchObject({ settled: false, dueAt: NOW + HOUR, barredSince: NOW })
  },
)

test('what fails otherwise in between begins the week anew', () => {
  const between = ruleFor(failure({ status: 502 }), circumstances({ barredSince: NOW - 6 * 24 * HOUR }))

  expect(between).not.toHaveProperty('barredSince')
})

test.each([undefined, 500, 502, 503])(
  'no answer, or %s, is tried again soon, then more slowly, never given up',
  (status) => {
    const waits = [1, 2, 5, 9, 50].map((attempts) => {
      const rule = ruleFor(
        failure({ status }),
        circumstances({ attempts, failures: { recipient: 1, repository: 3 } }),
      )
      return rule.settled ? 'given up' : [rule.dueAt - NOW, (rule.rest?.until ?? 0) - NOW]
    })

    expect(waits).toEqual([1_000, 2_000, 16_000, 256_000, 300_000].map((wait) => [wait, 4_000]))
  },
)

test('who asks for patience again and again is left alone for longer', () => {
  const waits = [1, 2, 3, 9].map((recipient) => {
    const rule = ruleFor(
      failure({ status: 429, limited: true }),
      circumstances({ failures: { recipient, repository: 1 } }),
    )
    return rule.settled ? 'given up' : rule.dueAt - NOW
  })

  expect(waits).toEqual([1, 2, 4, 32].map((minutes) => minutes * MINUTE))
})

test.each([
  ['5', NOW + 5_000],
  ['Sun, 09 Sep 2001 01:46:50 GMT', NOW + 10_000],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After %j is read', (header, at) => {
  expect(retryAfter(header, NOW)).toBe(at)
})
