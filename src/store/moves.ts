import {
  sql,
  type Kysely,
  type RawBuilder,
  type Selectable,
  type Transaction,
  type UpdateObject,
} from 'kysely'

import { placeOf, type Deployment, type Forced } from '../deployment/deployment.ts'
import type { EndReason, HoldReason } from '../deployment/reasons.ts'
import { canMove, isFinal, type State } from '../deployment/state.ts'
import { endPin } from './pins.ts'
import { deploymentOf, holdColumns } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Change, NewReport } from './store.ts'
import { compiledInsert, compiledUpdate } from './statements.ts'
import { passThrough } from './streaks.ts'
import { inTransaction, type Handle } from './transaction.ts'

type Trx = Transaction<Tables>

/** `Store.move`: state, event and reports in one transaction. */
export const move = (
  database: Kysely<Tables>,
  id: number,
  from: State,
  to: State,
  given: Change,
): Promise<Deployment | undefined> => {
  assertMove(from, to)
  return inTransaction(database, (trx) => change(trx, id, from, to, given))
}

/** `Store.moveAll`: all of them, or none. */
export const moveAll = (
  database: Kysely<Tables>,
  from: State,
  to: State,
  changes: ReadonlyMap<number, Change>,
): Promise<readonly Deployment[]> => {
  assertMove(from, to)
  return inTransaction(database, async (trx) => {
    const moved: Deployment[] = []
    for (const [id, given] of changes) {
      const deployment = await change(trx, id, from, to, given)
      if (deployment !== undefined) moved.push(deployment)
    }
    return moved
  })
}

function assertMove(from: State, to: State): void {
  if (!canMove(from, to)) throw new Error(`A deployment cannot move from ${from} to ${to}.`)
}

/** Writes the move, its event and its reports; undefined when the deployment is not in `from` any more. */
export async function change(
  trx: Trx,
  id: number,
  from: State,
  to: State,
  given: Change,
): Promise<Deployment | undefined> {
  const moment = given.endedAt ?? given.at
  const update = to === 'running' ? updateBegun : isFinal(to) ? updateEnded : updateMoved
  const [row] = await update(
    trx,
    {
      state: to,
      // One that was cancelled may end otherwise: then why it was cancelled is no reason any more.
      reason: given.reason ?? null,
      detail: given.detail ?? null,
      ...(given.deployedSha === undefined ? {} : { deployed_sha: given.deployedSha }),
      ...(given.changes === undefined ? {} : { changes: JSON.stringify(given.changes) }),
      ...(given.logUrl === undefined ? {} : { log_url: given.logUrl }),
      ...(given.approvedBy === undefined ? {} : { approved_by: given.approvedBy }),
      ...(given.steps === undefined ? {} : { steps: JSON.stringify(given.steps) }),
      ...holdColumns(undefined),
    },
    ...(to === 'running' || isFinal(to) ? [moment, moment] : []),
    id,
    from,
  )
  if (row === undefined) return undefined
  const deployment = deploymentOf(row)
  const at = deployment.finishedAt ?? given.at
  const streak =
    row.task === 'deploy' ? await passThrough(trx, row.environment_id, { from, to, at }) : undefined
  if (isFinal(to)) await trx.deleteFrom('processes').where('deployment_id', '=', id).execute()
  if (to === 'succeeded') await endPin(trx, placeOf(deployment), deployment)
  await enter(trx, deployment, from, given.at)
  await owe(trx, deployment, given.reports(deployment, streak), given.at)
  return deployment
}

type Row = Selectable<Tables['deployments']>
type Columns = UpdateObject<Tables, 'deployments'>

const moving = (handle: Handle, set: Columns) =>
  handle.updateTable('deployments').set(set).where('id', '=', 0).where('state', '=', 'queued').returningAll()

const updateMoved = compiledUpdate<'deployments', Row>(moving)
const updateBegun = compiledUpdate<'deployments', Row>((handle, set) =>
  moving(handle, { ...set, started_at: notBefore(sql`created_at`) }),
)
const updateEnded = compiledUpdate<'deployments', Row>((handle, set) =>
  moving(handle, {
    ...set,
    finished_at: notBefore(sql`coalesce(started_at, created_at)`),
    end_order: NEXT_END,
  }),
)

/** The clock may have been set back meanwhile, and nothing ends before it has begun. */
const notBefore = (earlier: RawBuilder<number | null>): RawBuilder<number> =>
  sql<number>`case when ${earlier} > ${0} then ${earlier} else ${0} end`

/** What ended later has more events before it: an order that no clock can change. */
const NEXT_END = sql<number>`(select coalesce(max(id), 0) from events)`

/** Writes the event of what has just been done to a deployment. */
export async function enter(
  trx: Trx,
  deployment: Entered,
  from: State | undefined,
  at: number,
): Promise<void> {
  await insertEvents(trx, [eventRow(deployment, from, at)])
}

/** Writes what the move owes to the outside world. */
export async function owe(
  trx: Trx,
  deployment: Deployment,
  reports: readonly NewReport[],
  at: number,
): Promise<void> {
  if (reports.length === 0) return
  for (const { channel, endsStreak } of reports)
    if (endsStreak === true) await dropFailuresBeside(trx, deployment.id, channel)
  await insertReports(trx, reportRows(deployment, reports, at))
}

const insertEvents = compiledInsert<'events', unknown>((rows, handle) =>
  handle.insertInto('events').values(rows),
)
const insertReports = compiledInsert<'reports', unknown>((rows, handle) =>
  handle.insertInto('reports').values(rows),
)

/** A failure that is told after it is over would be taken for a new one. */
const dropFailuresBeside = (trx: Trx, deploymentId: number, channel: string): Promise<unknown> =>
  sql`update reports set state = 'dropped'
    where state = 'owed' and channel = ${channel} and exists (
      select 1 from deployments failed join deployments this on this.environment_id = failed.environment_id
      where failed.id = reports.deployment_id and failed.state = 'failed' and this.id = ${deploymentId})`.execute(
    trx,
  )

/** What an event says: where a deployment is, and why; for one that is queued, why it waits, or what was said of it. */
type Entered = Pick<Deployment, 'id' | 'state' | 'detail'> & {
  readonly reason: EndReason | HoldReason | 'forced' | 'approved' | 'approval_taken_back' | undefined
}

/** What the event says that tells of force. */
export const forcing = (id: number, { by, why }: Forced): Entered => ({
  id,
  state: 'queued',
  reason: 'forced',
  detail: `Forced by ${by}: ${why}`,
})

/** The event of a move, as a row of `events`. */
export const eventRow = ({ id, state, reason, detail }: Entered, from: State | undefined, at: number) => ({
  deployment_id: id,
  at,
  from_state: from ?? null,
  to_state: state,
  reason: reason ?? null,
  detail: detail ?? null,
})

/** What a move owes to the outside world, as rows of `reports`. */
export const reportRows = ({ id }: Deployment, reports: readonly NewReport[], at: number) =>
  reports.map(({ channel, body }) => ({
    deployment_id: id,
    channel,
    body: JSON.stringify(body),
    state: 'owed' as const,
    due_at: at,
    created_at: at,
  }))
