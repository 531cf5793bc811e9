import { setTimeout as pause } from 'node:timers/promises'

import { nameOf, type Deployment } from '../deployment/deployment.ts'
import { messageOf } from '../errors.ts'
import type { Journal } from '../logs/journal.ts'
import type { Change, ReportsFor, Store } from '../store/store.ts'

/** How a run ended, as the store takes it. */
export type Ending = { readonly state: 'succeeded' | 'failed' } & Omit<Change, 'at'>

export interface WorkerParts {
  readonly store: Store
  /** How many may be active over all lanes; asked at every claim. */
  limit(): number
  readonly reports: ReportsFor
  /** Does the work and answers truthfully; it must end soon after the signal says why it has to. */
  run(deployment: Deployment, signal: AbortSignal): Promise<Ending>
  readonly clock: () => number
  readonly journal: Journal
  /** Something happened that may be owed to the outside world. */
  moved(): void
}

export interface Worker {
  /** Something may be waiting: look now. */
  wake(): void
  /** Takes no new work, gives what runs the time to end by itself, then interrupts it. */
  stop(withinMs: number): Promise<void>
  /** The time that `stop` gives is over now. */
  hurry(): void
}

const LOOK_AGAIN_MS = 5_000
const RETRY_MS = 1_000

/** Why a run has to end early; the reason of the abort signal. */
export interface Interruption {
  readonly kind: 'interrupted'
  readonly detail: string
}

/** Takes what is queued, lane by lane, and sees every deployment through to exactly one end. */
export function startWorker(parts: WorkerParts): Worker {
  const { store, clock, journal } = parts
  const active = new Map<number, { work: Promise<void>; abort: AbortController }>()
  const graceOver = new AbortController()
  let stopping = false
  let looking: Promise<void> | undefined
  let lookAgain = false

  const begin = (deployment: Deployment): void => {
    journal.info('deployment:claimed', {
      deployment: nameOf(deployment),
      id: deployment.id,
      sha: deployment.sha,
    })
    parts.moved()
    const abort = new AbortController()
    const work = see(deployment, abort.signal, parts).finally(() => {
      active.delete(deployment.id)
      wake()
    })
    active.set(deployment.id, { work, abort })
  }
  const claimAll = async (): Promise<void> => {
    while (!stopping) {
      const deployment = await store.claim({ limit: parts.limit(), at: clock(), reports: parts.reports })
      if (deployment === undefined) return
      begin(deployment)
    }
  }
  const lookUntilSeen = async (): Promise<void> => {
    while (lookAgain && !stopping) {
      lookAgain = false
      await claimAll().catch((thrown: unknown) => journal.error('queue:broken', { error: thrown }))
    }
    looking = undefined
  }
  const wake = (): void => {
    if (stopping) return
    lookAgain = true
    looking ??= lookUntilSeen()
  }
  // Events wake the worker; the timer is for the claim that failed while the database was away.
  const timer = setInterval(wake, LOOK_AGAIN_MS)
  wake()
  return {
    wake,
    async stop(withinMs) {
      stopping = true
      clearInterval(timer)
      await looking
      const works = () => [...active.values()].map(({ work }) => work)
      await Promise.race([
        Promise.allSettled(works()),
        pause(withinMs, undefined, { signal: graceOver.signal }).catch(() => {}),
      ])
      graceOver.abort()
      const reason: Interruption = {
        kind: 'interrupted',
        detail: 'Interrupted: Ferryman was stopped while it ran. It is not started again by itself.',
      }
      for (const { abort } of active.values()) abort.abort(reason)
      await Promise.allSettled(works())
    },
    hurry: () => graceOver.abort(),
  }
}

/** Runs one deployment and writes down its end, however long the database takes to accept it. */
async function see(deployment: Deployment, signal: AbortSignal, parts: WorkerParts): Promise<void> {
  const { store, clock, journal } = parts
  const { state, ...change } = await parts
    .run(deployment, signal)
    .catch((thrown: unknown) => broken(thrown, parts))
  for (;;) {
    try {
      const ended = await store.move(deployment.id, 'running', state, { ...change, at: clock() })
      if (ended === undefined)
        journal.error('deployment:moved-elsewhere', { deployment: nameOf(deployment), state })
      else
        journal.info(`deployment:${state}`, {
          deployment: nameOf(deployment),
          id: deployment.id,
          reason: change.reason,
          detail: change.detail,
        })
      parts.moved()
      return
    } catch (thrown) {
      journal.error('deployment:end-not-recorded', { deployment: nameOf(deployment), state, error: thrown })
      await pause(RETRY_MS)
    }
  }
}

const broken = (thrown: unknown, { reports, journal }: WorkerParts): Ending => {
  journal.error('deployment:broken', { error: thrown })
  return {
    state: 'failed',
    reason: 'internal_error',
    detail: `Ferryman failed: ${messageOf(thrown)}`,
    reports,
  }
}
