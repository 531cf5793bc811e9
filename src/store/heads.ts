import { sql, type Kysely } from 'kysely'

import { TAKEN_BACK } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Head, Heads } from './store.ts'
import { inTransaction } from './transaction.ts'

/** `Store.heads`. */
export const createHeads = (database: Kysely<Tables>): Heads => ({
  async of(configuredAs) {
    const rows = await database
      .selectFrom('environments')
      .innerJoin('repositories', 'repositories.id', 'environments.repository_id')
      .select(['environments.name_key', 'environments.head_branch', 'environments.head_sha'])
      .where('repositories.configured_as', '=', configuredAs)
      .execute()
    return new Map(
      rows.map(({ name_key: name, head_branch: branch, head_sha: sha }): [string, Head | undefined] => [
        name,
        branch === null || sha === null ? undefined : { branch, sha },
      ]),
    )
  },
  async note(configuredAs, environments, { branch, sha }) {
    await inTransaction(database, (trx) =>
      trx
        .updateTable('environments')
        .set({ head_branch: branch, head_sha: sha })
        .where('name_key', 'in', environments)
        .where('repository_id', 'in', (repositories) =>
          repositories
            .selectFrom('repositories')
            .select('repositories.id')
            .where('repositories.configured_as', '=', configuredAs),
        )
        .execute(),
    )
  },
  async knows({ configuredAs, environment }, sha) {
    const row = await database
      .selectFrom('deployments')
      .innerJoin('environments', 'environments.id', 'deployments.environment_id')
      .innerJoin('repositories', 'repositories.id', 'environments.repository_id')
      .select('deployments.id')
      .where('repositories.configured_as', '=', configuredAs)
      .where('environments.name_key', '=', environment.toLowerCase())
      .where('deployments.task', '=', 'deploy')
      .where((where) => where.or([where('deployments.sha', '=', sha), where('deployed_sha', '=', sha)]))
      .where(sql<boolean>`not (${TAKEN_BACK})`)
      .limit(1)
      .executeTakeFirst()
    return row !== undefined
  },
})
