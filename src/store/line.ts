import { sql, type Kysely } from 'kysely'

import type { Deployment } from '../deployment/deployment.ts'
import type { State } from '../deployment/state.ts'
import { BY_THEMSELVES, deploymentOf } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Line } from './store.ts'

const MOST_AT_ONCE = 500

/** `Store.waiting`. */
export async function waiting(
  database: Kysely<Tables>,
  among?: readonly number[],
): Promise<readonly Deployment[]> {
  const all = database
    .selectFrom('deployments')
    .selectAll()
    .where('state', '=', sql.lit<State>('queued'))
    .where((where) => where.or([where('hold_reason', 'is not', null), where('origin', 'in', BY_THEMSELVES)]))
    .orderBy('id')
  if (among === undefined) return (await all.execute()).map(deploymentOf)
  const found: Deployment[] = []
  for (let from = 0; from < among.length; from += MOST_AT_ONCE) {
    const some = among.slice(from, from + MOST_AT_ONCE)
    found.push(...(await all.where('id', 'in', some).execute()).map(deploymentOf))
  }
  return found
}

/** Of a longer line the first. */
const MOST = 1_000
const MOST_AVERAGED = 50

/** `Store.line`. */
export async function line(database: Kysely<Tables>, averagesSince: number): Promise<Line> {
  const rows = await database
    .selectFrom('deployments')
    .selectAll()
    .where('state', 'in', [sql.lit<State>('running'), sql.lit<State>('cancelling'), sql.lit<State>('queued')])
    .orderBy('id')
    .limit(MOST)
    .execute()
  const averageMs = new Map<string, number>()
  for (const { environment_id: id, configured_as: repository, environment } of rows) {
    const key = `${repository}/${environment.toLowerCase()}`
    const average = averageMs.has(key) ? undefined : await averageOf(database, id, averagesSince)
    if (average !== undefined) averageMs.set(key, average)
  }
  return { deployments: rows.map(deploymentOf), averageMs }
}

/** How long the last successes in an environment have taken, on average; undefined where there are none. */
async function averageOf(
  database: Kysely<Tables>,
  environmentId: number,
  since: number,
): Promise<number | undefined> {
  const rows = await database
    .selectFrom('deployments')
    .select(['started_at', 'finished_at'])
    .where('environment_id', '=', environmentId)
    .where('state', '=', sql.lit<State>('succeeded'))
    .orderBy('end_order', 'desc')
    .limit(MOST_AVERAGED)
    .execute()
  const lasted = rows.flatMap(({ started_at: from, finished_at: to }) =>
    from === null || to === null || to < since ? [] : [to - from],
  )
  return lasted.length === 0 ? undefined : lasted.reduce((sum, ms) => sum + ms, 0) / lasted.length
}
