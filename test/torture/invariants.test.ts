import { describe, expect, test } from 'vitest'

import { INVARIANTS, violationsOf, type Observation } from '../../torture/invariants.ts'
import type { RecordedDeployment } from '../../torture/records.ts'

const deployment = (given: Partial<RecordedDeployment> = {}): RecordedDeployment => ({
  id: 1,
  githubId: 900,
  deliveryId: 1,
  name: 'acme/shop/production#1',
  lane: 'shop',
  state: 'succeeded',
  reason: null,
  processes: 0,
  ...given,
})

const line = (what: string, rest: string, step = 1) => ({ what, deployment: 1, step, rest })
const status = (state: string, description = '') => ({ state, description })

/** One delivery, one deployment, everything as it should be. */
const GOOD: Observation = {
  sent: [{ guid: 'a', status: 202 }],
  records: {
    deliveries: [{ id: 1, guid: 'a', event: 'deployment', verdict: 'queued' }],
    deployments: [deployment()],
    owed: 0,
    messages: [{ id: 5, body: 'Deployed' }],
  },
  github: [{ id: 900, statuses: [status('queued'), status('in_progress'), status('success', 'Deployed')] }],
  probes: [900],
  repeats: [{ guid: 'a', status: 200 }],
  journal: [line('start', '17'), line('end', '0')],
  messages: [{ body: 'Deployed', at: 100 }],
  deliveredAt: new Map([[5, 102]]),
  survivors: [],
  living: [],
  leftovers: [],
}

const withDeployment = (given: Partial<RecordedDeployment>, ...last: ReturnType<typeof status>[]) => ({
  records: { ...GOOD.records, deployments: [deployment(given)] },
  github: [{ id: 900, statuses: last }],
  probes: [],
})

test('a world in which everything is as it should be breaks nothing', () => {
  expect(violationsOf(GOOD)).toEqual([])
})

test('an interrupted deployment that says so breaks nothing', () => {
  const interrupted = withDeployment(
    { state: 'failed', reason: 'interrupted' },
    status('error', 'Interrupted: Ferryman ended while it ran.'),
  )

  expect(violationsOf({ ...GOOD, ...interrupted, journal: [line('start', '17')] })).toEqual([])
})

/** For every invariant, worlds that break it, and what is said of them. */
const BROKEN: Readonly<
  Record<keyof typeof INVARIANTS, readonly (readonly [Partial<Observation>, string])[]>
> = {
  'the database can be read': [
    [
      { records: { ...GOOD.records, unreadable: 'database disk image is malformed' } },
      'it says: database disk image is malformed',
    ],
  ],
  'every delivery answered 2xx is recorded once': [
    [{ records: { ...GOOD.records, deliveries: [] } }, 'delivery a was acknowledged and is recorded 0 times'],
    [
      {
        records: {
          ...GOOD.records,
          deliveries: [1, 2].map((id) => ({ id, guid: 'a', event: '', verdict: '' })),
        },
      },
      'delivery a was acknowledged and is recorded 2 times',
    ],
  ],
  'what was forged is not recorded': [
    [{ sent: [{ guid: 'a', status: 401 }] }, 'delivery a was refused and is recorded'],
  ],
  'what comes again is known': [
    [
      { repeats: [{ guid: 'a', status: 202 }] },
      'delivery a had been acknowledged, and was answered 202 when it came again',
    ],
  ],
  'every recorded delivery has its outcome': [
    [
      { records: { ...GOOD.records, deployments: [] } },
      'delivery a was queued, and there is no deployment of it',
    ],
    [
      { ...withDeployment({ state: 'running', githubId: null }), github: [] },
      'acme/shop/production#1 is still running',
    ],
  ],
  'no command runs twice': [
    [
      { journal: [line('start', '17'), line('start', '18'), line('end', '0'), line('end', '0')] },
      'step 1 of deployment 1 was started 2 times',
    ],
  ],
  'no two deployments of a lane overlap': [
    [
      { journal: [line('overlap', 'shop'), ...GOOD.journal] },
      'deployment 1 found somebody else in lane shop',
    ],
  ],
  'every deployment is final on GitHub, once and in legal order': [
    [
      { github: [{ id: 900, statuses: [status('queued')] }], probes: [] },
      'deployment 900 has the statuses queued',
    ],
    [{ github: [{ id: 900, statuses: [] }], probes: [] }, 'deployment 900 has the statuses none'],
    [
      { github: [{ id: 900, statuses: [status('error', 'no'), status('success')] }] },
      'deployment 900 has the statuses error, success',
    ],
    [
      { github: [{ id: 900, statuses: [status('in_progress'), status('queued'), status('success')] }] },
      'deployment 900 has the statuses in_progress, queued, success',
    ],
  ],
  'nothing is made at GitHub twice': [
    [
      { github: [900, 901].map((id) => ({ id, nonce: 'n', statuses: [status('success')] })) },
      'deployments 900 and 901 were made for the same merge or push',
    ],
  ],
  'nothing is told again that was delivered': [
    [
      { messages: [...GOOD.messages, { body: 'Deployed', at: 150 }] },
      'report 5 came to Slack 48 ms after it had been delivered',
    ],
  ],
  'what GitHub was told is what happened': [
    [
      withDeployment({}, status('failure', 'no')),
      'acme/shop/production#1 ended as succeeded, and GitHub was told failure',
    ],
    [
      withDeployment({ state: 'failed', reason: 'interrupted' }, status('error', 'Something else')),
      'acme/shop/production#1 ended by interrupted, and GitHub was told "Something else"',
    ],
    [{ journal: [line('start', '17')] }, 'acme/shop/production#1 succeeded, but of 1 steps 0 ended'],
    [
      withDeployment({ state: 'failed', reason: 'command_failed' }, status('failure', 'no')),
      'acme/shop/production#1 failed, but its last command succeeded',
    ],
    [
      withDeployment({ state: 'cancelled', reason: 'superseded' }, status('inactive', 'no')),
      'acme/shop/production#1 was taken back, but it ran',
    ],
  ],
  'lanes are free at the end': [
    [
      withDeployment({ state: 'failed', reason: 'timed_out' }, status('failure', 'late')),
      'the last deployment, 900, is failure: late',
    ],
  ],
  'nothing is owed at the end': [[{ records: { ...GOOD.records, owed: 2 } }, '2 reports are still owed']],
  'no process of an earlier life exists': [
    [
      { survivors: [{ pid: 17, since: '1', command: 'sleep 300' }] },
      'process 17 outlived the start that followed: sleep 300',
    ],
    [{ living: [{ pid: 17, since: '1', command: 'sleep 300' }] }, 'process 17 lives: sleep 300'],
    [
      withDeployment({ processes: 1 }, status('success')),
      'acme/shop/production#1 has ended, and its processes are still written down',
    ],
  ],
  'nothing is left in the data directory': [[{ leftovers: ['runs/ab'] }, 'runs/ab is still there']],
}

describe.each(Object.entries(BROKEN))('%s', (invariant, worlds) => {
  test.each(worlds)('is seen to be broken %#', (changed, what) => {
    const probes = invariant === 'lanes are free at the end' ? [900] : changed.probes
    const seen = { ...GOOD, ...changed, ...(probes === undefined ? {} : { probes }) }

    expect(violationsOf(seen)).toEqual([{ invariant, what }])
  })
})
