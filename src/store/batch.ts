import { sql, type Kysely, type Selectable, type Transaction } from 'kysely'

import type { Deployment, Hold } from '../deployment/deployment.ts'
import { ERRAND_TASKS } from '../deployment/errand.ts'
import { HELD, type EndReason } from '../deployment/reasons.ts'
import { runErrand } from './errands.ts'
import type { Forgotten } from './forgotten.ts'
import { eventRow, forcing, reportRows } from './moves.ts'
import { columnsOf, DELIVERED_WITHIN_MS, deploymentOf, holdColumns, NEWER_IS_OWN } from './rows.ts'
import type { Tables } from './schema.ts'
import { createSharedRows, type SharedRows } from './shared-rows.ts'
import { compiledInsert, compiledOnce } from './statements.ts'
import { supersedeOlder } from './superseding.ts'
import type { NewDeployment } from './store.ts'
import { inTransaction } from './transaction.ts'

type Trx = Transaction<Tables>
type Statements = ReturnType<typeof statementsFor>

/** What all that is written in one transaction has in common. */
export interface Batch {
  readonly trx: Trx
  readonly statements: Statements
  readonly shared: SharedRows
  /** Events and reports, written together at the end. */
  readonly events: ReturnType<typeof eventRow>[]
  readonly reports: ReturnType<typeof reportRows>[number][]
  isForgotten(githubId: number): Promise<boolean>
}

/**
 * Works in one transaction, with what it owes to events and reports written at its end; `then`, what else is done in it
 * after that.
 */
export type InBatch = <T>(
  work: (batch: Batch) => Promise<T>,
  then?: (trx: Trx, done: T) => Promise<void>,
) => Promise<T>

/** Makes the transactions in which deployments come in. */
export function createInBatch(database: Kysely<Tables>, forgotten: Forgotten): InBatch {
  const statements = statementsFor(database)
  return (work, then) =>
    inTransaction(database, async (trx) => {
      const batch: Batch = {
        trx,
        statements,
        shared: createSharedRows(trx),
        events: [],
        reports: [],
        isForgotten: (githubId) => forgotten.has(trx, githubId),
      }
      const done = await work(batch)
      await batch.shared.write()
      await flush(batch)
      await then?.(trx, done)
      return done
    })
}

/** What every delivery needs. Building and compiling these anew would take as long as running them. */
const statementsFor = (database: Kysely<Tables>) => ({
  insertBodies: compiledInsert<'bodies', { id: number }>((rows) =>
    database.insertInto('bodies').values(rows).returning('id'),
  ),
  insertDeliveries: compiledInsert<'deliveries', { id: number; key: string }>((rows) =>
    database
      .insertInto('deliveries')
      .values(rows)
      .onConflict((conflict) => conflict.column('key').doNothing())
      .returning(['id', 'key']),
  ),
  insertDeployments: compiledInsert<'deployments', { id: number }>((rows) =>
    database.insertInto('deployments').values(rows).returning('id'),
  ),
  insertEvents: compiledInsert<'events', unknown>((rows) => database.insertInto('events').values(rows)),
  insertReports: compiledInsert<'reports', unknown>((rows) => database.insertInto('reports').values(rows)),
  byGithubId: compiledOnce(() => database.selectFrom('deployments').selectAll().where('github_id', '=', 0)),
  newerOf: compiledOnce(() => newerAmong(database, ['deploy']).where('state', '!=', sql.lit('cancelled'))),
  newerAsked: compiledOnce(() => newerAskedAmong(database)),
  newerErrand: compiledOnce(() => newerAmong(database, ERRANDS).where('state', '=', sql.lit('succeeded'))),
})

const ERRANDS = Object.keys(ERRAND_TASKS)

/** By environment, tasks, GitHub's number and a limit of one: what GitHub made later. */
const newerAmong = (database: Kysely<Tables>, tasks: readonly string[]) =>
  database
    .selectFrom('deployments')
    .select('number')
    .where(OF_ENVIRONMENT, '=', 0)
    .where('task', 'in', tasks)
    .where('github_id', '>', 0) // GitHub counts them up
    .orderBy('github_id', 'desc')
    .limit(1)

/** By environment, task, GitHub's number, since when and a limit of one: what others have made on GitHub later, and not taken back. */
const newerAskedAmong = (database: Kysely<Tables>) =>
  database
    .selectFrom('deployments as newer')
    .select(['newer.number', 'newer.sha'])
    .where(sql<number>`+newer.environment_id`, '=', 0)
    .where('newer.task', '=', '')
    .where('newer.github_id', '>', 0)
    .where('newer.created_at', '>', 0)
    .where('newer.origin', '=', sql.lit('deployment')) // our own are made there when they are let through
    .where('newer.state', '!=', sql.lit('cancelled'))
    .where(NEWER_IS_OWN)
    .orderBy('newer.github_id', 'desc')
    .limit(1)

