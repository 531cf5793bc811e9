import { sql, type Kysely } from 'kysely'

import type { Blocked, Deployment } from '../deployment/deployment.ts'
import { enter, owe } from './moves.ts'
import { deploymentOf, holdColumns } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Change } from './store.ts'
import { streakAround } from './streaks.ts'
import { inTransaction } from './transaction.ts'

type Told = Pick<Change, 'at' | 'reports'>

/** `Store.putBack`. */
export const putBack = (
  database: Kysely<Tables>,
  id: number,
  { until, detail, logBytes }: Pick<Blocked, 'until' | 'detail' | 'logBytes'>,
  { at, reports }: Told,
): Promise<Deployment | undefined> =>
  inTransaction(database, async (trx) => {
    const row = await trx
      .updateTable('deployments')
      .set({
        state: 'queued',
        started_at: null,
        blocked_since: sql<number>`coalesce(blocked_since, ${sql.val(at)})`,
        blocked_until: until,
        blocked_detail: detail,
        blocked_log_bytes: logBytes,
        blocked_tries: sql<number>`blocked_tries + 1`,
        blocked_told: sql<number>`blocked_told + 1`,
        ...holdColumns({ reason: 'hook_blocked', detail, since: at, until }),
      })
      .where('id', '=', id)
      .where('state', '=', sql.lit('running'))
      .returningAll()
      .executeTakeFirst()
    if (row === undefined) return undefined
    const deployment = deploymentOf(row)
    await trx.deleteFrom('processes').where('deployment_id', '=', id).execute()
    await enter(trx, { id, state: 'queued', reason: 'hook_blocked', detail }, 'running', at)
    await owe(trx, deployment, reports(deployment, await streakAround(trx, id)), at)
    return deployment
  })

/** `Store.unblock`. */
export const unblock = (
  database: Kysely<Tables>,
  id: number,
  { at, reports }: Told,
): Promise<Deployment | undefined> =>
  inTransaction(database, async (trx) => {
    const row = await trx
      .updateTable('deployments')
      .set({ blocked_since: null, blocked_until: null, blocked_detail: null })
      .where('id', '=', id)
      .where('state', '=', sql.lit('running'))
      .where('blocked_until', 'is not', null)
      .returningAll()
      .executeTakeFirst()
    if (row === undefined) return undefined
    const deployment = deploymentOf(row)
    await owe(trx, deployment, reports(deployment, await streakAround(trx, id)), at)
    return deployment
  })
