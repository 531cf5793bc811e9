import { sql, type Kysely, type Selectable } from 'kysely'

import type { Deployment } from '../deployment/deployment.ts'
import type { State } from '../deployment/state.ts'
import { BY_THEMSELVES, deploymentOf } from './rows.ts'
import type { Tables } from './schema.ts'
import { compiledOnce } from './statements.ts'
import type { Store } from './store.ts'

type Row = Selectable<Tables['deployments']>

/** When a column of a deployment is written: when it comes, while it waits, or as it ends. */
const WRITTEN = {
  id: 'first',
  environment_id: 'first',
  lane_id: 'meanwhile',
  delivery_id: 'first',
  number: 'first',
  repository: 'first',
  configured_as: 'first',
  environment: 'first',
  lane: 'meanwhile',
  origin: 'first',
  branch: 'first',
  nonce: 'first',
  was_asked: 'meanwhile',
  github_id: 'meanwhile',
  sha: 'first',
  ref: 'first',
  task: 'first',
  actor: 'first',
  authors: 'meanwhile',
  authors_asked: 'meanwhile',
  creator: 'meanwhile',
  creator_avatar: 'meanwhile',
  description: 'first',
  payload: 'first',
  api_url: 'meanwhile',
  is_private: 'first',
  recipe: 'first',
  public_logs: 'first',
  environment_url: 'first',
  state: 'end', // all that is looked at here is queued
  hold_reason: 'meanwhile',
  hold_detail: 'meanwhile',
  hold_since: 'meanwhile',
  hold_until: 'meanwhile',
  forced_by: 'meanwhile',
  forced_why: 'meanwhile',
  checked_at: 'meanwhile',
  approved_by: 'meanwhile', // what a hook has blocked has begun before
  blocked_since: 'meanwhile',
  blocked_until: 'meanwhile',
  blocked_detail: 'meanwhile',
  blocked_tries: 'meanwhile',
  blocked_told: 'meanwhile',
  blocked_log_bytes: 'meanwhile',
  reason: 'end',
  detail: 'end',
  deployed_sha: 'end',
  steps: 'meanwhile',
  created_at: 'first',
  started_at: 'meanwhile',
  finished_at: 'end',
  changes: 'end',
  log_url: 'end',
  conclusion: 'end',
  marked_bad_at: 'end',
  marked_bad_by: 'end',
  marked_bad_reason: 'end',
  end_order: 'end',
} as const satisfies Record<keyof Row, 'first' | 'meanwhile' | 'end'>

type Watched = {
  [Column in keyof Row]: (typeof WRITTEN)[Column] extends 'meanwhile' ? Column : never
}[keyof Row]

const WATCHED = Object.entries(WRITTEN).flatMap(([column, when]) =>
  when === 'meanwhile' ? [column as Watched] : [],
)

interface Known {
  readonly row: Pick<Row, Watched>
  readonly deployment: Deployment
}

/**
 * Makes `Store.waiting`. Of thousands that wait few change between two looks: what may have changed is read of all of
 * them, and the rest, with recipe and payload, only of those that are new or have changed.
 */
export function createWaiting(database: Kysely<Tables>): Store['waiting'] {
  let known: ReadonlyMap<number, Known> = new Map()
  const readAll = compiledOnce(() => thoseOf(database).select(['id', ...WATCHED]))
  const all = async (): Promise<readonly Deployment[]> => {
    const before = known
    const rows = await readAll(database)
    const changed = new Set(rows.flatMap((row) => (isAsBefore(row, before.get(row.id)?.row) ? [] : row.id)))
    const read = new Map((await among(database, [...changed])).map((one) => [one.id, one]))
    const now = rows.flatMap((row) => {
      const deployment = changed.has(row.id) ? read.get(row.id) : before.get(row.id)?.deployment
      return deployment === undefined ? [] : { row, deployment } // one that is not there any more has just moved on
    })
    known = new Map(now.map((one) => [one.deployment.id, one]))
    return now.map(({ deployment }) => deployment)
  }
  return (ids) => (ids === undefined ? all() : among(database, ids))
}

const isAsBefore = (row: Pick<Row, Watched>, before: Pick<Row, Watched> | undefined): boolean =>
  before !== undefined && WATCHED.every((column) => row[column] === before[column])

/** The words of the index `deployments_looked_at`. */
const thoseOf = (database: Kysely<Tables>) =>
  database
    .selectFrom('deployments')
    .where('state', '=', sql.lit<State>('queued'))
    .where((where) => where.or([where('hold_reason', 'is not', null), where('origin', 'in', BY_THEMSELVES)]))
    .orderBy('id')

const MOST_AT_ONCE = 500

async function among(database: Kysely<Tables>, ids: readonly number[]): Promise<readonly Deployment[]> {
  const found: Deployment[] = []
  for (let from = 0; from < ids.length; from += MOST_AT_ONCE) {
    const some = ids.slice(from, from + MOST_AT_ONCE)
    const rows = await thoseOf(database).selectAll().where('id', 'in', some).execute()
    found.push(...rows.map(deploymentOf))
  }
  return found
}
