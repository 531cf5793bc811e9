import { sql, type Kysely, type Transaction } from 'kysely'

import type { Deployment, Forced, Hold } from '../deployment/deployment.ts'
import { mayStillGo } from './beside.ts'
import { isUniqueViolation, type Database, type Engine } from './database.ts'
import { holdGates } from './gates-lock.ts'
import { gateFacts } from './gates.ts'
import { change, enter, forcing, owe } from './moves.ts'
import { insertProcess } from './process-rows.ts'
import { BY_THEMSELVES, deploymentOf, environmentOf, holdColumns } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Change, Claimed, Claiming, LetThrough } from './store.ts'
import { compiledOnce } from './statements.ts'
import { streakAround } from './streaks.ts'
import { inTransaction, type Handle } from './transaction.ts'

type Trx = Transaction<Tables>

/** So many are held in one transaction: the server answers between two of them. */
const HELD_AT_ONCE = 50

/** `Store.claim`: the oldest waiting deployment whose lane is free and whose gates are open. */
export async function claim(
  { kysely, engine }: Pick<Database, 'kysely' | 'engine'>,
  claiming: Claiming,
): Promise<Claimed> {
  const held: Deployment[] = []
  for (;;) {
    const some = await inTransaction(kysely, (trx) => claimOrHold(trx, engine, claiming)).catch(unlessTaken)
    held.push(...some.held)
    if (some.deployment !== undefined || some.held.length < HELD_AT_ONCE)
      return { deployment: some.deployment, held }
  }
}

/** Somebody else took the lane between our look and our claim: the index decided. */
function unlessTaken(thrown: unknown): Claimed {
  if (isUniqueViolation(thrown)) return { deployment: undefined, held: [] }
  throw thrown
}

/**
 * Claims within a transaction of SQLite that has done something else: nothing that goes wrong with the claim changes
 * anything about that. Whoever claims next meets it again. Rejects where SQLite has undone the whole transaction, as it
 * does when its disk is full.
 */
export async function claimAlong(trx: Trx, claiming: Claiming): Promise<Claimed> {
  await sql`savepoint claim`.execute(trx)
  try {
    return await claimOrHold(trx, 'sqlite', claiming, 1)
  } catch {
    await sql`rollback to claim`.execute(trx)
    return { deployment: undefined, held: [] }
  } finally {
    await sql`release claim`.execute(trx)
  }
}

async function claimOrHold(
  trx: Trx,
  engine: Engine,
  { limit, at, reports, gate, process }: Claiming,
  most = HELD_AT_ONCE,
): Promise<Claimed> {
  await holdGates(engine, trx, 'judge')
  const held: Deployment[] = []
  while (held.length < most) {
    const [next] = await selectNext(trx, limit)
    if (next === undefined) return { deployment: undefined, held }
    const { id } = next
    const waiting = await ready(trx, engine, id)
    if (waiting === undefined) continue // it has moved on meanwhile
    const facts = await gateFacts(trx, waiting, { ...gate.wanted(waiting), at })
    const closed = gate.judge(waiting, facts)
    if (closed === undefined) {
      const begun = { at, reports, approvedBy: gate.approver(waiting, facts) }
      const deployment = await change(trx, id, 'queued', 'running', begun)
      if (deployment !== undefined && process !== undefined) await insertProcess(trx, id, process)
      return { deployment, held }
    }
    const stopped = await writeHold(trx, waiting, { ...closed, since: at }, { at, reports })
    if (stopped !== undefined) held.push(stopped)
  }
  return { deployment: undefined, held }
}

/** One that waits for its turn alone, and stays as it is until the transaction ends; undefined where it does not any more. */
async function ready(trx: Trx, engine: Engine, id: number): Promise<Deployment | undefined> {
  const [row] = await (engine === 'postgres' ? selectForUpdate : selectReady)(trx, id)
  return row && deploymentOf(row)
}

const readyById = (handle: Handle) =>
  handle
    .selectFrom('deployments')
    .selectAll()
    .where('id', '=', 0)
    .where('state', '=', sql.lit('queued'))
    .where('hold_reason', 'is', null)
const selectReady = compiledOnce(readyById)
const selectForUpdate = compiledOnce((handle) => readyById(handle).forUpdate())

type Told = Pick<Change, 'at' | 'reports'>

/** `Store.hold`. */
export const hold = (database: Kysely<Tables>, id: number, wanted: Hold, told: Told): Promise<boolean> =>
  inTransaction(database, async (trx) => {
    const waiting = await queuedWith(trx, id)
    if (waiting?.hold === undefined) return false
    return (await writeHold(trx, waiting, wanted, told)) !== undefined
  })

