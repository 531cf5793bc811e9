import type { Transaction } from 'kysely'

import type { Errand } from '../deployment/errand.ts'
import { lockSentence } from '../deployment/gates.ts'
import type { FailedReason } from '../deployment/reasons.ts'
import { freeLock, lockAt, takeLock } from './gates.ts'
import type { Tables } from './schema.ts'

/** What an errand came to. */
export type ErrandEnd =
  | { readonly state: 'succeeded'; readonly detail: string }
  | { readonly state: 'failed'; readonly reason: FailedReason; readonly detail: string }

/** Does an errand within the transaction that accepts it. */
export async function runErrand(
  trx: Transaction<Tables>,
  errand: Errand,
  { place, by }: { readonly place: string; readonly by: string },
): Promise<ErrandEnd> {
  if (errand.kind === 'lock') {
    const { reason, until, at: since } = errand
    const { isTaken, lock } = await takeLock(trx, { place, reason, by, since, until })
    return isTaken
      ? { state: 'succeeded', detail: `Lock ${lock.id}: ${lockSentence(lock)}` }
      : { state: 'failed', reason: 'locked_already', detail: `Not locked: ${lockSentence(lock)}` }
  }
  const lock = await lockAt(trx, place, errand.at)
  if (lock === undefined) return { state: 'succeeded', detail: `${place} was not locked` }
  const isMeant = errand.lock === undefined ? secondOf(lock.since) <= errand.at : lock.id === errand.lock
  if (!isMeant)
    return { state: 'failed', reason: 'lock_is_newer', detail: `Not unlocked: ${lockSentence(lock)}` }
  await freeLock(trx, lock.id)
  return { state: 'succeeded', detail: `Freed lock ${lock.id}: ${lockSentence(lock)}` }
}

/** GitHub tells moments to the second. */
const secondOf = (at: number): number => Math.floor(at / 1000) * 1000
