import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'

import { sql } from 'kysely'

import { openDatabase } from './database.ts'
import { accept } from './intake.ts'
import { claim, move } from './moves.ts'
import { createOutbox } from './outbox.ts'
import { deploymentOf } from './rows.ts'
import type { Store, Verdict } from './store.ts'
import { inTransaction } from './transaction.ts'

const decompress = promisify(zstdDecompress)

/**
 * Opens the store: SQLite at a path, or PostgreSQL at a `postgres://` address. One implementation, and one
 * contract, on both. `onLockLost`: another server holds the database now, so this one must end.
 */
export async function openStore(address: string, onLockLost?: () => void): Promise<Store> {
  const database = await openDatabase(address, onLockLost)
  const { kysely } = database
  return {
    async accept(intakes) {
      database.assertThere()
      return accept(kysely, intakes)
    },
    claim: (options) => claim(kysely, options),
    move: (id, from, to, change) => move(kysely, id, from, to, change),
    async deployment(id) {
      const row = await kysely.selectFrom('deployments').selectAll().where('id', '=', id).executeTakeFirst()
      return row && deploymentOf(row)
    },
    async inState(...states) {
      const rows = await kysely
        .selectFrom('deployments')
        .selectAll()
        .where(
          'state',
          'in',
          states.map((state) => sql.lit(state)),
        )
        .orderBy('id')
        .execute()
      return rows.map(deploymentOf)
    },
    async previousSha(id) {
      const row = await kysely
        .selectFrom('deployments as this')
        .innerJoin('deployments as earlier', 'earlier.environment_id', 'this.environment_id')
        .select(['earlier.sha', 'earlier.deployed_sha'])
        .where('this.id', '=', id)
        .where('earlier.state', '=', sql.lit('succeeded'))
        .whereRef('earlier.id', '<', 'this.id')
        .orderBy('earlier.id', 'desc')
        .limit(1)
        .executeTakeFirst()
      return row && (row.deployed_sha ?? row.sha)
    },
    async recordProcess(deploymentId, { runId, group, bootId, startTicks }) {
      await inTransaction(kysely, (trx) =>
        trx
          .insertInto('processes')
          .values({
            deployment_id: deploymentId,
            run_id: runId,
            group_id: group,
            boot_id: bootId,
            start_ticks: startTicks,
          })
          .execute(),
      )
    },
    async processesOf(deploymentId) {
      const rows = await kysely
        .selectFrom('processes')
        .selectAll()
        .where('deployment_id', '=', deploymentId)
        .execute()
      return rows.map((row) => ({
        runId: row.run_id,
        group: row.group_id,
        bootId: row.boot_id,
        startTicks: row.start_ticks,
      }))
    },
    async repositoriesKnown() {
      const rows = await kysely
        .selectFrom('repositories')
        .select(['github_id', 'configured_as'])
        .orderBy('id')
        .execute()
      return new Map(rows.map((row) => [row.github_id, row.configured_as]))
    },
    outbox: createOutbox(kysely),
    async delivery(guid) {
      const row = await kysely
        .selectFrom('deliveries')
        .selectAll()
        .where('guid', '=', guid)
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst()
      return (
        row && {
          key: row.key,
          guid: row.guid,
          event: row.event,
          action: row.action ?? undefined,
          receivedAt: row.received_at,
          headers: JSON.parse(row.headers) as Record<string, string>,
          body: await decompress(row.body),
          verdict: row.verdict as Verdict,
          reason: row.reason ?? undefined,
        }
      )
    },
    async setting(name, make) {
      await kysely
        .insertInto('settings')
        .values({ name, value: make() })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute()
      const row = await kysely
        .selectFrom('settings')
        .select('value')
        .where('name', '=', name)
        .executeTakeFirstOrThrow()
      return row.value
    },
    async probe() {
      database.assertThere()
      await inTransaction(kysely, async (trx) => {
        await trx
          .insertInto('settings')
          .values({ name: 'probe', value: '1' })
          .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: '1' }))
          .execute()
      })
    },
    close: () => database.close(),
  }
}
