import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'

import { expect, onTestFinished, test } from 'vitest'

import type { Deployment } from '../../src/deployment/deployment.ts'
import { startRemoval, type RemovalParts } from '../../src/queue/removal.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { claimFrom } from '../support/claiming.ts'
import { eventually, temporaryFolder } from '../support/running.ts'
import { newDeployment, queuedIntake } from '../support/samples.ts'

const LANE = 'acme/shop/production'
const journal = { info() {}, warn() {}, error() {} }

/** A queue of so many, and what ends those of them that are no longer configured. */
async function queueOf(count: number, given: Partial<RemovalParts> = {}) {
  const store = await openStore(join(temporaryFolder(), 'ferryman.sqlite'))
  onTestFinished(store.close)
  await store.accept(Array.from({ length: count }, () => queuedIntake(newDeployment())))
  const removal = startRemoval({
    store,
    laneOf: () => undefined,
    reports: ({ state }: Deployment) => [{ channel: 'github', body: { state } }],
    clock: () => 2_000,
    journal,
    done() {},
    ...given,
  })
  onTestFinished(removal.stop)
  return { store, removal }
}

test('a long queue that is no longer configured ends, and the event loop goes on meanwhile', async () => {
  const { store, removal } = await queueOf(1_000)

  let turns = 0
  for (; removal.isUnderWay; turns += 1) await turn()

  const ended = await store.inState('failed')
  expect(ended.length).toBe(1_000)
  expect(ended.at(-1)).toMatchObject({
    reason: 'config_removed',
    detail: 'acme/shop production was removed from the configuration.',
  })
  expect((await store.outbox.of(ended.at(-1)?.id ?? 0)).length).toBe(2)
  expect(turns).toBeGreaterThanOrEqual(20)
})

test('what is configured stays, until it no longer is', async () => {
  let isConfigured = true
  const { store, removal } = await queueOf(2, { laneOf: () => (isConfigured ? LANE : undefined) })
  await eventually('it has looked', () => !removal.isUnderWay)
  expect((await store.inState('queued')).length).toBe(2)

  isConfigured = false
  removal.wake()
  expect(removal.isUnderWay).toBe(true)

  await eventually('it has looked again', () => !removal.isUnderWay)
  expect(await store.inState('queued')).toEqual([])
})

test('a database that is away holds it up, and it goes on by itself', async () => {
  let failures = 1
  const { store, removal } = await queueOf(1, {
    reports() {
      if (failures-- > 0) throw new Error('database or disk is full')
      return []
    },
  })

  await eventually('it has ended all the same', () => !removal.isUnderWay)

  expect((await store.inState('failed')).length).toBe(1)
})

test('what waits and what runs goes along into another lane, and nothing begins beside it', async () => {
  let lane = LANE
  const { store, removal } = await queueOf(2, { laneOf: () => lane })
  const claim = () => claimFrom(store, { limit: 9, at: 2_000, reports: () => [] })
  await eventually('it has looked', () => !removal.isUnderWay)
  await claim()

  lane = 'shop'
  removal.wake()
  await eventually('it has looked again', () => !removal.isUnderWay)
  await store.accept([queuedIntake(newDeployment({ environment: 'green', lane }))])

  expect((await store.inState('running', 'queued')).map((one) => one.lane)).toEqual(['shop', 'shop', 'shop'])
  expect(await claim()).toBeUndefined()
  await store.move(1, 'running', 'succeeded', { at: 3_000, reports: () => [] })
  expect(await claim()).toMatchObject({ id: 2, lane: 'shop' })
})

test('two that run already stay in two lanes, until one of them has ended', async () => {
  let lane: string | undefined
  const laneOf = ({ environment }: Deployment) => lane ?? `acme/shop/${environment}`
  const { store, removal } = await queueOf(1, { laneOf })
  await eventually('it has looked', () => !removal.isUnderWay)
  await store.accept([queuedIntake(newDeployment({ environment: 'green', lane: 'acme/shop/green' }))])
  for (let count = 0; count < 2; count += 1)
    await claimFrom(store, { limit: 9, at: 2_000, reports: () => [] })

  lane = 'shop'
  removal.wake()
  await eventually('it has looked again', () => !removal.isUnderWay)

  const lanes = (await store.inState('running')).map((one) => one.lane)
  expect(lanes).toEqual(['shop', 'acme/shop/green'])
})
