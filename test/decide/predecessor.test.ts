import { expect, test } from 'vitest'

import { judgePredecessor } from '../../src/decide/predecessor.ts'
import type { Upstream } from '../../src/deployment/gates.ts'
import { SHA } from '../support/samples.ts'

const AT = Date.UTC(2026, 10, 25, 10, 24)
const AFTER = { environment: 'staging', bakeSeconds: 1_800 }
const there = (given: Partial<Upstream> = {}): Upstream => ({
  environment: 'staging',
  success: undefined,
  bad: undefined,
  other: undefined,
  ...given,
})
const judge = (upstream: Upstream | undefined, now = AT) => judgePredecessor(SHA, AFTER, { upstream, now })
const success = { number: 12, at: AT }

test.each([
  ['was never tried there', {}, 'Waiting for staging: it has not had a84d88e yet'],
  [
    'is still to be tried',
    { other: { number: 12, state: 'queued' } },
    'staging #12 is still to deploy a84d88e',
  ],
  ['is on its way there', { other: { number: 12, state: 'running' } }, 'staging #12 is deploying a84d88e'],
  [
    'is taken back',
    { other: { number: 12, state: 'cancelling' } },
    'staging #12 is being cancelled with a84d88e',
  ],
  [
    'was taken back',
    { other: { number: 12, state: 'cancelled' } },
    'staging #12 was taken back with a84d88e',
  ],
  ['failed there', { other: { number: 12, state: 'failed' } }, 'staging #12 failed with a84d88e'],
  [
    'is marked bad',
    { success, bad: { by: 'ann', reason: undefined } },
    'a84d88e is marked bad on staging by ann',
  ],
  [
    'is marked bad, with why',
    { bad: { by: 'ann', reason: 'slow' } },
    'a84d88e is marked bad on staging by ann: slow',
  ],
] as const)('a commit that %s waits, and says so', (_what, given, detail) => {
  expect(judge(there(given), AT + 9_999_999)).toEqual({
    reason: 'earlier_environment',
    detail,
    until: undefined,
  })
})

test('a commit bakes until its time is over, and not one moment longer', () => {
  const until = AT + 1_800_000

  expect(judge(there({ success }), until - 1)).toEqual({
    reason: 'earlier_environment',
    detail: 'a84d88e bakes on staging until 2026-11-25 10:54 UTC (30 min)',
    until,
  })
  expect(judge(there({ success }), until)).toBeUndefined()
})

test('without a time to bake a success is enough', () => {
  const facts = { upstream: there({ success }), now: AT }

  expect(judgePredecessor(SHA, { environment: 'staging', bakeSeconds: 0 }, facts)).toBeUndefined()
})

test('what is known of another environment opens nothing', () => {
  const detail = 'Waiting for staging: it has not had a84d88e yet'

  for (const known of [undefined, there({ environment: 'test', success })])
    expect(judge(known, AT + 9_999_999)?.detail).toBe(detail)
})

test.each([
  [45, '45 s'],
  [5_400, '1 h 30 min'],
  [2_592_000, '30 d'],
])('%i seconds are told as %s', (bakeSeconds, told) => {
  const facts = { upstream: there({ success }), now: AT }

  expect(judgePredecessor(SHA, { environment: 'staging', bakeSeconds }, facts)?.detail).toContain(`(${told})`)
})
