import { expect, test } from 'vitest'

import { atGate, passGate, type Outcome } from '../../src/decide/gate.ts'
import type { Deployment } from '../../src/deployment/deployment.ts'
import { createGitHub } from '../../src/github/client.ts'
import { createGitHubPace } from '../../src/github/pace.ts'
import { shopAtGitHub } from '../support/doubles.ts'
import { runningDeployment } from '../support/running.ts'

const NONCE = '0123456789abcdef0123456789abcdef'
const SECOND = 1_000
const MINUTE = 60 * SECOND

/** A merge that was recorded at 0, and GitHub as it is asked about it at some later time. */
async function gateAt(rights: 'all' | 'no checks' = 'all') {
  const { github, sha } = await shopAtGitHub()
  const granted = { deployments: 'write', contents: 'read' } as const
  const permissions = rights === 'all' ? ({ ...granted, statuses: 'read', checks: 'read' } as const) : granted
  github.addToken('robot-token', { type: 'fine-grained', login: 'robot', permissions })
  const client = createGitHub({ token: 'robot-token', apiUrl: github.url, version: 'test' })
  const merge: Deployment = runningDeployment({
    origin: 'merge',
    branch: 'main',
    nonce: NONCE,
    githubId: undefined,
    state: 'queued',
    sha,
    payload: JSON.stringify({ deploy_user: 'mona', ferryman: NONCE }),
    createdAt: 0,
  })
  const pace = createGitHubPace(480)
  const pass = (
    requiredContexts: readonly string[] | 'all' | undefined,
    age: number,
    given: Partial<Deployment> = {},
  ): Promise<Outcome> =>
    passGate(
      { ...merge, ...given },
      {
        requiredContexts,
        checksWaitSeconds: 3600,
        via: 'github',
        enforceRequiredContexts: false,
        evenWhenForced: [],
      },
      {
        github: () => client,
        clock: () => age,
        elapsed: (_, beganAt) => age - beganAt,
        asking: () => Promise.resolve(true),
        checked: () => Promise.resolve(),
        closed: () => Promise.resolve(undefined),
        pace: () => pace,
      },
    )
  return { github, sha, pace, pass }
}

test('what requires nothing passes, and GitHub makes its deployment', async () => {
  const { pass } = await gateAt()

  expect(await pass(undefined, 0)).toMatchObject({ kind: 'made', made: { creator: 'robot' } })
})

test('a deployment waits for its turn when GitHub was given as many as it takes', async () => {
  const { github, pace, pass } = await gateAt()
  for (let count = 0; count < 60; count += 1) pace.begin('final', 0).end(0)

  const [early, late] = [await pass([], SECOND), await pass([], MINUTE)]

  expect(early).toMatchObject({ kind: 'wait', reason: 'github_unavailable', lookAgainMs: 59 * SECOND })
  expect(late.kind).toBe('made')
  expect(github.requests.map(({ method }) => method)).toEqual(['POST'])
  expect(pace.room('deployment', MINUTE)).toBe(59)
})

test('what GitHub made before is found by its nonce and not made again; one of others is not taken', async () => {
  const { github, pass } = await gateAt()
  const others = {
    ref: 'main',
    auto_merge: false,
    required_contexts: [],
    payload: { ferryman: 'f'.repeat(32) },
  }
  await github.createDeployment('acme/shop', others)

  const [first, again] = [await pass([], 0), await pass([], 0, { wasAsked: true })]

  expect(first.kind).toBe('made')
  expect(again).toEqual(first)
})

