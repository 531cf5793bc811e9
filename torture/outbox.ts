import { setTimeout as pause } from 'node:timers/promises'

import { askForJson } from '../src/commands/client.ts'
import { mend } from './faults.ts'
import type { Plan } from './plan.ts'
import type { Server } from './server.ts'
import type { World } from './world.ts'

interface Listed {
  readonly owed: { readonly reports: readonly { readonly id: number; readonly next_at: string }[] }
  readonly refused: { readonly reports: readonly { readonly id: number }[] }
}

const ask = ({ dataDirectory: dataDir }: World, method: 'GET' | 'POST', path: string): Promise<unknown> =>
  askForJson({ config: undefined, dataDir }, { method, path })

const list = (world: World): Promise<Listed> =>
  ask(world, 'GET', '/api/outbox?limit=1000').then(
    (answer) => answer as Listed,
    () => ({ owed: { reports: [] }, refused: { reports: [] } }), // it has ended, which is told elsewhere
  )

/** What waits longer than anything that is tried again by itself within the time of a cycle. */
async function waitingLong(world: World): Promise<number[]> {
  const { owed } = await list(world)
  return owed.reports.filter(({ next_at: at }) => Date.parse(at) > Date.now() + LONG_MS).map(({ id }) => id)
}

const LONG_MS = 45_000
const MET_WITHIN_MS = 5_000
const LOOKS_MS = 200

/**
 * As a person does who sees that reports wait for a right that is missing: mends it and says so, once to the
 * whole server, or for what still waits whenever they look. Answers what to do whenever they look.
 */
export async function mendWhatWaits(
  world: World,
  server: Server,
  word: Plan['word'],
): Promise<() => Promise<void>> {
  const until = performance.now() + MET_WITHIN_MS
  while ((await waitingLong(world)).length === 0 && performance.now() < until) await pause(LOOKS_MS)
  mend(world)
  if (word === 'SIGHUP') {
    server.send('SIGHUP')
    return () => Promise.resolve()
  }
  return async () => {
    for (const id of await waitingLong(world)) {
      await ask(world, 'POST', `/api/outbox/${id}/send`).catch(() => {}) // something newer has overtaken it
    }
  }
}

/** The reports that are shown as refused for good. */
export const shownAsRefused = async (world: World): Promise<number[]> =>
  (await list(world)).refused.reports.map(({ id }) => id).toSorted((one, other) => one - other)

/** As a person does who has mended why they were refused. */
export const sendRefused = (world: World): Promise<unknown> =>
  ask(world, 'POST', '/api/outbox/send-refused').catch(() => {})
