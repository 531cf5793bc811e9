import { sql, type Kysely, type Selectable, type Transaction } from 'kysely'

import type { Deployment } from '../deployment/deployment.ts'
import { deploymentOf, environmentNamed } from './rows.ts'
import type { Database } from './database.ts'
import { holdGates } from './gates-lock.ts'
import type { Tables } from './schema.ts'
import type { Store } from './store.ts'
import { inTransaction } from './transaction.ts'

type RefFor = Parameters<Store['refFor']>

/** The commit that a deployment has put in place. */
const DEPLOYED = sql<string>`coalesce(deployments.deployed_sha, deployments.sha)`

/** `Store.refFor`. */
export async function refFor(
  database: Kysely<Tables>,
  { configuredAs, environment }: RefFor[0],
  which: RefFor[1],
): ReturnType<Store['refFor']> {
  const successes = database
    .selectFrom('deployments')
    .select([DEPLOYED.as('sha'), 'deployments.number'])
    .where('deployments.environment_id', '=', environmentNamed(configuredAs.toLowerCase(), environment))
    .where('deployments.state', '=', sql.lit('succeeded'))
    .where('deployments.task', '=', 'deploy')
    .orderBy('deployments.end_order', 'desc')
    .orderBy('deployments.id', 'desc')
    .limit(1)
  if (which.startsWith('#'))
    return successes.where('deployments.number', '=', Number(which.slice(1))).executeTakeFirst()
  const current = await successes.executeTakeFirst()
  if (which === ':current' || current === undefined) return current
  return successes
    .where(DEPLOYED, '!=', current.sha)
    .where(
      sql<boolean>`not exists (select 1 from deployments bad
        where bad.environment_id = deployments.environment_id and bad.marked_bad_at is not null
          and coalesce(bad.deployed_sha, bad.sha) = ${DEPLOYED})`,
    )
    .executeTakeFirst()
}

/** `Store.markBad`. */
export const markBad = (
  { kysely, engine }: Pick<Database, 'kysely' | 'engine'>,
  id: number,
  mark: Deployment['markedBad'],
): Promise<Deployment | undefined> =>
  inTransaction(kysely, async (trx) => {
    await holdGates(engine, trx, 'change')
    const row = await trx
      .updateTable('deployments')
      .set(columnsOf(mark))
      .where('id', '=', id)
      .where('finished_at', 'is not', null)
      .returningAll()
      .executeTakeFirst()
    if (row !== undefined && mark === undefined) await unmarkBeside(trx, row)
    return row && deploymentOf(row)
  })

const columnsOf = (mark: Deployment['markedBad']) => ({
  marked_bad_at: mark?.at ?? null,
  marked_bad_by: mark?.by ?? null,
  marked_bad_reason: mark?.reason ?? null,
})

/** Whoever asks whether a commit is bad somewhere looks at every deployment of it there: one mark left would do. */
const unmarkBeside = (
  trx: Transaction<Tables>,
  { environment_id, sha, deployed_sha }: Selectable<Tables['deployments']>,
): Promise<unknown> =>
  trx
    .updateTable('deployments')
    .set(columnsOf(undefined))
    .where('environment_id', '=', environment_id)
    .where('marked_bad_at', 'is not', null)
    .where(DEPLOYED, '=', deployed_sha ?? sha)
    .execute()
