import { expect, test } from 'vitest'

import type { Deployment } from '../../src/deployment/deployment.ts'
import { openLooks } from '../support/looking.ts'
import { newDeployment, newMerge } from '../support/samples.ts'

const CONTEXT = 'ci/test'

/** A merge whose checks were green when it was let through at 2 s, and that waits for its turn. */
async function ready() {
  const looks = await openLooks({ requiredContexts: [CONTEXT] })
  const { github, store, sha, take, lookAt } = looks
  const report = (state: 'success' | 'failure' | 'pending') =>
    github.addCommitStatus('acme/shop', sha, { context: CONTEXT, state })
  report('success')
  const { id } = await take(newMerge({ sha, payload: '{}' }))
  await lookAt(2_000)
  const stands = async (): Promise<string> => {
    const { state, hold, reason } = (await store.deployment(id)) ?? {}
    return [state, hold?.reason ?? reason ?? 'ready'].join(': ')
  }
  expect(await stands()).toBe('queued: ready')
  return { ...looks, id, report, stands }
}

test('a check that turns red while the deployment waits for its turn ends it when that comes', async () => {
  const { claim, lookAt, report, stands } = await ready()
  report('failure')

  expect(await claim(63_000)).toBeUndefined()
  expect(await stands()).toBe('queued: checks_stale')
  await lookAt(64_000)

  expect(await stands()).toBe('failed: checks_failed')
})

test('one that runs again is waited for, from then on', async () => {
  const { claim, lookAt, report, stands } = await ready()
  report('pending')
  await claim(63_000)
  await lookAt(64_000)

  expect(await stands()).toBe('queued: checks_pending')
  report('success')
  await lookAt(3_650_000)
  expect(await claim(3_651_000)).toMatchObject({ state: 'running' })
})

test('what is still green begins, GitHub is asked once more at the most, and nobody hears of it', async () => {
  const { github, claim, lookAt } = await ready()
  const told: Deployment[] = []
  const reports = (one: Deployment) => {
    told.push(one)
    return []
  }
  await claim(63_000)
  await lookAt(64_000, { reports })
  const asked = github.requests.length

  expect(await claim(65_000)).toMatchObject({ state: 'running' })
  expect(github.requests).toHaveLength(asked)
  expect(told).toEqual([])
  expect(github.requests.filter(({ method }) => method === 'POST')).toHaveLength(1)
})

test('checks that have moved are looked at again, however lately they were seen to pass', async () => {
  const { store, sha, claim, stands } = await ready()
  await store.checksMoved('acme/shop', 'f'.repeat(40))
  await store.checksMoved('acme/other', sha)
  await store.checksMoved('acme/shop', sha)

  expect(await claim(3_000)).toBeUndefined()
  expect(await stands()).toBe('queued: checks_stale')
})

test('a check that nobody can skip is looked at again before what is forced begins', async () => {
  const { github, sha, store, take, lookAt, claim } = await openLooks({ evenWhenForced: ['audit'] })
  github.addCommitStatus('acme/shop', sha, { context: 'audit', state: 'success' })
  const hold = { reason: 'deciding', detail: '', since: 1_000, until: undefined } as const
  const { id } = await take(newDeployment({ sha, hold, forced: { by: 'ann', why: 'the sale begins' } }))
  await lookAt(2_000)
  github.addCommitStatus('acme/shop', sha, { context: 'audit', state: 'failure' })

  expect(await claim(63_000)).toBeUndefined()
  await lookAt(64_000)
  expect(await store.deployment(id)).toMatchObject({ state: 'failed', reason: 'checks_failed' })
})
