import type { Kysely } from 'kysely'

import { createDeployment, type InBatch } from './batch.ts'
import { byNonce } from './binding.ts'
import { isUniqueViolation } from './database.ts'
import type { Tables } from './schema.ts'
import type { Asked, NewDeployment } from './store.ts'

/** `Store.ask`. */
export async function ask(
  database: Kysely<Tables>,
  inBatch: InBatch,
  { wanted, at }: { readonly wanted: NewDeployment & { readonly nonce: string }; readonly at: number },
): Promise<Asked> {
  try {
    return await inBatch(async (batch) => {
      const known = await byNonce(batch.trx, wanted.nonce)
      if (known !== undefined) return { deployment: known, isNew: false }
      const origin = { deliveryId: null, at, end: undefined }
      return { deployment: await createDeployment(batch, wanted, origin), isNew: true }
    })
  } catch (thrown) {
    // Two asked with one nonce at the same moment: the index decided.
    const known = isUniqueViolation(thrown) ? await byNonce(database, wanted.nonce) : undefined
    if (known === undefined) throw thrown
    return { deployment: known, isNew: false }
  }
}
