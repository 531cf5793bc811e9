import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import type { Deployment } from '../../src/demo/github/state.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { serve, type Served } from '../support/journey.ts'
import { DEPLOY, openShop } from '../support/merging.ts'

const LATER = { laterMs: 3 * 60_000 }
const NOTE = [['sh', '-c', 'echo "$GITHUB_DEPLOYMENT_ID" >> ../deployed']]

/** GitHub's ids of what was deployed, in order. */
const deployedIn = ({ folder }: Served): number[] =>
  readFileSync(join(folder, '..', 'deployed'), 'utf8')
    .trimEnd()
    .split('\n')
    .map(Number)

const verdictsOf = ({ journal }: Served): string[] =>
  journal
    .map((line) => JSON.parse(line) as { event: string; github_event?: string })
    .filter(({ github_event }) => github_event === 'deployment')
    .map(({ event }) => event)

test('what was asked for while the server was down is deployed after its start, in order', async () => {
  const served = await serve({ commands: NOTE })
  await served.stop()
  const first = await served.deploy({ description: 'First' })
  const second = await served.deploy({ description: 'Second' })
  const failed = served.github.deliveries.map(({ answer }) => answer.status)

  await served.restart(LATER)
  await served.status(second, 'success')

  expect(failed).toEqual([0, 0])
  expect(deployedIn(served)).toEqual([first.id, second.id])
  expect(served.statuses(first).map((line) => line.split(':')[0])).toEqual([
    'queued',
    'in_progress',
    'success',
  ])
  await served.stop()
  const store = await openStore(join(served.directory, 'data', 'ferryman.sqlite'))
  const kept = await store.inbox.find({ guid: `catch-up-${first.id}` })
  await store.close()
  expect(kept).toMatchObject({
    event: 'deployment',
    verdict: 'queued',
    headers: { 'x-ferryman-origin': 'catch-up' },
    deployments: [{ number: 1, state: 'succeeded' }],
  })
})

test('an old one that a newer one has overtaken is closed, and GitHub says why', async () => {
  const served = await serve({ commands: NOTE })
  served.github.setWebhookTiming('without')
  const missed = await served.deploy()
  served.github.setWebhookTiming('after')
  const newer = await served.deploy()
  await served.status(newer, 'success')

  await served.restart(LATER)
  await served.status(missed, 'inactive')

  expect(served.statuses(missed)).toEqual([
    'inactive: Not deployed: it came late, and #1, which is newer, came before.',
  ])
  expect(deployedIn(served)).toEqual([newer.id])
})

test('its webhook before or after changes nothing: it is deployed once', async () => {
  const served = await serve({ commands: NOTE })
  const came = await served.deploy()
  await served.status(came, 'success')
  await served.stop()
  const missed = await served.deploy()
  const lost = served.github.deliveries.at(-1)

  await served.restart(LATER)
  await served.status(missed, 'success')
  const again = await served.github.redeliver(lost?.guid ?? '')

  expect(JSON.parse(again.body)).toMatchObject({ verdict: 'repeated', deployments: [{ id: 2 }] })
  expect(deployedIn(served)).toEqual([came.id, missed.id])
})

test('its webhook at the same moment changes nothing: it is deployed once', async () => {
  const served = await serve({ commands: NOTE })
  await served.stop()
  const missed = await served.deploy()
  const [lost] = served.github.deliveries
  const statuses = served.github.hold({
    path: new RegExp(`/deployments/${missed.id}/statuses$`),
    before: 'answer',
  })
  await served.restart(LATER)
  await statuses.arrived()

  statuses.release() // catch-up takes it now
  const again = await served.github.redeliver(lost?.guid ?? '')
  await served.status(missed, 'success')
  await served.waitForJournal((line) => line.includes(`catch-up-${missed.id}`))

  expect([200, 202]).toContain(again.status)
  expect(verdictsOf(served).toSorted()).toEqual(['delivery:queued', 'delivery:repeated'])
  expect(deployedIn(served)).toEqual([missed.id])
})

test('what was there before the environment was configured is never touched', async () => {
  const before: Deployment[] = []
  const served = await serve({
    commands: NOTE,
    async prepare(world) {
      const deployment = await world.deploy()
      before.push(Object.assign(deployment, { createdAt: deployment.createdAt - 60_000 }))
    },
  })
  await served.stop()
  const missed = await served.deploy()

  await served.restart(LATER)
  await served.status(missed, 'success')

  expect(before.map((one) => served.statuses(one))).toEqual([[]])
  expect(deployedIn(served)).toEqual([missed.id])
})

test('a deployment of our own whose answer was lost is bound to its row', async () => {
  const shop = await openShop({ commands: [...DEPLOY, ...NOTE] })
  shop.github.setWebhookTiming('without')
  shop.github.fail({ method: 'POST', path: /\/deployments$/, with: 'reset-after-applying' })
  const sha = await shop.commit('Faster')
  await shop.merge(sha)
  await shop.waitForJournal((line) => line.includes('"reason":"github_unavailable"'))

  await shop.restart(LATER)
  const [deployment] = shop.repository.deployments
  if (deployment === undefined) throw new Error('GitHub made none.')
  await shop.status(deployment, 'success')

  expect(shop.repository.deployments).toHaveLength(1)
  expect(shop.journal.filter((line) => line.includes('"deployment:claimed"'))).toHaveLength(1)
})

test('a merge that GitHub could not deliver is deployed after the start', async () => {
  const shop = await openShop()
  const first = await shop.commit('First')
  await shop.merge(first)
  await shop.status(await shop.made(first), 'success')
  await shop.stop()
  const sha = await shop.commit('Second')
  const answer = await Promise.allSettled([shop.merge(sha)])

  await shop.restart({ laterMs: 0 })
  const deployment = await shop.made(sha)
  await shop.status(deployment, 'success')

  expect(answer[0].status).toBe('rejected') // nobody answered GitHub
  const merges = shop.github.deliveries.filter(({ event }) => event === 'pull_request').slice(-2)
  expect(merges.map(({ answer, isRedelivery }) => [answer.status, isRedelivery])).toEqual([
    [0, false],
    [202, true],
  ])
  expect(merges[0]?.guid).toBe(merges[1]?.guid)
  expect(shop.github.requests.filter(({ path }) => path.endsWith('/attempts'))).toHaveLength(1)
})
