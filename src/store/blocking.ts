import { sql, type Kysely, type Transaction } from 'kysely'

import { isByItself, type Deployment } from '../deployment/deployment.ts'
import { change, enter, owe } from './moves.ts'
import { BY_THEMSELVES, deploymentOf, holdColumns, NEWER_IS_OWN } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Change, PutBack } from './store.ts'
import { streakAround } from './streaks.ts'
import { inTransaction } from './transaction.ts'

type Told = Pick<Change, 'at' | 'reports'>

/** `Store.putBack`. */
export const putBack = (
  database: Kysely<Tables>,
  id: number,
  { until, detail, logBytes, givesWay }: PutBack,
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
    return (givesWay ? await giveWay(trx, deployment, { at, reports }) : undefined) ?? deployment
  })

/** While it ran nothing could supersede it: what was asked for meanwhile does now. */
async function giveWay(
  trx: Transaction<Tables>,
  deployment: Deployment,
  { at, reports }: Told,
): Promise<Deployment | undefined> {
  const { id } = deployment
  if (isByItself(deployment)) return undefined
  const newer = await trx
    .selectFrom('deployments as this')
    .innerJoin('deployments as newer', 'newer.environment_id', 'this.environment_id')
    .select('newer.number')
    .where('this.id', '=', id)
    .whereRef('newer.id', '>', 'this.id')
    .whereRef('newer.task', '=', 'this.task')
    .where('newer.origin', 'not in', BY_THEMSELVES)
    .where('newer.state', '<>', sql.lit('cancelled'))
    .where(NEWER_IS_OWN)
    .orderBy('newer.id', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (newer === undefined) return undefined
  const detail = `Superseded by #${newer.number}.`
  return change(trx, id, 'queued', 'cancelled', { at, reason: 'superseded', detail, reports })
}

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
