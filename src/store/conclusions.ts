import type { Kysely } from 'kysely'

import { IS_ACTIVE } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Conclusion, Store } from './store.ts'
import { inTransaction } from './transaction.ts'

/** Makes `Store.conclude` and `Store.conclusionOf`. */
export const createConclusions = (database: Kysely<Tables>): Pick<Store, 'conclude' | 'conclusionOf'> => ({
  async conclude(id, conclusion) {
    await inTransaction(database, (trx) =>
      trx
        .updateTable('deployments')
        .set({ conclusion: JSON.stringify(conclusion) })
        .where('id', '=', id)
        .where(IS_ACTIVE)
        .execute(),
    )
  },
  async conclusionOf(id) {
    const row = await database
      .selectFrom('deployments')
      .select('conclusion')
      .where('id', '=', id)
      .executeTakeFirst()
    return row?.conclusion ? (JSON.parse(row.conclusion) as Conclusion) : undefined
  },
})
