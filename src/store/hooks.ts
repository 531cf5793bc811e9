import type { Kysely } from 'kysely'

import type { Tables } from './schema.ts'
import type { Hooks } from './store.ts'
import { inTransaction } from './transaction.ts'

/** `Hooks` on the store's tables. */
export const createHooks = (database: Kysely<Tables>): Hooks => ({
  async heard(hook) {
    await inTransaction(database, (trx) =>
      trx
        .insertInto('hooks')
        .values(hook)
        .onConflict((conflict) => conflict.column('id').doUpdateSet({ kind: hook.kind, place: hook.place }))
        .execute(),
    )
  },
  all: () => database.selectFrom('hooks').selectAll().orderBy('id').execute(),
  async askedAfter(hookId, at) {
    const rows = await inTransaction(database, async (trx) => {
      await trx.deleteFrom('redeliveries').where('hook_id', '=', hookId).where('asked_at', '<=', at).execute()
      return trx.selectFrom('redeliveries').select('guid').where('hook_id', '=', hookId).execute()
    })
    return new Set(rows.map(({ guid }) => guid))
  },
  async asking(hookId, guid, at) {
    await inTransaction(database, (trx) =>
      trx
        .insertInto('redeliveries')
        .values({ hook_id: hookId, guid, asked_at: at })
        .onConflict((conflict) => conflict.columns(['hook_id', 'guid']).doUpdateSet({ asked_at: at }))
        .execute(),
    )
  },
  async notAsked(hookId, guid) {
    await inTransaction(database, (trx) =>
      trx.deleteFrom('redeliveries').where('hook_id', '=', hookId).where('guid', '=', guid).execute(),
    )
  },
})
