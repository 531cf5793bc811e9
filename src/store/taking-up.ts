import { sql, type Transaction } from 'kysely'

import type { Deployment } from '../deployment/deployment.ts'
import { createDeployment, type InBatch } from './batch.ts'
import type { Engine } from './database.ts'
import { TAKEN_BACK } from './rows.ts'
import type { Tables } from './schema.ts'
import { repository } from './shared-rows.ts'
import type { NewDeployment } from './store.ts'

type Trx = Transaction<Tables>

/** In place of the branch of a head, whatever that is: a head that was noted otherwise says nothing of what was found here. */
const POLLED = ':polled'

/** `Store.takeUp`. */
export const takeUp = (
  engine: Engine,
  inBatch: InBatch,
  { wanted, at }: { readonly wanted: NewDeployment; readonly at: number },
): Promise<Deployment | undefined> =>
  inBatch(async (batch) => {
    const { trx } = batch
    const { id, head_branch: by, head_sha: head } = await placeOf(trx, engine, wanted)
    if (by === POLLED && head === wanted.sha && !(await wasRemoved(trx, id, head))) return undefined
    const isNew = (await lastIn(trx, id)) !== wanted.sha
    await trx
      .updateTable('environments')
      .set({ head_branch: POLLED, head_sha: wanted.sha })
      .where('id', '=', id)
      .execute()
    return isNew ? createDeployment(batch, wanted, { deliveryId: null, at, end: undefined }) : undefined
  })

/** Its row, made where it is new; it stays as it is until the transaction ends. */
async function placeOf(trx: Trx, engine: Engine, given: NewDeployment) {
  const key = { repository_id: await repository(trx, given), name_key: given.environment.toLowerCase() }
  await trx
    .insertInto('environments')
    .values({ ...key, name: given.environment })
    .onConflict((conflict) => conflict.columns(['repository_id', 'name_key']).doNothing())
    .execute()
  return trx
    .selectFrom('environments')
    .select(['id', 'head_branch', 'head_sha'])
    .where('repository_id', '=', key.repository_id)
    .where('name_key', '=', key.name_key)
    .$if(engine === 'postgres', (query) => query.forUpdate())
    .executeTakeFirstOrThrow()
}

/** Whether it left with the configuration before it had begun: when its place is there again, it may come again. */
async function wasRemoved(trx: Trx, environmentId: number, sha: string): Promise<boolean> {
  const last = await trx
    .selectFrom('deployments')
    .select('reason')
    .where('environment_id', '=', environmentId)
    .where('task', '=', 'deploy')
    .where('sha', '=', sha)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return last?.reason === 'config_removed'
}

/** What was deployed or asked for there last, however that ended. */
async function lastIn(trx: Trx, environmentId: number): Promise<string | undefined> {
  const last = await trx
    .selectFrom('deployments')
    .select('sha')
    .where('environment_id', '=', environmentId)
    .where('task', '=', 'deploy')
    .where(sql<boolean>`not (${TAKEN_BACK})`)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return last?.sha
}
