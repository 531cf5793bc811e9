import { sql, type Kysely } from 'kysely'

import type { State } from '../deployment/state.ts'
import { deploymentOf, environmentNamed, FEW_BY_ID, IS_ACTIVE } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Situation, SituationWanted, Turn } from './store.ts'

/** So many of those that wait are looked at, from the oldest on; of the others the newest alone, and the next one. */
const MOST_WAITING = 20
const MOST_TURNS = 10
const MOST_DELIVERIES = 3
/** The newest deliveries among which those about a repository are looked for. */
const WITHIN_DELIVERIES = 2_000

/** `Store.situation`. */
export async function situation(
  database: Kysely<Tables>,
  { configuredAs, environment, lane }: SituationWanted,
): Promise<Situation> {
  const there = database
    .selectFrom('deployments')
    .selectAll()
    .where('deployments.environment_id', '=', environmentNamed(configuredAs, environment))
  const queued = there.where('deployments.state', '=', sql.lit<State>('queued'))
  const inOrder = queued.orderBy('deployments.id')
  const oldest = await inOrder.limit(MOST_WAITING).execute()
  const next = await inOrder.where('deployments.hold_reason', 'is', null).limit(1).execute()
  const newest = await queued.orderBy('deployments.id', 'desc').limit(1).execute()
  const waiting = [...new Map([...oldest, ...next, ...newest].map((row) => [row.id, row])).values()].toSorted(
    (one, other) => one.id - other.id,
  )
  const { count } = await queued
    .clearSelect()
    .select((select) => select.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  const active = await database
    .selectFrom('deployments')
    .selectAll()
    .where(IS_ACTIVE)
    .orderBy(FEW_BY_ID)
    .execute()
  const ended = there
    .where('deployments.state', 'in', [
      sql.lit<State>('succeeded'),
      sql.lit<State>('failed'),
      sql.lit<State>('cancelled'),
    ])
    .where('deployments.task', '=', 'deploy')
  const last = await ended.orderBy('deployments.number', 'desc').limit(1).executeTakeFirst()
  const live = await ended
    .where('deployments.state', '=', sql.lit<State>('succeeded'))
    .orderBy('deployments.end_order', 'desc')
    .limit(1)
    .executeTakeFirst()
  const subject = waiting.at(-1) ?? last
  const deliveries = await database
    .selectFrom((from) =>
      from.selectFrom('deliveries').selectAll().orderBy('id', 'desc').limit(WITHIN_DELIVERIES).as('newest'),
    )
    .select(['id', 'event', 'action', 'received_at', 'verdict', 'reason', 'detail'])
    .where('repository', '=', configuredAs)
    .orderBy('id', 'desc')
    .limit(MOST_DELIVERIES)
    .execute()
  const actives = active.map(deploymentOf)
  return {
    waiting: waiting.map(deploymentOf),
    waitingCount: count,
    active: actives,
    blocking: actives.find((one) => one.lane === lane),
    last: last && deploymentOf(last),
    live: live && deploymentOf(live),
    turns: subject === undefined ? [] : await turnsOf(database, subject.id),
    deliveries: deliveries.map((row) => ({
      id: row.id,
      event: row.event,
      action: row.action ?? undefined,
      receivedAt: row.received_at,
      verdict: row.verdict as Situation['deliveries'][number]['verdict'],
      reason: row.reason ?? undefined,
      detail: row.detail ?? undefined,
    })),
  }
}

/** What has happened to a deployment so far, the newest first. */
async function turnsOf(database: Kysely<Tables>, id: number): Promise<readonly Turn[]> {
  const rows = await database
    .selectFrom('events')
    .select(['at', 'to_state as state', 'reason', 'detail'])
    .where('deployment_id', '=', id)
    .orderBy('id', 'desc')
    .limit(MOST_TURNS)
    .execute()
  return rows.map(({ at, state, reason, detail }) => ({
    at,
    state,
    reason: reason ?? undefined,
    detail: detail ?? undefined,
  }))
}