test('the wait says for what and how long, and ends after an hour', async () => {
  const { pass } = await gateAt()

  expect(await pass(['ci/test'], 20 * SECOND)).toEqual({
    kind: 'wait',
    reason: 'checks_pending',
    detail: 'Waiting for ci/test',
    since: 0,
    lookAgainMs: MINUTE,
  })
  expect(await pass(['ci/test'], 4.5 * MINUTE)).toMatchObject({ detail: 'Waiting for ci/test, 4 min' })
  expect(await pass(['ci/test'], 59.5 * MINUTE)).toMatchObject({ lookAgainMs: 30 * SECOND })
  expect(await pass(['ci/test'], 60 * MINUTE)).toMatchObject({
    kind: 'end',
    reason: 'wait_expired',
    detail: 'Not deployed: still waiting for ci/test after 60 min',
  })
})

test('a gate is looked at when it opens, and every minute before: a clock may be set, or a machine have slept', () => {
  const freeze = { reason: 'outside_windows', detail: 'freeze', until: 10 * MINUTE } as const

  expect(atGate(freeze, 0)).toEqual({ kind: 'wait', ...freeze, lookAgainMs: MINUTE })
  expect(atGate(freeze, 9.5 * MINUTE).lookAgainMs).toBe(30 * SECOND)
  expect(atGate(freeze, 10 * MINUTE - 1).lookAgainMs).toBe(SECOND)
})

test('checks that pass after the wait was over let it through all the same', async () => {
  const { github, sha, pass } = await gateAt()
  github.addCommitStatus('acme/shop', sha, { context: 'ci/test', state: 'success' })

  expect((await pass(['ci/test'], 61 * MINUTE)).kind).toBe('made')
})

test('where all are required, a minute has to pass: what was reported first is not all that will be', async () => {
  const { github, sha, pass } = await gateAt()

  expect(await pass('all', 10 * SECOND)).toMatchObject({
    reason: 'checks_pending',
    detail: 'Waiting for its checks',
    lookAgainMs: 50 * SECOND,
  })
  expect(await pass('all', MINUTE)).toMatchObject({ kind: 'end', reason: 'no_checks_reported' })
  github.addCommitStatus('acme/shop', sha, { context: 'DCO', state: 'success' })
  expect(await pass('all', 10 * SECOND)).toMatchObject({ kind: 'wait' })
  expect(await pass('all', MINUTE)).toMatchObject({ kind: 'made' })
})

test('where all are required, one that failed ends it at once', async () => {
  const { github, sha, pass } = await gateAt()
  github.addCommitStatus('acme/shop', sha, { context: 'ci/test', state: 'failure' })

  expect(await pass('all', 0)).toMatchObject({ kind: 'end', reason: 'checks_failed' })
})

test('a token that may not read checks hands their names to GitHub, and understands its answer', async () => {
  const { github, sha, pass } = await gateAt('no checks')

  expect(await pass(['ci/test'], 0)).toMatchObject({ kind: 'wait', detail: 'Waiting for ci/test' })
  github.addCommitStatus('acme/shop', sha, { context: 'ci/test', state: 'failure' })
  expect(await pass(['ci/test'], 0)).toMatchObject({
    kind: 'end',
    reason: 'checks_failed',
    detail: `Not deployed: ci/test (failure) on ${sha.slice(0, 7)}`,
  })
})

test('without that right all means all that GitHub knows, which is asked after a minute', async () => {
  const { github, sha, pass } = await gateAt('no checks')

  expect(await pass('all', 10 * SECOND)).toMatchObject({ kind: 'wait', detail: 'Waiting for its checks' })
  github.addCheckRun('acme/shop', sha, { name: 'lint', status: 'in_progress', conclusion: null })
  expect(await pass('all', MINUTE)).toMatchObject({ kind: 'wait', detail: 'Waiting for lint, 1 min' })
})

test('a long title is cut for GitHub, and no character is cut in two', async () => {
  const { github, pass } = await gateAt()

  await pass([], 0, { description: `${'x'.repeat(139)}😀` })

  const made = github.requests.find(({ method, path }) => method === 'POST' && path.endsWith('/deployments'))
  expect(Reflect.get(Object(made?.body), 'description')).toBe('x'.repeat(139))
})
