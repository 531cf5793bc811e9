import { describe, expect, test } from 'vitest'

import { INVARIANTS, violationsOf, type Observation } from '../../torture/invariants.ts'
import type { Wish } from '../../torture/cancel.ts'
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

const HELD = 'Held as acme/web/production#1: GitHub answered 403: API rate limit exceeded.'

/** One delivery, one deployment, everything as it should be. */
const GOOD: Observation = {
  sent: [{ guid: 'a', status: 202 }],
  records: {
    deliveries: [{ id: 1, guid: 'a', event: 'deployment', verdict: 'queued' }],
    deployments: [deployment()],
    owed: 0,
    refused: [],
    hooks: [],
    asked: [],
    messages: [{ id: 5, body: 'Deployed' }],
  },
  github: [{ id: 900, statuses: [status('queued'), status('in_progress'), status('success', 'Deployed')] }],
  probes: [900],
  repeats: [{ guid: 'a', status: 200 }],
  journal: [line('start', '17'), line('end', '0')],
  messages: [{ body: 'Deployed', at: 100 }],
  deliveredAt: new Map([[5, 102]]),
  refused: { atLeast: 1, givenUp: 2, atMost: 2, shown: [7, 9], recorded: [7, 9] },
  unfetched: [],
  wishes: [],
  survivors: [],
  living: [],
  leftovers: [],
}

const wish = (outcome: Wish['outcome']): Wish => ({
  id: 1,
  outcome,
  started: 1,
  ended: 0,
  wasStopping: false,
})

const withDeployment = (given: Partial<RecordedDeployment>, ...last: ReturnType<typeof status>[]) => ({
  records: { ...GOOD.records, deployments: [deployment(given)] },
  github: [{ id: 900, statuses: last }],
  probes: [],
})

test('a world in which everything is as it should be breaks nothing', () => {
  expect(violationsOf(GOOD)).toEqual([])
})

test('a deployment that was held while GitHub did not answer, for more than one reason, breaks nothing', () => {
  const held = withDeployment(
    {},
    status('queued', HELD),
    status('queued', 'Held as acme/web/production#1: GitHub cannot be reached.'),
    status('queued', 'Waiting in line as acme/web/production#1'),
    status('in_progress'),
    status('success', 'Deployed'),
  )
  expect(violationsOf({ ...GOOD, ...held })).toEqual([])
})

test('an interrupted deployment that says so breaks nothing', () => {
  const interrupted = withDeployment(
    { state: 'failed', reason: 'interrupted' },
    status('error', 'Interrupted: Ferryman ended while it ran.'),
  )

  expect(violationsOf({ ...GOOD, ...interrupted, journal: [line('start', '17')] })).toEqual([])
})

const CANCELLED = withDeployment(
  { state: 'cancelled', reason: 'by_person' },
  status('error', 'Cancelled by mona: no'),
)

test.each([
  ['one that waited, and is cancelled', { ...CANCELLED, journal: [] }, wish('cancelled')],
  ['one that ran, and is cancelled', { ...CANCELLED, journal: [line('start', '17')] }, wish('cancelling')],
  [
    'one between two steps, of which the second had begun',
    { ...CANCELLED, journal: [line('start', '17'), line('end', '0'), line('start', '18', 2)] },
    { ...wish('cancelling'), ended: 1 },
  ],
  ['one whose last command ended before', {}, wish('cancelling')],
  ['one that had ended', {}, wish('ended_already')],
  ['one of which nobody heard', {}, wish('unheard')],
  [
    'one that a stop had interrupted',
    {
      ...withDeployment(
        { state: 'failed', reason: 'interrupted' },
        status('error', 'Interrupted: Ferryman was stopped'),
      ),
      journal: [line('start', '17')],
    },
    { ...wish('cancelling'), wasStopping: true },
  ],
] as const)('%s breaks nothing', (_, changed, wanted) => {
  expect(violationsOf({ ...GOOD, ...changed, wishes: [wanted] })).toEqual([])
})

test('what a person cancelled is told in other words than what was overtaken', () => {
  const invariant = 'what GitHub was told is what happened'
  const said = 'acme/shop/production#1 ended by by_person, and GitHub was told "Interrupted"'
  const wrong = withDeployment({ state: 'cancelled', reason: 'by_person' }, status('error', 'Interrupted'))

  expect(violationsOf({ ...GOOD, ...wrong, journal: [], wishes: [wish('cancelled')] })).toEqual([
    { invariant, what: said },
  ])
})

