import { sql, type Kysely, type Selectable } from 'kysely'

import type { State } from '../deployment/state.ts'
import { deploymentOf, FEW_BY_ID, IS_ACTIVE } from './rows.ts'
import type { Tables } from './schema.ts'
import type { LeftOut, Line } from './store.ts'

/** Of a longer line those that begin first, and then what is held. */
const MOST = 1_000
const MOST_AVERAGED = 50

/** `Store.line`. */
export async function line(database: Kysely<Tables>, averagesSince: number): Promise<Line> {
  const all = database.selectFrom('deployments').selectAll()
  const active = await all.where(IS_ACTIVE).orderBy(FEW_BY_ID).execute()
  const queued = all.orderBy('id').where('state', '=', sql.lit<State>('queued'))
  const ready = await queued.where('hold_reason', 'is', null).limit(MOST).execute()
  const held = await queued.where('hold_reason', 'is not', null).limit(MOST).execute()
  const waits = [...ready, ...held].slice(0, MOST)
  const rows = [...active, ...waits].toSorted((one, other) => one.id - other.id)
  const averageMs = new Map<string, number>()
  for (const { environment_id: id, configured_as: repository, environment } of rows) {
    const key = `${repository}/${environment.toLowerCase()}`
    const average = averageMs.has(key) ? undefined : await averageOf(database, id, averagesSince)
    if (average !== undefined) averageMs.set(key, average)
  }
  const left = waits.length < MOST ? [] : await leftOut(database, waits)
  return { deployments: rows.map(deploymentOf), averageMs, left }
}

/** How many wait beside these, by where they go. */
async function leftOut(database: Kysely<Tables>, listed: readonly Place[]): Promise<readonly LeftOut[]> {
  const known = Map.groupBy(listed, placeIn)
  const rows = await database
    .selectFrom('deployments')
    .select(['configured_as', 'environment', (select) => select.fn.countAll<number>().as('count')])
    .where('state', '=', sql.lit<State>('queued'))
    .groupBy(['configured_as', 'environment'])
    .orderBy('configured_as')
    .orderBy('environment')
    .execute()
  return rows
    .map((row) => ({
      configuredAs: row.configured_as,
      environment: row.environment,
      count: row.count - (known.get(placeIn(row))?.length ?? 0),
    }))
    .filter(({ count }) => count > 0)
}

type Place = Pick<Selectable<Tables['deployments']>, 'configured_as' | 'environment'>
const placeIn = ({ configured_as: repository, environment }: Place): string => `${repository}/${environment}`

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
    .where('task', '=', 'deploy')
    .where('state', '=', sql.lit<State>('succeeded'))
    .orderBy('end_order', 'desc')
    .limit(MOST_AVERAGED)
    .execute()
  const lasted = rows.flatMap(({ started_at: from, finished_at: to }) =>
    from === null || to === null || to < since ? [] : [to - from],
  )
  return lasted.length === 0 ? undefined : lasted.reduce((sum, ms) => sum + ms, 0) / lasted.length
}
