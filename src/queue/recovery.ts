import { nameOf, type Deployment, type ProcessRecord } from '../deployment/deployment.ts'
import type { Journal } from '../logs/journal.ts'
import type { ReportsFor, Store } from '../store/store.ts'

export interface RecoveryParts {
  readonly store: Store
  /** Ends what an earlier life of the server left running; answers when nothing of it is left. */
  endLeftovers(processes: readonly ProcessRecord[]): Promise<{ left: number }>
  readonly reports: ReportsFor
  readonly clock: () => number
  readonly journal: Journal
}

/**
 * What a start finds: a deployment that was running ended with the server that ran it. Its processes are ended
 * first, then it is reported as interrupted, or as cancelled where somebody had cancelled it; starting it again is
 * a decision that people make.
 */
export async function recover(parts: RecoveryParts): Promise<void> {
  const { store, journal } = parts
  for (const deployment of await store.inState('running', 'cancelling')) {
    const { left } = await parts.endLeftovers(await store.processesOf(deployment.id))
    if (left > 0) journal.error('processes:left', { deployment: nameOf(deployment), left })
    const ended = await end(deployment.id, parts)
    if (ended !== undefined)
      journal.warn('deployment:interrupted', {
        deployment: nameOf(deployment),
        id: deployment.id,
        state: ended.state,
      })
  }
}

const INTERRUPTED = {
  reason: 'interrupted',
  detail: 'Interrupted: Ferryman ended while it ran. It is not started again by itself.',
} as const

/** Somebody may have cancelled it, also since it was looked at. */
async function end(
  id: number,
  { store, clock, reports }: Omit<RecoveryParts, 'endLeftovers'>,
): Promise<Deployment | undefined> {
  const change = { at: clock(), reports }
  const interrupted = await store.move(id, 'running', 'failed', { ...INTERRUPTED, ...change })
  if (interrupted !== undefined) return interrupted
  const { detail } = (await store.deployment(id)) ?? {}
  return store.move(id, 'cancelling', 'cancelled', { reason: 'by_person', detail, ...change })
}
