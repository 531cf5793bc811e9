import { describe, expect, test } from 'vitest'

import type { ApprovalDemand } from '../../src/config/config.ts'
import { approverOf, judgeApproval, refusalOf } from '../../src/decide/approval.ts'
import type { Deployment } from '../../src/deployment/deployment.ts'
import type { Approval, GateFacts } from '../../src/deployment/gates.ts'
import { runningDeployment } from '../support/running.ts'

const NOW = Date.UTC(2026, 10, 26, 10, 24)
const ANYBODY: ApprovalDemand = { by: undefined, expiresSeconds: 86_400, allowsAuthor: false }
const LISTED: ApprovalDemand = { ...ANYBODY, by: ['Ann', 'bob'] }

const deployment = (given: Partial<Deployment> = {}): Deployment =>
  runningDeployment({ state: 'queued', actor: 'mona', creator: 'mona', ...given })
const MERGE = deployment({ origin: 'merge', creator: 'ferryman-robot' })
const by = (name: string, until = NOW + 1): Approval => ({ by: name, at: NOW - 1_000, until })
const facts = (approvals: readonly Approval[], authors: readonly string[] = []): GateFacts => ({
  now: NOW,
  locks: [],
  upstream: undefined,
  approvals,
  authors,
  areAuthorsKnown: true,
})
const detailOf = (one: Deployment, demand: ApprovalDemand, given: GateFacts) =>
  judgeApproval(one, demand, given)?.detail

describe('an approval', () => {
  test('by another person opens the gate, and that person is named', () => {
    expect(judgeApproval(MERGE, ANYBODY, facts([by('ann')], ['octo']))).toBeUndefined()
    expect(approverOf(MERGE, ANYBODY, facts([by('ann'), by('bob')]))).toBe('ann')
  })

  test('counts until its time is over, and not one moment longer', () => {
    expect(approverOf(MERGE, ANYBODY, facts([by('ann', NOW + 1)]))).toBe('ann')
    expect(approverOf(MERGE, ANYBODY, facts([by('ann', NOW)]))).toBeUndefined()
  })

  test.each([
    ['who merged', MERGE, 'MONA'],
    ['who wrote the pull request', MERGE, 'octo'],
    ['who asked for it on GitHub', deployment({ creator: 'robot' }), 'mona'],
    ['who made it on GitHub', deployment({ actor: 'hubot' }), 'Mona'],
    ['who asked Ferryman for it', deployment({ origin: 'person', creator: 'robot' }), 'mona'],
  ])('by %s does not count, unless that is allowed', (_who, one, name) => {
    const known = facts([by(name)], ['octo'])

    expect(refusalOf(name, one, ANYBODY, known)).toBe('author')
    expect(judgeApproval(one, ANYBODY, known)?.reason).toBe('approval_pending')
    expect(judgeApproval(one, { ...ANYBODY, allowsAuthor: true }, known)).toBeUndefined()
  })

  test('by whoever owns the token with which our own deployments are made counts', () => {
    expect(refusalOf('ferryman-robot', MERGE, ANYBODY, { authors: [] })).toBeUndefined()
  })

  test('by somebody who is not listed does not count; who is, in whichever case', () => {
    expect(refusalOf('carol', MERGE, LISTED, { authors: [] })).toBe('not_listed')
    expect(refusalOf('ANN', MERGE, LISTED, { authors: [] })).toBeUndefined()
  })
})

test.each([
  [
    'nobody has said anything',
    ANYBODY,
    facts([], ['octo']),
    'Waiting for approval by somebody other than mona and octo',
  ],
  [
    'the author wrote and merged it',
    ANYBODY,
    facts([], ['Mona']),
    'Waiting for approval by somebody other than mona',
  ],
  ['authors may', { ...ANYBODY, allowsAuthor: true }, facts([]), 'Waiting for approval'],
  ['some are listed', LISTED, facts([]), 'Waiting for approval by Ann or bob'],
  ['one of them is the author', LISTED, facts([], ['ann']), 'Waiting for approval by bob'],
  [
    'all of them are',
    LISTED,
    facts([], ['ann', 'bob']),
    'Waiting for approval, which nobody may give: it is a change of Ann and bob',
  ],
  [
    'many are listed',
    { ...ANYBODY, by: ['a', 'b', 'c', 'd', 'e'] },
    facts([]),
    'Waiting for approval by a, b, c or 2 more',
  ],
  [
    'an approval has ended',
    LISTED,
    facts([by('ann', NOW - 60_000)]),
    'The approval by ann ended 2026-11-26 10:23 UTC; waiting for another by Ann or bob',
  ],
  [
    'somebody has approved their own',
    LISTED,
    facts([by('ann')], ['ann']),
    'The approval by ann, whose it is, does not count; waiting for another by bob',
  ],
  [
    'somebody has approved who may not any more',
    LISTED,
    facts([by('carol')]),
    'The approval by carol, who may not approve it, does not count; waiting for another by Ann or bob',
  ],
] as const)('where %s the sentence says so', (_what, demand, known, detail) => {
  expect(detailOf(MERGE, demand, known)).toBe(detail)
})
