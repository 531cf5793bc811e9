import type { Transaction } from 'kysely'

import { placeOf, type Deployment } from '../deployment/deployment.ts'
import { createDeployment, type InBatch } from './batch.ts'
import { byNonce } from './binding.ts'
import { isUniqueViolation, type Database } from './database.ts'
import { holdGates } from './gates-lock.ts'
import { putPin } from './pins.ts'
import type { Tables } from './schema.ts'
import type { Asked, NewDeployment } from './store.ts'

/** `Store.ask`. */
export async function ask(
  { kysely, engine }: Pick<Database, 'kysely' | 'engine'>,
  inBatch: InBatch,
  { wanted, at }: { readonly wanted: NewDeployment & { readonly nonce: string }; readonly at: number },
): Promise<Asked> {
  try {
    return await inBatch(async (batch) => {
      if (wanted.pin !== undefined) await holdGates(engine, batch.trx, 'change')
      const known = await byNonce(batch.trx, wanted.nonce)
      if (known !== undefined) return { deployment: known, isNew: false }
      const origin = { deliveryId: null, at, end: undefined }
      const deployment = await createDeployment(batch, wanted, origin)
      if (wanted.pin !== undefined) await goBack(batch.trx, deployment, wanted.pin, at)
      return { deployment, isNew: true }
    })
  } catch (thrown) {
    // Two asked with one nonce at the same moment: the index decided.
    const known = isUniqueViolation(thrown) ? await byNonce(kysely, wanted.nonce) : undefined
    if (known === undefined) throw thrown
    return { deployment: known, isNew: false }
  }
}

/** Pins what is asked for, and marks what is gone away from. */
async function goBack(
  trx: Transaction<Tables>,
  deployment: Deployment,
  { by, reason, leaves }: NonNullable<NewDeployment['pin']>,
  at: number,
): Promise<void> {
  await putPin(trx, { by, reason, place: placeOf(deployment), sha: deployment.sha, at }, deployment.id)
  if (leaves === undefined) return
  await trx
    .updateTable('deployments')
    .set({ marked_bad_at: at, marked_bad_by: by, marked_bad_reason: reason ?? null })
    .where('number', '=', leaves)
    .where('environment_id', '=', (where) =>
      where
        .selectFrom('deployments as this')
        .select('this.environment_id')
        .where('this.id', '=', deployment.id),
    )
    .execute()
}
