import { setTimeout as pause } from 'node:timers/promises'

import type { Kysely, Transaction } from 'kysely'

import { isBusy } from './database.ts'
import type { Tables } from './schema.ts'

export type Handle = Kysely<Tables> | Transaction<Tables>

const TRIES = 40
const PAUSE_MS = 50

/**
 * Runs the work in one transaction. While another process holds SQLite's lock it is tried again for about
 * two seconds without blocking the server; then the error goes to the caller. Inside, use only the handle
 * given: the outer one would wait for this very transaction.
 */
export async function inTransaction<T>(
  database: Kysely<Tables>,
  work: (trx: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await database.transaction().execute(work)
    } catch (thrown) {
      if (!isBusy(thrown) || tried >= TRIES) throw thrown
      await pause(PAUSE_MS)
    }
  }
}