/** `Store.release`. */
export const release = (
  { kysely, engine }: Pick<Database, 'kysely' | 'engine'>,
  id: number,
  { beside, ...told }: LetThrough,
): Promise<Deployment | undefined> =>
  inTransaction(kysely, async (trx) => {
    await holdGates(engine, trx, 'change')
    const waiting = await queuedWith(trx, id)
    if (waiting?.hold === undefined) return undefined
    const goes = beside === undefined || (await mayStillGo(trx, id, beside))
    return goes ? letThrough(trx, waiting, told) : undefined
  })

/** `Store.force`. */
export const force = (
  database: Kysely<Tables>,
  id: number,
  { by, why }: Forced,
  { at, reports }: Told,
): Promise<Deployment | undefined> =>
  inTransaction(database, async (trx) => {
    const row = await trx
      .updateTable('deployments')
      .set({ forced_by: by, forced_why: why })
      .where('id', '=', id)
      .where('state', '=', sql.lit('queued'))
      .where('forced_by', 'is', null)
      .returningAll()
      .executeTakeFirst()
    if (row === undefined) return undefined
    const deployment = deploymentOf(row)
    await enter(trx, forcing(id, { by, why }), 'queued', at)
    await owe(trx, deployment, reports(deployment, await streakAround(trx, id)), at)
    return deployment
  })

/** Takes the hold of one away that is queued; undefined where it is not any more. */
export async function letThrough(trx: Trx, waiting: Deployment, told: Told): Promise<Deployment | undefined> {
  const released = await writeHold(trx, waiting, undefined, told)
  if (released !== undefined) await judgeBehindAnew(trx, released, told.at)
  return released
}

/**
 * What goes there by itself, is ready and has come after this one now begins after it: it was judged before that was known, and
 * may be older. Nobody has to hear of it: mostly it is let through again at once.
 */
export async function judgeBehindAnew(
  trx: Trx,
  { id, origin, task, number }: Deployment,
  at: number,
): Promise<void> {
  if ((origin !== 'person' && origin !== 'deployment') || task !== 'deploy') return
  const rows = await trx
    .selectFrom('deployments')
    .selectAll()
    .where(sql<number>`+environment_id`, '=', environmentOf(id))
    .where('id', '>', id)
    .where('state', '=', sql.lit('queued'))
    .where('hold_reason', 'is', null)
    .where('origin', 'in', BY_THEMSELVES)
    .execute()
  const detail = `Waiting for #${number}, which was asked for before`
  for (const row of rows)
    await writeHold(
      trx,
      deploymentOf(row),
      { reason: 'newer_first', detail, since: at, until: undefined },
      { at, reports: () => [] },
    )
}

async function queuedWith(trx: Trx, id: number): Promise<Deployment | undefined> {
  const row = await trx
    .selectFrom('deployments')
    .selectAll()
    .where('id', '=', id)
    .where('state', '=', sql.lit('queued'))
    .executeTakeFirst()
  return row && deploymentOf(row)
}

/**
 * Another reason to wait is an event and is told; other words for the same one are only written down. Undefined when it
 * has moved on since it was read.
 */
async function writeHold(
  trx: Trx,
  waiting: Deployment,
  wanted: Hold | undefined,
  { at, reports }: Told,
): Promise<Deployment | undefined> {
  const { id } = waiting
  const row = await trx
    .updateTable('deployments')
    .set({
      ...holdColumns(wanted),
      ...(wanted === undefined || wanted.reason === 'hook_blocked' ? {} : { blocked_told: 0 }),
    })
    .where('id', '=', id)
    .where('state', '=', sql.lit('queued'))
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) return undefined
  const held = deploymentOf(row)
  if (wanted?.reason === waiting.hold?.reason) return held
  await enter(trx, { id, state: 'queued', reason: wanted?.reason, detail: wanted?.detail }, 'queued', at)
  await owe(trx, held, reports(held, await streakAround(trx, id)), at)
  return held
}

// From lane to lane along the index of what is ready, so that a long line in a busy lane costs nothing.
// Literals, not parameters: SQLite's planner refuses a bound state beside the partial index.
const selectNext = compiledOnce((handle) => ({
  compile: () =>
    sql<{ id: number }>`
    with recursive lane (id) as (
      select min(lane_id) from deployments where state = 'queued' and hold_reason is null
      union all
      select (select min(lane_id) from deployments
        where state = 'queued' and hold_reason is null and lane_id > lane.id)
      from lane where lane.id is not null)
    select (select min(waiting.id) from deployments waiting
      where waiting.state = 'queued' and waiting.hold_reason is null and waiting.lane_id = lane.id) as id
    from lane
    where lane.id is not null
      and not exists (
        select 1 from deployments active
        where active.lane_id = lane.id and active.state in ('running', 'cancelling'))
      and (select count(*) from deployments active where active.state in ('running', 'cancelling')) < ${0}
    order by id limit 1`.compile(handle),
}))
