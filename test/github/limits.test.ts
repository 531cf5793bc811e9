import { expect, test } from 'vitest'

import { GitHubError } from '../../src/github/github.ts'
import { limitOf, reserveUntil } from '../../src/github/limits.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const MINUTE = 60_000
const HOUR = 60 * MINUTE

const saying = (headers: Readonly<Record<string, string>>) =>
  limitOf(new GitHubError('Slow down', 403, headers, undefined), NOW)
const exhausted = (resetAt: number) =>
  saying({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(resetAt) })

test('a limit lasts as long as GitHub says, and never longer than its hour', () => {
  expect(saying({ 'retry-after': '90' })).toEqual({ limited: true, retryAt: NOW + 1.5 * MINUTE })
  expect(saying({ 'retry-after': '31536000' }).retryAt).toBe(NOW + HOUR)
  expect(saying({ 'retry-after': 'Fri, 31 Dec 2099 23:59:59 GMT' }).retryAt).toBe(NOW + HOUR)
  expect(exhausted((NOW + 10 * MINUTE) / 1_000).retryAt).toBe(NOW + 10 * MINUTE)
  expect(exhausted(NOW + 10 * MINUTE).retryAt).toBe(NOW + HOUR) // milliseconds, as a proxy may write them
})

test('an empty header says nothing of a limit', () => {
  expect(saying({ 'retry-after': '' })).toEqual({ limited: false, retryAt: undefined })
})

test('the rest of the budget is left to others until it is full again, where that is within two hours', () => {
  const budget = { limit: 5_000, remaining: 999 }
  const until = (resetAt: number) => reserveUntil({ budget: { ...budget, resetAt } }, NOW, 0.2)

  expect(until(NOW + 10 * MINUTE)).toBe(NOW + 10 * MINUTE)
  expect(until(NOW * 1_000)).toBe(0)
  expect(until(NOW - 1)).toBe(0)
})
