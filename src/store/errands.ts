import type { Transaction } from 'kysely'

import type { Errand } from '../deployment/errand.ts'
import { lockSentence, moment } from '../deployment/gates.ts'
import type { FailedReason } from '../deployment/reasons.ts'
import { freeLock, lockAt, takeLock } from './gates.ts'
import type { Tables } from './schema.ts'

/** What an errand came to. */
export type ErrandEnd =
  | { readonly state: 'succeeded'; readonly detail: string }
  | { readonly state: 'failed'; readonly reason: FailedReason; readonly detail: string }

/**
 * Does an errand within the transaction that accepts it, at the moment `now`: it may come long after it was asked for. One
 * that locks must hold the gates.
 */
export async function runErrand(
  trx: Transaction<Tables>,
  errand: Errand,
  { place, by, now }: { readonly place: string; readonly by: string; readonly now: number },
): Promise<ErrandEnd> {
  if (errand.kind === 'lock') {
    const { reason, until, at: since } = errand
    if (until !== undefined && until <= now)
      return { state: 'failed', reason: 'lock_is_over', detail: overSentence(place, until) }
    const { isTaken, lock } = await takeLock(trx, { place, reason, by, since, until }, now)
    return isTaken
      ? { state: 'succeeded', detail: `Lock ${lock.id}: ${lockSentence(lock)}` }
      : { state: 'failed', reason: 'locked_already', detail: `Not locked: ${lockSentence(lock)}` }
  }
  const lock = await lockAt(trx, place, now)
  if (lock === undefined) return { state: 'succeeded', detail: `${place} was not locked` }
  const isMeant = errand.lock === undefined ? lock.since <= errand.at : lock.id === errand.lock
  if (!isMeant)
    return { state: 'failed', reason: 'lock_is_newer', detail: `Not unlocked: ${lockSentence(lock)}` }
  await freeLock(trx, lock.id)
  return { state: 'succeeded', detail: `Freed lock ${lock.id}: ${lockSentence(lock)}` }
}

const overSentence = (place: string, until: number): string =>
  `Not locked: it came late, and the time for which ${place} was to be locked was over ${moment(until)}`
