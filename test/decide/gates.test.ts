import { expect, test } from 'vitest'

import { createGate } from '../../src/decide/gates.ts'
import type { GateFacts, Lock } from '../../src/deployment/gates.ts'
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
