import { expect, test } from 'vitest'

import { shown } from '../../../src/web/api/deployments.ts'
import { deployment, SHA } from '../../support/samples.ts'

const namesIn = (value: unknown): readonly string[] =>
  typeof value !== 'object' || value === null
    ? []
    : Object.entries(value).flatMap(([name, inner]) => [name, ...namesIn(inner)])

test('a deployment is shown with names and times as they are in every other answer', () => {
  const one = deployment({
    hold: { reason: 'locked', detail: 'a migration', since: 1_000, until: undefined },
    forced: { by: 'ann', why: 'the sale' },
    approvedBy: 'bob',
    deployedSha: SHA,
    markedBad: { at: 2_000, by: 'ann', reason: 'slow' },
    changes: {
      from: 'a'.repeat(40),
      to: SHA,
      direction: 'forward',
      commitCount: 1,
      lostCount: 0,
      commits: [{ sha: SHA, title: 'Tea', author: 'ann' }],
      pullRequests: [{ number: 7, title: 'Tea' }],
      authors: ['ann'],
    },
  })

  const answer = shown(one)

  expect(namesIn(answer).filter((name) => !/^[a-z_]+$|^\d+$/.test(name))).toEqual([])
  expect(answer).toMatchObject({
    name: 'acme/shop/production#12',
    hold: { since: '1970-01-01T00:00:01.000Z', until: null },
    approved_by: 'bob',
    deployed_sha: SHA,
    marked_bad: { at: '1970-01-01T00:00:02.000Z', by: 'ann', reason: 'slow' },
    changes: { commit_count: 1, lost_count: 0, pull_requests: [{ number: 7, title: 'Tea' }] },
  })
})
