import { expect, test } from 'vitest'

import { GitHubError } from '../../src/github/github.ts'
import { githubFailure } from '../../src/report/github-channel.ts'
import { ruleFor, type SendFailure } from '../../src/report/rules.ts'
import { retryAfter } from '../../src/retry-after.ts'

const NOW = 1_000_000_000_000
const HOUR = 3_600_000
const circumstances = { now: NOW, createdAt: NOW - HOUR, attempts: 1, random: 0.5 }
const failure = (given: Partial<SendFailure>): SendFailure => ({
  message: 'no',
  status: undefined,
  retryAt: undefined,
  limited: false,
  final: false,
  ...given,
})
const github = (status: number | undefined, headers: Record<string, string> = {}, message = 'no') =>
  ruleFor(githubFailure(new GitHubError(message, status, headers, undefined), NOW), circumstances)

test.each([404, 410, 422])('GitHub answering %i ends a report for good', (status) => {
  expect(github(status)).toEqual({ settled: true })
})

test.each([401, 403])('a token refused with %i is tried again hourly, for a week', (status) => {
  expect(github(status)).toEqual({ settled: false, dueAt: NOW + HOUR, channelPausedUntil: undefined })
  const old = { ...circumstances, createdAt: NOW - 8 * 24 * HOUR }
  expect(ruleFor(failure({ status }), old)).toEqual({ settled: true })
})

test.each([
  ['Retry-After', 403, { 'retry-after': '30' }, NOW + 30_000],
  [
    'a primary limit',
    403,
    { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW / 1000 + 90) },
    NOW + 90_000,
  ],
  ['429 alone', 429, {}, NOW + 60_000],
  [
    'a reset that is over by our clock',
    403,
    { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW / 1000 - 20) },
    NOW + 1_000,
  ],
  ['a limit that does not say until when', 403, { 'x-ratelimit-remaining': '0' }, NOW + 60_000],
  ['Retry-After: 0', 429, { 'retry-after': '0' }, NOW + 1_000],
])('%s rests the whole channel', (_name, status, headers, until) => {
  expect(github(status, headers)).toEqual({ settled: false, dueAt: until, channelPausedUntil: until })
})

test('a secondary limit without any header is a limit, not a missing right', () => {
  expect(github(403, {}, 'You have exceeded a secondary rate limit.')).toMatchObject({
    channelPausedUntil: NOW + 60_000,
  })
})

test.each([undefined, 500, 502, 503])(
  'no answer, or %s, is tried again soon, then more slowly, never given up',
  (status) => {
    const waits = [1, 2, 5, 9, 50].map((attempts) => {
      const rule = ruleFor(failure({ status }), { ...circumstances, attempts })
      return rule.settled ? 'given up' : rule.dueAt - NOW
    })

    expect(waits).toEqual([1_000, 2_000, 16_000, 256_000, 300_000])
  },
)

test.each([
  ['5', NOW + 5_000],
  ['Sun, 09 Sep 2001 01:46:50 GMT', NOW + 10_000],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After %j is read', (header, at) => {
  expect(retryAfter(header, NOW)).toBe(at)
})
