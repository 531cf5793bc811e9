import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import type { Deployment } from '../../src/deployment/deployment.ts'
import { recover } from '../../src/queue/recovery.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { temporaryFolder } from '../support/running.ts'
import { newDeployment, queuedIntake } from '../support/samples.ts'
import { claimFrom } from '../support/claiming.ts'

const reports = ({ state }: Deployment) => [{ channel: 'github', body: { state } }]
const journal = { info() {}, warn() {}, error() {} }

/** A store in which one deployment was running when the server died. */
async function died() {
  const store = await openStore(join(temporaryFolder(), 'ferryman.sqlite'))
  onTestFinished(store.close)
  await store.accept([queuedIntake(newDeployment())])
  const claimed = await claimFrom(store, { limit: 1, at: 1_000, reports })
  const id = claimed?.id ?? 0
  await store.recordProcess(id, { runId: 'ab', group: 1, bootId: 'another', startTicks: '1' })
  const parts = { store, begun: [], logSize: async () => 0, reports, clock: () => 2_000, journal, freed() {} }
  return { store, id, parts }
}

test('what was running is reported as interrupted, once its processes are gone', async () => {
  const { store, id, parts } = await died()
  const seen: unknown[] = []

  await recover({
    ...parts,
    async endLeftovers(processes) {
      seen.push(processes.length, (await store.deployment(id))?.state)
      return { left: undefined }
    },
  })

  expect(seen).toEqual([1, 'running'])
  expect(await store.deployment(id)).toMatchObject({
    state: 'failed',
    reason: 'interrupted',
    detail: 'Interrupted: Ferryman ended while it ran. It is not started again by itself.',
  })
})

test('what was being cancelled is cancelled, by whoever wanted it', async () => {
  const { store, id, parts } = await died()
  const why = { reason: 'by_person', detail: 'Cancelled by mona: wrong branch' } as const
  await store.move(id, 'running', 'cancelling', { ...why, at: 1_500, reports })

  await recover({ ...parts, endLeftovers: () => Promise.resolve({ left: undefined }) })

  expect(await store.deployment(id)).toMatchObject({ state: 'cancelled', ...why })
})

test('what cannot be ended keeps its lane, says so, and frees it when it is gone', async () => {
  const { store, id, parts } = await died()
  await store.accept([queuedIntake(newDeployment())])
  const said: unknown[] = []
  let left: string | undefined = 'rsync (4711)'

  const freed = Promise.withResolvers<void>()
  const recovery = await recover({
    ...parts,
    endLeftovers: () => Promise.resolve({ left }),
    freed: freed.resolve,
    journal: { ...journal, error: (event, fields) => void said.push([event, fields]) },
  })
  onTestFinished(recovery.stop)
  const whileLeft = await claimFrom(store, { limit: 10, at: 3_000, reports })
  left = undefined
  await freed.promise
  const afterwards = await claimFrom(store, { limit: 10, at: 3_000, reports })

  expect(said).toEqual([
    ['processes:left', { deployment: 'acme/shop/production#1', id, processes: 'rsync (4711)' }],
  ])
  expect(whileLeft).toBeUndefined()
  expect(await store.deployment(id)).toMatchObject({ state: 'failed', reason: 'interrupted' })
  expect(afterwards).toMatchObject({ number: 2 })
})

test('what somebody cancels while its processes are being ended is cancelled', async () => {
  const { store, id, parts } = await died()
  const why = { reason: 'by_person', detail: 'Cancelled by mona' } as const

  await recover({
    ...parts,
    async endLeftovers() {
      await store.move(id, 'running', 'cancelling', { ...why, at: 1_500, reports })
      return { left: undefined }
    },
  })

  expect(await store.deployment(id)).toMatchObject({ state: 'cancelled', ...why })
})
