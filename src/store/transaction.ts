import { setTimeout as pause } from 'node:timers/promises'

import type { Kysely, Transaction } from 'kysely'

import { isBusy } from './database.ts'
import { isConflict, isLostConnection } from './postgres-errors.ts'
import type { Tables } from './schema.ts'

export type Handle = Kysely<Tables> | Transaction<Tables>

const TRIES = 40
const PAUSE_MS = 50
/** PostgreSQL looks for a deadlock after a second only. */
const CONFLICT_MS = 4_000

/**
 * Runs the work in one transaction; where that came to nothing for a moment's reason it is tried again, for about two
 * seconds without blocking the server, and then the error goes to the caller. Of SQLite that is another process that holds
 * its lock; of PostgreSQL a connection that broke before the work was done, and two transactions that waited for each other.
 * What may have been committed is not tried again. Inside, use only the handle given: the outer one would wait for this very
 * transaction.
 */
export async function inTransaction<T>(
  database: Kysely<Tables>,
  work: (trx: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  const begunAt = performance.now()
  for (let tried = 1; ; tried += 1) {
    let mayBeCommitted = false
    try {
      return await database.transaction().execute(async (trx) => {
        const done = await work(trx)
        mayBeCommitted = true
        return done
      })
    } catch (thrown) {
      const isUndone = isConflict(thrown) || (!mayBeCommitted && isLostConnection(thrown))
      const isInTime = performance.now() - begunAt < (isConflict(thrown) ? CONFLICT_MS : TRIES * PAUSE_MS)
      if (isBusy(thrown) ? tried >= TRIES : !isUndone || !isInTime) throw thrown
      await pause(PAUSE_MS)
    }
  }
}
