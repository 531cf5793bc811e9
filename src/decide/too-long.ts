import type { Deployment } from '../deployment/deployment.ts'
import type { Closed } from '../deployment/gates.ts'
import type { HoldReason } from '../deployment/reasons.ts'
import type { Store } from '../store/store.ts'
import type { Elapsed } from './elapsed.ts'
import type { Outcome } from './gate.ts'

/** Who or what is waited for may never come. */
const PATIENCE_DAYS = 30
const PATIENCE_MS = PATIENCE_DAYS * 86_400_000
const ENDS: ReadonlySet<HoldReason> = new Set<HoldReason>(['earlier_environment', 'approval_pending'])

/**
 * How a deployment ends that has been held for this for too long, all times together: what closes another gate for some
 * hours of each day starts nothing anew, and a lock of weeks counts for nothing. Undefined where it goes on waiting,
 * and where the gate opens by itself.
 */
export async function waitedTooLong(
  { id, hold, createdAt }: Deployment,
  { reason, detail, until }: Closed,
  { store, elapsed }: { readonly store: Pick<Store, 'heldBefore'>; readonly elapsed: Elapsed },
): Promise<Outcome | undefined> {
  if (hold?.reason !== reason || !ENDS.has(reason) || until !== undefined) return undefined
  // What was written down may be of a clock that was wrong for a while; and nobody has waited for longer than it is there.
  const age = elapsed(`deployment ${id}`, createdAt)
  if (age < PATIENCE_MS) return undefined
  const lasts = elapsed(`hold of ${id} since ${hold.since}`, hold.since)
  if ((await store.heldBefore(id, reason)) + lasts < PATIENCE_MS) return undefined
  const said = `Not deployed within ${PATIENCE_DAYS} days: ${detail}`
  return { kind: 'end', state: 'failed', reason: 'wait_expired', detail: said }
}