/** Writes a deployment with its number; its events and reports follow at the end of the batch. */
export async function createDeployment(
  batch: Batch,
  given: NewDeployment,
  { deliveryId, at, end: known }: { deliveryId: number | null; at: number; end: End | undefined },
): Promise<Deployment> {
  const environment = await batch.shared.numberIn(given)
  const newer = await askedLater(batch, given, { environmentId: environment.id, at })
  const end =
    known ??
    (await overtakenEnd(batch, given, environment.id)) ??
    (given.supersedes === true && newer !== undefined ? supersededBy(newer) : undefined) ??
    (await errandEnd(batch, given, at))
  // Of two commits whose deliveries came in the other order, the one that was asked for last is to stay.
  const isToJudge = given.task === 'deploy' && newer !== undefined && newer.sha !== given.sha
  const hold = given.hold ?? (isToJudge ? outOfOrder(at) : undefined)
  const row: Omit<Selectable<Tables['deployments']>, 'id'> = {
    ...columnsOf(given),
    environment_id: environment.id,
    lane_id: await batch.shared.laneId(given.lane),
    delivery_id: deliveryId,
    number: environment.number,
    was_asked: 0,
    authors_asked: 0,
    state: end?.state ?? 'queued',
    ...holdColumns(end === undefined ? hold : undefined),
    checked_at: null,
    approved_by: null,
    blocked_since: null,
    blocked_until: null,
    blocked_detail: null,
    blocked_tries: 0,
    blocked_told: 0,
    blocked_log_bytes: 0,
    reason: end?.reason ?? null,
    detail: end?.detail ?? null,
    deployed_sha: null,
    created_at: at,
    started_at: null,
    finished_at: end === undefined ? null : at,
    changes: null,
    log_url: null,
    conclusion: null,
    marked_bad_at: null,
    marked_bad_by: null,
    marked_bad_reason: null,
    end_order: null, // only what has run is put into order
  }
  const [inserted] = await batch.statements.insertDeployments(batch.trx, [row])
  if (inserted === undefined) throw new Error('The new deployment was given no id.')
  const deployment = deploymentOf({ ...row, ...inserted })
  batch.events.push(eventRow(begun(deployment), undefined, at))
  if (deployment.forced !== undefined)
    batch.events.push(eventRow(forcing(deployment.id, deployment.forced), 'queued', at))
  if (end !== undefined) batch.events.push(eventRow(deployment, 'queued', at))
  batch.reports.push(...reportRows(deployment, given.reports(deployment, environment.streak), at))
  if (given.supersedes === true && end === undefined) {
    await flush(batch) // what gives way may have come with it
    await supersedeOlder(batch.trx, deployment, { at, reports: given.reports })
  }
  return deployment
}

/** Writes down what has happened so far, in its order. */
async function flush({ trx, statements, events, reports }: Batch): Promise<void> {
  await statements.insertEvents(trx, events.splice(0))
  await statements.insertReports(trx, reports.splice(0))
}

/** What the first event of a deployment says. */
const begun = ({ id, hold }: Deployment) => ({
  id,
  state: 'queued' as const,
  reason: hold?.reason,
  detail: hold?.detail,
})

/**
 * How a late one ends where a newer one of the same kind has come before it, unless that was taken back. An errand is late
 * whenever a newer one has been done: GitHub may deliver two in the other order, and the last word counts. One that names its
 * lock never is.
 */
async function overtakenEnd(
  { trx, statements: { newerErrand, newerOf } }: Batch,
  { late, githubId, task, errand }: NewDeployment,
  environmentId: number,
): Promise<End | undefined> {
  const isErrand = errand !== undefined
  if ((late === undefined && !isErrand) || githubId === undefined) return undefined
  if (errand?.kind === 'unlock' && errand.lock !== undefined) return undefined
  const [newer] = isErrand
    ? await newerErrand(trx, environmentId, ...ERRANDS, githubId, 1)
    : await newerOf(trx, environmentId, task, githubId, 1)
  const detail =
    newer === undefined
      ? late?.overtaken
      : `${isErrand ? 'Not done' : 'Not deployed'}: it came late, and #${newer.number}, which is newer, came before.`
  return detail === undefined ? undefined : { state: 'cancelled', reason: 'overtaken', detail }
}

/** What others have asked GitHub for later than this, and has come before it: GitHub keeps no order among its deliveries. */
async function askedLater(
  { trx, statements: { newerAsked } }: Batch,
  { origin, githubId, task, errand }: NewDeployment,
  { environmentId, at }: { readonly environmentId: number; readonly at: number },
): Promise<{ readonly number: number; readonly sha: string } | undefined> {
  if (origin !== 'deployment' || githubId === undefined || errand !== undefined) return undefined
  const [newer] = await newerAsked(trx, environmentId, task, githubId, at - DELIVERED_WITHIN_MS, 1)
  return newer
}

const supersededBy = ({ number }: { readonly number: number }): End => ({
  state: 'cancelled',
  reason: 'superseded',
  detail: `Superseded by #${number}.`,
})

const outOfOrder = (since: number): Hold => ({
  reason: 'deciding',
  detail: HELD.deciding,
  since,
  until: undefined,
})

/** No mere column, or SQLite would go through all that was ever deployed there, and not from GitHub's newest on. */
const OF_ENVIRONMENT = sql<number>`+environment_id`

const errandEnd = (
  { trx }: Batch,
  { errand, configuredAs, environment, actor: by }: NewDeployment,
  now: number,
): Promise<End> | undefined =>
  errand && runErrand(trx, errand, { place: `${configuredAs}/${environment.toLowerCase()}`, by, now })

/** A deployment that ends at once, without having been in line. */
export interface End {
  readonly state: 'succeeded' | 'failed' | 'cancelled'
  readonly reason?: EndReason
  readonly detail: string
}
