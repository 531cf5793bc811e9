import { sql, type Kysely } from 'kysely'

import type { State } from '../deployment/state.ts'
import type { Tables } from './schema.ts'
import type { Age, Removing, Retaining } from './store.ts'
import { inTransaction } from './transaction.ts'

/** How many rows one transaction looks at: the server answers between two of them. */
const AT_ONCE = 500
/** Successes of an environment that stay, whatever their age: there may be a way back to them. */
const SUCCESSES_KEPT = 5
/** Deliveries of one transaction share a body, and have neighbouring ids. */
const NEIGHBOURS = 1_000

/** What is removed when its time is over, on the store's tables. `forgot` is told of GitHub's ids. */
export const createRetaining = (
  database: Kysely<Tables>,
  forgot: (githubIds: readonly number[]) => void,
): Retaining => ({
  async deliveries(after, { throughBody, ...age }) {
    const rows = await database
      .selectFrom('deliveries')
      .select(['id', 'body_id', 'received_at'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(AT_ONCE)
      .execute()
    const old = oldAmong(rows, (row) => row.received_at, age)
    const over = rows.filter((row) => old.has(row) || row.body_id <= throughBody)
    if (over.length === 0) return NOTHING
    const removed = await inTransaction(database, (trx) => removeDeliveries(trx, over))
    return { removed, next: over.at(-1)?.id }
  },
  async bodiesBeyond(bytes) {
    let left = bytes
    let from: number | undefined
    for (;;) {
      const rows = await sizesOfBodies(database, from)
      for (const { id, size } of rows) {
        left -= size
        if (left < 0) return id
      }
      from = rows.at(-1)?.id
      if (from === undefined) return 0
    }
  },
  async deployments(after, { excess, ...age }) {
    const rows = await database
      .selectFrom('deployments')
      .select(['id', 'finished_at'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(AT_ONCE)
      .execute()
    const old = oldAmong(rows, (row) => row.finished_at, age)
    const over = rows.filter((row, index) => index < excess || old.has(row))
    if (over.length === 0) return { ...NOTHING, ids: [] }
    const gone = await removeDeployments(
      database,
      over.map(({ id }) => id),
    )
    forgot(gone.flatMap(({ github_id }) => github_id ?? []))
    return { removed: gone.length, next: over.at(-1)?.id, ids: gone.map(({ id }) => id) }
  },
  async approvals({ before }) {
    const gone = await database.deleteFrom('approvals').where('until', '<', before).executeTakeFirst()
    return Number(gone.numDeletedRows)
  },
  async count() {
    const { rows } = await sql<{ all: number }>`select count(*) as "all" from deployments`.execute(database)
    return rows[0]?.all ?? 0
  },
  async endedLocks(before) {
    const rows = await database.deleteFrom('locks').where('until', '<', before).returning('id').execute()
    return rows.length
  },
  async endedBefore(ids, age) {
    const rows = await database
      .selectFrom('deployments')
      .select(['id', 'state', 'finished_at'])
      .where('id', 'in', ids.length === 0 ? [0] : [...ids])
      .execute()
    const known = new Map(rows.map((row) => [row.id, row.finished_at]))
    // What is not in the history any more has ended.
    const old = oldAmong(ids, (id) => (known.has(id) ? (known.get(id) ?? null) : -Infinity), age)
    return ids.filter((id) => old.has(id))
  },
})

/**
 * Of rows in the order in which they came, those that are old. The clock may have been set back when some of them
 * came; but what came after something that is not old is not old either. Nor is what has no time yet.
 */
function oldAmong<Row>(
  rows: readonly Row[],
  timeOf: (row: Row) => number | null,
  { before, now }: Age,
): ReadonlySet<Row> {
  const timed = rows.map((row) => ({ row, at: timeOf(row) })).filter(({ at }) => at !== null)
  const firstYoung = timed.findIndex(({ at }) => at !== null && at >= before && at <= now)
  const earlier = firstYoung === -1 ? timed : timed.slice(0, firstYoung)
  const lastOld = earlier.findLastIndex(({ at }) => at !== null && at < before)
  return new Set(earlier.slice(0, lastOld + 1).map(({ row }) => row))
}

const NOTHING: Removing = { removed: 0, next: undefined }

async function sizesOfBodies(
  database: Kysely<Tables>,
  below: number | undefined,
): Promise<readonly { readonly id: number; readonly size: number }[]> {
  let rows = database
    .selectFrom('bodies')
    .select(['id', sql<number>`octet_length(content)`.as('size')])
    .orderBy('id', 'desc')
    .limit(AT_ONCE)
  if (below !== undefined) rows = rows.where('id', '<', below)
  return rows.execute()
}

/** Those that led to something which has not ended stay, and with them their bodies. */
async function removeDeliveries(
  trx: Kysely<Tables>,
  over: readonly { readonly id: number; readonly body_id: number }[],
): Promise<number> {
  const ids = over.map(({ id }) => id)
  const gone = await trx
    .deleteFrom('deliveries')
    .where('id', 'in', ids)
    .where(
      sql<boolean>`not exists (select 1 from deployments
        where deployments.delivery_id = deliveries.id and deployments.state in ('queued', 'running', 'cancelling'))`,
    )
    .returning('id')
    .execute()
  const bodies = [...new Set(over.map(({ body_id }) => body_id))]
  const used = await trx
    .selectFrom('deliveries')
    .select('body_id')
    .where('id', '>', (ids[0] ?? 0) - NEIGHBOURS)
    .where('id', '<', (ids.at(-1) ?? 0) + NEIGHBOURS)
    .where('body_id', 'in', bodies)
    .execute()
  const free = bodies.filter((id) => !used.some(({ body_id }) => body_id === id))
  if (free.length > 0) await trx.deleteFrom('bodies').where('id', 'in', free).execute()
  return gone.length
}

/** Those that have ended, about which nothing is owed, and that no environment may want, or must not want, to go back to. */
const removeDeployments = (database: Kysely<Tables>, ids: readonly number[]) =>
  inTransaction(database, async (trx) => {
    const over = await trx
      .selectFrom('deployments')
      .select(['id', 'github_id'])
      .where('id', 'in', [...ids])
      .where('state', 'in', [
        sql.lit<State>('succeeded'),
        sql.lit<State>('failed'),
        sql.lit<State>('cancelled'),
      ])
      .where(
        sql<boolean>`not exists (select 1 from reports
          where reports.deployment_id = deployments.id and reports.state = 'owed')`,
      )
      .where('marked_bad_at', 'is', null)
      .where(
        sql<boolean>`(deployments.state <> 'succeeded' or (select count(*) from (select 1 from deployments newer
          where newer.environment_id = deployments.environment_id and newer.state = 'succeeded' and newer.task = 'deploy'
            and newer.end_order > deployments.end_order limit ${sql.lit(SUCCESSES_KEPT)}) as later) >= ${sql.lit(SUCCESSES_KEPT)})`,
      )
      .execute()
    if (over.length === 0) return over
    const gone = over.map(({ id }) => id)
    for (const table of ['events', 'processes', 'reports'] as const)
      await trx.deleteFrom(table).where('deployment_id', 'in', gone).execute()
    const known = over.flatMap(({ github_id }) => (github_id === null ? [] : [{ github_id }]))
    if (known.length > 0)
      await trx
        .insertInto('forgotten')
        .values(known)
        .onConflict((conflict) => conflict.column('github_id').doNothing())
        .execute()
    await trx.deleteFrom('deployments').where('id', 'in', gone).execute()
    return over
  })
