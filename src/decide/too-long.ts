import type { Deployment } from '../deployment/deployment.ts'
import type { Closed } from '../deployment/gates.ts'
import type { HoldReason } from '../deployment/reasons.ts'
import type { Store } from '../store/store.ts'
import type { Elapsed } from './elapsed.ts'
import type { Outcome } from './gate.ts'

/** Who or what is waited for may never come. */
const PATIENCE_DAYS = 30
const ENDS: ReadonlySet<HoldReason> = new Set<HoldReason>(['earlier_environment', 'approval_pending'])

/**
 * How a deployment ends that has been held for this for too long, counted from the first time that it was; undefined
 * where it goes on waiting, and where the gate opens by itself.
 */
export async function waitedTooLong(
  { id, hold }: Deployment,
  { reason, detail, until }: Closed,
  { store, elapsed }: { readonly store: Pick<Store, 'heldSince'>; readonly elapsed: Elapsed },
): Promise<Outcome | undefined> {
  if (hold?.reason !== reason || !ENDS.has(reason) || until !== undefined) return undefined
  const since = (await store.heldSince(id, reason)) ?? hold.since
  if (elapsed(`${id} held as ${reason}`, since) < PATIENCE_DAYS * 86_400_000) return undefined
  const said = `Not deployed within ${PATIENCE_DAYS} days: ${detail}`
  return { kind: 'end', state: 'failed', reason: 'wait_expired', detail: said }
}
