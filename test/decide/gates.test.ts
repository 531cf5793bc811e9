import { expect, test } from 'vitest'

import type { EnvironmentConfig } from '../../src/config/config.ts'
import { createGate, withChecks } from '../../src/decide/gates.ts'
import type { GateFacts, Lock } from '../../src/deployment/gates.ts'
import type { Deployment } from '../../src/deployment/deployment.ts'
import { runningDeployment } from '../support/running.ts'
import { environmentConfig } from '../support/samples.ts'

const NOW = Date.UTC(2026, 10, 25, 10, 24)
const LOCK: Lock = { id: 1, place: '*', reason: 'an incident', by: 'bob', since: 0, until: undefined }
const UNPROVED = { environment: 'staging', success: undefined, bad: undefined, other: undefined }
const FREEZE = {
  allow: [],
  deny: [{ kind: 'single', from: 0, until: NOW + 1_000, zone: 'Europe/Berlin', name: 'freeze' }],
} as const

/** Why an environment with every gate closed holds a deployment. */
const reasonOf = (given: Partial<GateFacts>, forced?: { readonly by: string; readonly why: string }) => {
  const after = { environment: 'staging', bakeSeconds: 0 }
  const gate = createGate(() => environmentConfig({ windows: FREEZE, after }))
  const facts = {
    now: NOW,
    locks: [LOCK],
    approvals: [],
    upstream: UNPROVED,
    ...given,
    authors: [],
    areAuthorsKnown: true,
  }
  return gate.judge(runningDeployment({ state: 'queued', forced }), facts)?.reason
}

test('the first gate that stands in the way is told', () => {
  expect(reasonOf({})).toBe('locked')
  expect(reasonOf({ locks: [] })).toBe('outside_windows')
  expect(reasonOf({ locks: [], now: NOW + 1_000 })).toBe('earlier_environment')
})

test('force passes locks, windows and earlier environments, all of them', () => {
  expect(reasonOf({}, { by: 'ann', why: 'the sale begins' })).toBeUndefined()
})

/** Why one with open gates may not begin at `NOW`, whose checks were seen to pass so long ago. */
const heldFor = (
  age: number | undefined,
  given: Partial<EnvironmentConfig>,
  one: Partial<Deployment> = {},
) => {
  const environmentOf = () => environmentConfig({ requiredContexts: ['ci/test'], ...given })
  const facts = {
    now: NOW,
    locks: [],
    approvals: [],
    authors: [],
    areAuthorsKnown: false,
    upstream: undefined,
  }
  const checkedAt = age === undefined ? undefined : NOW - age
  const waiting = runningDeployment({ state: 'queued', origin: 'merge', checkedAt, ...one })
  return withChecks(createGate(environmentOf), environmentOf).judge(waiting, facts)?.reason
}
const FORCED = { forced: { by: 'ann', why: 'the sale begins' } }

test.each([
  ['so long ago as may be', heldFor(60_000, {}), undefined],
  ['too long ago', heldFor(60_001, {}), 'checks_stale'],
  ['by a clock that was set back since', heldFor(-1, {}), 'checks_stale'],
  ['never', heldFor(undefined, {}), 'checks_stale'],
  ['never, and none are required', heldFor(undefined, { requiredContexts: undefined }), undefined],
  ['never, and it is forced', heldFor(undefined, {}, FORCED), undefined],
  [
    'never, and some count even then',
    heldFor(undefined, { evenWhenForced: ['audit'] }, FORCED),
    'checks_stale',
  ],
  ['never, and GitHub has seen to them itself', heldFor(undefined, {}, { origin: 'deployment' }), undefined],
])('checks that were seen to pass %s let it begin, or have it looked at again', (_when, reason, expected) => {
  expect(reason).toBe(expected)
})

test('what has left the configuration at this very moment begins nowhere, forced or not', () => {
  const gate = withChecks(
    createGate(() => undefined),
    () => undefined,
  )
  const facts = {
    now: NOW,
    locks: [LOCK],
    approvals: [],
    authors: [],
    areAuthorsKnown: true,
    upstream: undefined,
  }

  for (const given of [{}, FORCED])
    expect(gate.judge(runningDeployment({ state: 'queued', ...given }), facts)).toMatchObject({
      reason: 'deciding',
      detail: 'Where it goes is no longer in the configuration',
    })
})
