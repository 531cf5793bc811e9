import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { expect, onTestFinished, test } from 'vitest'

import type { Deployment } from '../../src/deployment/deployment.ts'
import { recover } from '../../src/queue/recovery.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { temporaryFolder } from '../support/running.ts'
import { newDeployment, queuedIntake } from '../support/samples.ts'
import { claimFrom } from '../support/claiming.ts'

const reports = ({ state }: Deployment) => [{ channel: 'github', body: { state } }]
/** As `reports`, with the last lines. */
const reportsWith =
  (lines: readonly string[]) =>
  ({ state }: Deployment) => [{ channel: 'github', body: { state, lines } }]
const journal = { info() {}, warn() {}, error() {} }

/** A store in which one deployment was running when the server died. */
async function died() {
  const file = join(temporaryFolder(), 'ferryman.sqlite')
  const store = await openStore(file)
  onTestFinished(store.close)
  await store.accept([queuedIntake(newDeployment())])
  const claimed = await claimFrom(store, { limit: 1, at: 1_000, reports })
  const id = claimed?.id ?? 0
  await store.recordProcess(id, { runId: 'ab', group: 1, bootId: 'another', startTicks: '1' })
  const notes: string[] = []
  const parts = {
    store,
    begun: [],
    logSize: async () => 0,
    async noteInLog(_: Deployment, text: string) {
      notes.push(text)
    },
    reports,
    reportsWith,
    clock: () => 2_000,
    journal,
    freed() {},
  }
  return { store, file, id, parts, notes }
}

test('what was running is reported as interrupted, once its processes are gone', async () => {
  const { store, id, parts, notes } = await died()
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
  expect(notes).toEqual(['Interrupted: Ferryman ended while it ran. It is not started again by itself.'])
})

const FAILED = {
  state: 'failed',
  reason: 'command_failed',
  detail: 'make exited with 2: no rule',
  steps: [],
  lastLines: ['no rule'],
  at: 1_400,
} as const

test('what had ended its work, and waited for others to hear of it, ends as its work did', async () => {
  const { store, id, parts } = await died()
  await store.conclude(id, FAILED)

  await recover({ ...parts, endLeftovers: () => Promise.resolve({ left: undefined }) })

  expect(await store.deployment(id)).toMatchObject({
    state: 'failed',
    reason: 'command_failed',
    detail: 'make exited with 2: no rule',
    finishedAt: 1_400,
  })
  expect((await store.outbox.of(id)).at(-1)?.body).toEqual({ state: 'failed', lines: ['no rule'] })
})

test('what somebody cancelled when its work was over ends as its work did', async () => {
  const { store, id, parts } = await died()
  await store.conclude(id, {
    state: 'succeeded',
    steps: [],
    deployedSha: undefined,
    lastLines: [],
    at: 1_400,
  })
  await store.move(id, 'running', 'cancelling', { reason: 'by_person', at: 1_500, reports })

  await recover({ ...parts, endLeftovers: () => Promise.resolve({ left: undefined }) })

  expect(await store.deployment(id)).toMatchObject({ state: 'succeeded', reason: undefined })
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

test('what cannot be written down keeps its lane, and no start from going on; it ends when it can be', async () => {
  const { store, file, id, parts } = await died()
  const said: unknown[] = []
  const freed = Promise.withResolvers<void>()
  const other = new DatabaseSync(file)
  onTestFinished(() => other.close())

  other.exec('begin immediate')
  const recovery = await recover({
    ...parts,
    endLeftovers: () => Promise.resolve({ left: undefined }),
    freed: freed.resolve,
    journal: { ...journal, error: (event) => void said.push(event) },
  })
  onTestFinished(recovery.stop)
  expect(recovery.isLeft(id)).toBe(true)
  expect(await store.deployment(id)).toMatchObject({ state: 'running' })
  other.exec('rollback')
  await freed.promise

  expect(said).toEqual(['recovery:broken'])
  expect(recovery.isLeft(id)).toBe(false)
  expect(await store.deployment(id)).toMatchObject({ state: 'failed', reason: 'interrupted' })
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
