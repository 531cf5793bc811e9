import { sql, type Kysely } from 'kysely'

import type { State } from '../deployment/state.ts'
import type { Tables } from './schema.ts'
import { inTransaction } from './transaction.ts'

/** `Store.checked`. */
export const checked = (database: Kysely<Tables>, id: number, at: number): Promise<void> =>
  inTransaction(database, async (trx) => {
    await trx
      .updateTable('deployments')
      .set({ checked_at: at })
      .where('id', '=', id)
      .where('state', '=', sql.lit<State>('queued'))
      .execute()
  })

/** `Store.checksMoved`. */
export const checksMoved = (database: Kysely<Tables>, configuredAs: string, sha: string): Promise<void> =>
  inTransaction(database, async (trx) => {
    await trx
      .updateTable('deployments')
      .set({ checked_at: null })
      .where('state', '=', sql.lit<State>('queued'))
      .where('configured_as', '=', configuredAs)
      .where('sha', '=', sha)
      .where('checked_at', 'is not', null)
      .execute()
  })