/** For every invariant, worlds that break it, and what is said of them. */
const BROKEN: Readonly<
  Record<keyof typeof INVARIANTS, readonly (readonly [Partial<Observation>, ...string[]])[]>
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
      'delivery a had been taken, and was answered 202 when it came again',
    ],
  ],
  'every recorded delivery has its outcome': [
    [
      { records: { ...GOOD.records, deployments: [] }, github: [], probes: [] },
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
  'every deployment of GitHub is known, and final there once and in legal order': [
    [{ github: [...GOOD.github, { id: 901, statuses: [] }] }, 'deployment 901 is not known'],
    [
      { github: [{ id: 900, statuses: [status('queued')] }], probes: [] },
      'deployment 900 has the statuses queued ""',
    ],
    [{ github: [{ id: 900, statuses: [] }], probes: [] }, 'deployment 900 has the statuses none'],
    [
      { github: [{ id: 900, statuses: [status('error', 'no'), status('success')] }] },
      'deployment 900 has the statuses error "no", success ""',
    ],
    [
      { github: [{ id: 900, statuses: [status('in_progress'), status('queued'), status('success')] }] },
      'deployment 900 has the statuses in_progress "", queued "", success ""',
    ],
    [
      { github: [{ id: 900, statuses: [status('queued'), status('queued', HELD), status('success')] }] },
      `deployment 900 has the statuses queued "", queued "${HELD}", success ""`,
    ],
    [
      {
        github: [{ id: 900, statuses: [status('queued', HELD), status('queued', HELD), status('success')] }],
      },
      `deployment 900 has the statuses queued "${HELD}", queued "${HELD}", success ""`,
    ],
  ],
  'nothing is made at GitHub twice': [
    [
      {
        github: [900, 901].map((id) => ({ id, nonce: 'n', statuses: [status('success')] })),
        records: { ...GOOD.records, deployments: [deployment(), deployment({ githubId: 901 })] },
      },
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
  'what was cancelled never runs afterwards': [
    [
      { wishes: [wish('cancelled')] },
      'acme/shop/production#1 was answered "cancelled", and ended as succeeded, null',
      'step 1 of acme/shop/production#1 began when it was cancelled',
    ],
    [
      {
        ...withDeployment({ state: 'failed', reason: 'interrupted' }, status('error', 'Interrupted')),
        wishes: [wish('cancelling')],
      },
      'acme/shop/production#1 was answered "cancelling", and ended as failed, interrupted',
    ],
    [
      {
        wishes: [wish('cancelling')],
        journal: [...GOOD.journal, line('start', '18', 2), line('end', '0', 2)],
      },
      'step 2 of acme/shop/production#1 began when it was cancelled',
    ],
    [
      { wishes: [{ ...wish('ended_already'), started: 0 }] },
      'step 1 of acme/shop/production#1 began when it was cancelled',
    ],
    [{ wishes: [wish('unknown')] }, 'deployment 1 was to be cancelled, and is not known'],
  ],
  'nothing is cancelled that nobody cancelled': [
    [
      {
        ...withDeployment({ state: 'cancelled', reason: 'by_person' }, status('error', 'Cancelled by mona')),
        journal: [],
      },
      'acme/shop/production#1 ended by a person, and nobody had asked for it',
    ],
  ],
  'lanes are free at the end': [
    [
      withDeployment({ state: 'failed', reason: 'timed_out' }, status('failure', 'late')),
      'the last deployment, 900, is failure: late',
    ],
  ],
  'what is refused for good is given up and shown, and nothing else': [
    [{ refused: { ...GOOD.refused, atLeast: 3 } }, '3 reports were refused for good, and 2 given up'],
    [{ refused: { ...GOOD.refused, atMost: 1 } }, '2 reports were given up, and 1 refused for good'],
    [{ refused: { ...GOOD.refused, shown: [] } }, '7, 9 was refused, and nothing is shown'],
  ],
  'what was refused is delivered when it is sent again': [
    [
      {
        records: {
          ...GOOD.records,
          refused: [true, false].map((isNewest) => ({ id: 7, channel: 'slack', githubId: 900, isNewest })),
        },
      },
      'report 7 to slack is still refused',
    ],
  ],
  'what could not be delivered is fetched': [[{ unfetched: ['a', 'b'] }, 'of a, b not all was fetched']],
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
  const all = worlds.map(([changed, ...said]) => ({ changed, said }))

  test.each(all)('is seen to be broken %#', ({ changed, said }) => {
    const probes = invariant === 'lanes are free at the end' ? [900] : changed.probes
    const seen = { ...GOOD, ...changed, ...(probes === undefined ? {} : { probes }) }

    expect(violationsOf(seen)).toEqual(said.map((what) => ({ invariant, what })))
  })
})
