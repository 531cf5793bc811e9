import { sql, type Kysely } from 'kysely'

import type { State } from '../deployment/state.ts'
import type { Tables } from './schema.ts'
import { lane as laneRow } from './shared-rows.ts'
import { inTransaction } from './transaction.ts'

const ACTIVE = [sql.lit<State>('running'), sql.lit<State>('cancelling')]

/** `Store.changeLanes`. */
export const changeLanes = (
  database: Kysely<Tables>,
  lanes: ReadonlyMap<number, string>,
): Promise<readonly number[]> =>
  inTransaction(database, async (trx) => {
    const changed: number[] = []
    for (const [id, lane] of lanes) {
      const lane_id = await laneRow(trx, lane)
      const { numUpdatedRows } = await trx
        .updateTable('deployments')
        .set({ lane_id, lane })
        .where('id', '=', id)
        .where((where) =>
          where.or([
            where('state', '=', sql.lit<State>('queued')),
            where.and([
              where('state', 'in', ACTIVE),
              where.not(
                where.exists(
                  where
                    .selectFrom('deployments as other')
                    .select('other.id')
                    .where('other.lane_id', '=', lane_id)
                    .where('other.id', '!=', id)
                    .where('other.state', 'in', ACTIVE),
                ),
              ),
            ]),
          ]),
        )
        .executeTakeFirst()
      if (numUpdatedRows > 0n) changed.push(id)
    }
    return changed
  })
