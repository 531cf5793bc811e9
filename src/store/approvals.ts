import { sql, type Transaction } from 'kysely'

import type { Deployment } from '../deployment/deployment.ts'
import type { Database } from './database.ts'
import { holdGates } from './gates-lock.ts'
import { enter } from './moves.ts'
import { deploymentOf } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Approvals } from './store.ts'
import { inTransaction } from './transaction.ts'

type Trx = Transaction<Tables>

/** The approvals on the store's tables. */
export const createApprovals = ({ kysely, engine }: Pick<Database, 'kysely' | 'engine'>): Approvals => ({
  give: (id, { by, at, until }) =>
    inTransaction(kysely, async (trx) => {
      await holdGates(engine, trx, 'change')
      const waiting = await waitingWith(trx, id)
      if (waiting === undefined) return undefined
      const { environmentId: environment_id, deployment } = waiting
      await remove(trx, waiting, by)
      await trx
        .insertInto('approvals')
        .values({ environment_id, sha: deployment.sha, task: deployment.task, given_by: by, at, until })
        .execute()
      await enter(trx, { ...said(deployment), reason: 'approved', detail: `Approved by ${by}` }, 'queued', at)
      return deployment
    }),
  takeBack: (id, { by, at }) =>
    inTransaction(kysely, async (trx) => {
      await holdGates(engine, trx, 'change')
      const waiting = await waitingWith(trx, id)
      if (waiting === undefined) return undefined
      const { deployment } = waiting
      const wasGiven = await remove(trx, waiting, by)
      const detail = `${by} has taken the approval back`
      if (wasGiven)
        await enter(trx, { ...said(deployment), reason: 'approval_taken_back', detail }, 'queued', at)
      return { deployment, wasGiven }
    }),
})

interface Waiting {
  readonly environmentId: number
  readonly deployment: Deployment
}

const said = ({ id }: Deployment) => ({ id, state: 'queued' as const })

/** A deployment that has not begun; it cannot begin before the transaction has ended. */
async function waitingWith(trx: Trx, id: number): Promise<Waiting | undefined> {
  const row = await trx
    .updateTable('deployments')
    .set({ state: 'queued' })
    .where('id', '=', id)
    .where('state', '=', sql.lit('queued'))
    .returningAll()
    .executeTakeFirst()
  return row && { environmentId: row.environment_id, deployment: deploymentOf(row) }
}

/**
 * Takes away what one person has said of its task and commit; answers whether that was something. Names are compared here, since
 * SQLite knows small letters of ASCII alone.
 */
async function remove(trx: Trx, { environmentId, deployment }: Waiting, by: string): Promise<boolean> {
  const given = await trx
    .selectFrom('approvals')
    .select(['id', 'given_by'])
    .where('environment_id', '=', environmentId)
    .where('sha', '=', deployment.sha)
    .where('task', '=', deployment.task)
    .execute()
  const theirs = given.filter((one) => one.given_by.toLowerCase() === by.toLowerCase())
  for (const { id } of theirs) await trx.deleteFrom('approvals').where('id', '=', id).execute()
  return theirs.length > 0
}
