import { setTimeout as pause } from 'node:timers/promises'

import type { Kysely, Transaction } from 'kysely'

import { isBusy, isLostConnection } from './database.ts'
import type { Tables } from './schema.ts'

export type Handle = Kysely<Tables> | Transaction<Tables>

const TRIES = 40
const PAUSE_MS = 50
/** Each connection of a pool may be found dead, and be handed out once more before its end is heard of. */
const MOST_LOST = 20

/**
 * Runs the work in one transaction. While another process holds SQLite's lock it is tried again for about
 * two seconds without blocking the server; then the error goes to the caller. A connection to PostgreSQL that breaks
 * before the work begins, as they all do where the server was restarted, gives way to another. Inside, use only the
 * handle given: the outer one would wait for this very transaction.
 */
export async function inTransaction<T>(
  database: Kysely<Tables>,
  work: (trx: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  for (let [tried, lost] = [1, 0]; ; tried += 1) {
    let hasBegun = false
    try {
      return await database.transaction().execute((trx) => {
        hasBegun = true
        return work(trx)
      })
    } catch (thrown) {
      if (!hasBegun && isLostConnection(thrown) && (lost += 1) < MOST_LOST) continue
      if (!isBusy(thrown) || tried >= TRIES) throw thrown
      await pause(PAUSE_MS)
    }
  }
}
