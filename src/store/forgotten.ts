import type { Kysely, Transaction } from 'kysely'

import type { Tables } from './schema.ts'

/** GitHub's ids of deployments that were here and are not kept any more. */
export interface Forgotten {
  has(trx: Transaction<Tables>, githubId: number): Promise<boolean>
  add(githubIds: readonly number[]): void
}

/** Most deliveries speak of newer deployments than any of these: for them nothing is looked up. */
export async function knowForgotten(database: Kysely<Tables>): Promise<Forgotten> {
  const newest = await database
    .selectFrom('forgotten')
    .select('github_id')
    .orderBy('github_id', 'desc')
    .limit(1)
    .executeTakeFirst()
  let highest = newest?.github_id ?? 0
  return {
    async has(trx, githubId) {
      if (githubId > highest) return false
      const rows = trx.selectFrom('forgotten').select('github_id').where('github_id', '=', githubId)
      return (await rows.executeTakeFirst()) !== undefined
    },
    add(githubIds) {
      highest = githubIds.reduce((one, other) => Math.max(one, other), highest)
    },
  }
}
