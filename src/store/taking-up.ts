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
    const isKnown = by === POLLED && head === wanted.sha
    const isLast = (await lastIn(trx, id)) === wanted.sha
    const isNew = isKnown ? await comesAgain(trx, { id, sha: wanted.sha, isLast }) : !isLast
    if (isKnown && !isNew) return undefined
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
  const row = trx
    .selectFrom('environments')
    .select(['id', 'head_branch', 'head_sha'])
    .where('repository_id', '=', key.repository_id)
    .where('name_key', '=', key.name_key)
    .$if(engine === 'postgres', (query) => query.forUpdate())
  const known = await row.executeTakeFirst()
  if (known !== undefined) return known
  await trx
    .insertInto('environments')
    .values({ ...key, name: given.environment })
    .onConflict((conflict) => conflict.columns(['repository_id', 'name_key']).doNothing())
    .execute()
  return row.executeTakeFirstOrThrow()
}

interface Known {
  readonly id: number
  readonly sha: string
  /** Whether it is what was deployed or asked for there last. */
  readonly isLast: boolean
}

/**
 * Whether what was found before may come once more, since nothing of it was begun: it left with the configuration, and its
 * place is there again; or it could not be fetched, and has not been tried too often.
 */
async function comesAgain(trx: Trx, { id, sha, isLast }: Known): Promise<boolean> {
  const tries = await trx
    .selectFrom('deployments')
    .select('reason')
    .where('environment_id', '=', id)
    .where('task', '=', 'deploy')
    .where('sha', '=', sha)
    .orderBy('id', 'desc')
    .limit(MOST_TRIES)
    .execute()
  const unfetched = tries.filter(({ reason }) => reason === 'source_unavailable').length
  if (isLast) return tries[0]?.reason === 'source_unavailable' && unfetched < MOST_TRIES
  return tries[0]?.reason === 'config_removed'
}
const MOST_TRIES = 3

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
