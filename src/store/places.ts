import { sql, type Kysely } from 'kysely'

import type { Tables } from './schema.ts'
import { besideOf } from './beside.ts'
import { environmentOf } from './rows.ts'
import { repository } from './shared-rows.ts'
import { compiledOnce } from './statements.ts'
import type { FirstSight, Landmarks } from './store.ts'
import { inTransaction } from './transaction.ts'

/** `Store.see`: where a branch stood when its environment was first seen. */
export const see = (database: Kysely<Tables>, place: FirstSight): Promise<void> =>
  inTransaction(database, async (trx) => {
    const seen = {
      name: place.environment,
      branch: place.branch,
      first_seen_sha: place.sha ?? null,
      first_seen_at: place.at,
      head_branch: place.branch,
      head_sha: place.sha ?? null,
    }
    await trx
      .insertInto('environments')
      .values({
        repository_id: await repository(trx, place),
        name_key: place.environment.toLowerCase(),
        ...seen,
      })
      .onConflict((conflict) => conflict.columns(['repository_id', 'name_key']).doUpdateSet(seen))
      .execute()
  })

/** `Store.seen`. */
export async function seen(database: Kysely<Tables>): Promise<ReadonlyMap<string, string>> {
  const rows = await database
    .selectFrom('environments')
    .innerJoin('repositories', 'repositories.id', 'environments.repository_id')
    .select(['repositories.configured_as', 'environments.name_key', 'environments.branch'])
    .where('environments.branch', 'is not', null)
    .execute()
  return new Map(rows.map((row) => [`${row.configured_as}/${row.name_key}`, row.branch ?? '']))
}

/** `Store.configured`. */
export const configured = (
  database: Kysely<Tables>,
  places: readonly string[],
  at: number,
): Promise<ReadonlyMap<string, number>> =>
  inTransaction(database, async (trx) => {
    const before = new Map(
      (await trx.selectFrom('sights').selectAll().execute()).map(({ place, since }) => [place, since]),
    )
    const gone = [...before.keys()].filter((place) => !places.includes(place))
    const fresh = [...new Set(places)].filter((place) => !before.has(place))
    for (const some of chunksOf(gone)) await trx.deleteFrom('sights').where('place', 'in', some).execute()
    for (const some of chunksOf(fresh))
      await trx
        .insertInto('sights')
        .values(some.map((place) => ({ place, since: at })))
        .execute()
    // One that is configured since a moment to come was so when the clock was wrong.
    return new Map(places.map((place) => [place, Math.min(before.get(place) ?? at, at)]))
  })

/** `Store.known`. */
export async function known(
  database: Kysely<Tables>,
  githubIds: readonly number[],
): Promise<ReadonlySet<number>> {
  const found = new Set<number>()
  for (const some of chunksOf(githubIds)) {
    const rows = await database
      .selectFrom('deployments')
      .select('github_id')
      .where('github_id', 'in', some)
      .execute()
    const forgotten = await database
      .selectFrom('forgotten')
      .select('github_id')
      .where('github_id', 'in', some)
      .execute()
    for (const { github_id: id } of [...rows, ...forgotten]) if (id !== null) found.add(id)
  }
  return found
}

const MOST_AT_ONCE = 500

/** SQLite takes no more than some thousands of parameters in a statement. */
function chunksOf<Item>(items: readonly Item[]): Item[][] {
  const chunks: Item[][] = []
  for (let from = 0; from < items.length; from += MOST_AT_ONCE)
    chunks.push(items.slice(from, from + MOST_AT_ONCE))
  return chunks
}

/** `Store.landmarks`. */
export async function landmarks(database: Kysely<Tables>, id: number): Promise<Landmarks> {
  const beside = await besideOf(database, id) // first: what changes while the rest is read has changed since
  const live = await lastSuccessBeside(database, id)
  const ahead = await database
    .selectFrom('deployments as other')
    .select(['other.sha', 'other.number'])
    .where('other.environment_id', '=', environmentOf(id))
    .where('other.id', '!=', id)
    .where('other.task', '=', 'deploy')
    .where(
      sql<boolean>`(other.state in ('running', 'cancelling') or (other.state = 'queued' and other.hold_reason is null))`,
    )
    .orderBy('other.id')
    .execute()
  const place = await database
    .selectFrom('deployments')
    .innerJoin('environments', 'environments.id', 'deployments.environment_id')
    .select(['environments.first_seen_sha', 'environments.branch as seen_branch', 'deployments.branch'])
    .where('deployments.id', '=', id)
    .executeTakeFirst()
  const begunSince = await database
    .selectFrom('deployments as other')
    .select('other.id')
    .where('other.environment_id', '=', environmentOf(id))
    .where('other.id', '!=', id)
    .where('other.task', '=', 'deploy')
    .where('other.started_at', 'is not', null)
    .where('other.end_order', '>', live?.endOrder ?? 0)
    .where(sql<boolean>`coalesce(other.reason, '') not in ('source_unavailable', 'source_refused')`) // nothing was changed
    .where(sql<boolean>`coalesce(other.deployed_sha, other.sha) <> ${live?.sha ?? ''}`)
    .limit(1)
    .executeTakeFirst()
  const isSameBranch = place !== undefined && place.seen_branch === place.branch
  return {
    beside,
    live: live && { sha: live.sha, number: live.number },
    isDisturbed: begunSince !== undefined || ahead.some(({ sha }) => sha !== live?.sha),
    ahead,
    isSeen: (place?.seen_branch ?? null) !== null,
    firstSeenSha: (isSameBranch ? place.first_seen_sha : undefined) ?? undefined,
  }
}

/** The last success in the environment of a deployment that has not ended itself. */
export async function lastSuccessBeside(database: Kysely<Tables>, id: number) {
  const [row] = await selectLastSuccess(database, id, id)
  return row && { sha: row.deployed_sha ?? row.sha, number: row.number, endOrder: row.end_order }
}

const selectLastSuccess = compiledOnce((handle) =>
  handle
    .selectFrom('deployments as other')
    .select(['other.sha', 'other.deployed_sha', 'other.number', 'other.end_order'])
    .where('other.environment_id', '=', environmentOf(0))
    .where('other.state', '=', sql.lit('succeeded'))
    .where('other.task', '=', sql.lit('deploy'))
    .where('other.id', '!=', 0)
    .orderBy('other.end_order', 'desc')
    .orderBy('other.id', 'desc')
    .limit(sql.lit(1)),
)
