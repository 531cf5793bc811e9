import { setImmediate as turn } from 'node:timers/promises'

import type { Kysely, Transaction } from 'kysely'

import { placeOf } from '../deployment/deployment.ts'
import { placesOf, type Approval, type GateFacts, type Lock, type Upstream } from '../deployment/gates.ts'
import type { HoldReason } from '../deployment/reasons.ts'
import { authorsOf } from './authors.ts'
import type { Database } from './database.ts'
import { holdGates } from './gates-lock.ts'
import { pinAt, pinsByPlace } from './pins.ts'
import { OTHER_DEPLOYED_THIS } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Selectable } from 'kysely'
import { compiledOnce } from './statements.ts'
import type { FactsAsked, FactsWanted, Judged, Locks } from './store.ts'
import { inTransaction, type Handle } from './transaction.ts'

type Trx = Transaction<Tables>

/** What the gates of a deployment are judged by, all of it read through one handle. */
export async function gateFacts(
  handle: Handle,
  deployment: Judged,
  { at, ...wanted }: FactsWanted,
): Promise<GateFacts> {
  const facts = await gateFactsOf(handle, [{ deployment, ...wanted }], at)
  return facts.get(deployment.id) ?? { ...NOTHING, now: at }
}

const NOTHING = { locks: [], approvals: [], authors: [], areAuthorsKnown: false, upstream: undefined }

/** Many are looked up with few questions; between those others have their turn. */
const AT_ONCE = 250

/** The same of many, by their ids. */
export async function gateFactsOf(
  handle: Handle,
  asked: readonly FactsAsked[],
  at: number,
): Promise<ReadonlyMap<number, GateFacts>> {
  const facts = new Map<number, GateFacts>()
  if (asked.length === 0) return facts
  // Of one alone no other locks and pins are read; of many all, which are few.
  const only = asked.length === 1 ? asked[0]?.deployment : undefined
  const locks = byPlace(await (only ? locksOn(handle, ...placesOf(only), at) : allLocks(handle, at)))
  const pins = await (only ? pinAt(handle, placeOf(only)) : pinsByPlace(handle))
  for (let from = 0; from < asked.length; from += AT_ONCE) {
    if (from > 0) await turn()
    const some = asked.slice(from, from + AT_ONCE)
    const approved = some.flatMap(({ deployment, approval }) => (approval ? deployment.id : []))
    const approvals = await approvalsOf(handle, approved)
    const authorships = await authorsOf(handle, approved)
    const upstreams = await upstreamsOf(handle, some)
    for (const { deployment } of some)
      facts.set(deployment.id, {
        ...NOTHING,
        now: at,
        pin: pins.get(placeOf(deployment)),
        locks: placesOf(deployment).flatMap((place) => locks.get(place) ?? []),
        approvals: approvals.get(deployment.id) ?? [],
        ...authorships.get(deployment.id),
        upstream: upstreams.get(deployment.id),
      })
  }
  return facts
}

const byPlace = (rows: readonly Selectable<Tables['locks']>[]): ReadonlyMap<string, Lock> =>
  new Map(rows.map((row) => [row.place, lockOf(row)]))

const allLocks = compiledOnce((handle) =>
  handle
    .selectFrom('locks')
    .selectAll()
    .where((where) => where.or([where('until', 'is', null), where('until', '>', 0)])),
)
/** Those over one deployment. */
const locksOn = compiledOnce((handle) =>
  handle
    .selectFrom('locks')
    .selectAll()
    .where('place', 'in', ['', '', ''])
    .where((where) => where.or([where('until', 'is', null), where('until', '>', 0)])),
)

async function approvalsOf(
  handle: Handle,
  ids: readonly number[],
): Promise<ReadonlyMap<number, readonly Approval[]>> {
  if (ids.length === 0) return new Map()
  const rows = await handle
    .selectFrom('deployments')
    .innerJoin('approvals', (join) =>
      join
        .onRef('approvals.environment_id', '=', 'deployments.environment_id')
        .onRef('approvals.sha', '=', 'deployments.sha')
        .onRef('approvals.task', '=', 'deployments.task'),
    )
    .select(['deployments.id', 'approvals.given_by as by', 'approvals.at', 'approvals.until'])
    .where('deployments.id', 'in', ids)
    .orderBy('approvals.id')
    .execute()
  const grouped = Map.groupBy(rows, ({ id }) => id)
  return new Map(
    [...grouped].map(([id, theirs]) => [id, theirs.map(({ by, at, until }) => ({ by, at, until }))]),
  )
}

async function upstreamsOf(
  handle: Handle,
  asked: readonly FactsAsked[],
): Promise<ReadonlyMap<number, Upstream>> {
  const upstreams = new Map<number, Upstream>()
  for (const [environment, those] of Map.groupBy(asked, ({ after }) => after)) {
    if (environment === undefined) continue
    const ids = those.map(({ deployment }) => deployment.id)
    const tries = Map.groupBy(await triesOf(handle, ids, environment), ({ id }) => id)
    for (const id of ids) upstreams.set(id, upstreamIn(environment, tries.get(id) ?? []))
  }
  return upstreams
}

/** What the commits of these deployments have come to in another environment, oldest first. */
const triesOf = (handle: Handle, ids: readonly number[], environment: string) =>
  handle
    .selectFrom('deployments as this')
    .innerJoin('environments as here', 'here.id', 'this.environment_id')
    .innerJoin('environments as there', 'there.repository_id', 'here.repository_id')
    .innerJoin('deployments as other', 'other.environment_id', 'there.id')
    .select(['this.id', 'other.number', 'other.state', 'other.finished_at'])
    .select(['other.marked_bad_at', 'other.marked_bad_by', 'other.marked_bad_reason'])
    .where('this.id', 'in', ids)
    .where('there.name_key', '=', environment.toLowerCase())
    .where('other.task', '=', 'deploy')
    .where(OTHER_DEPLOYED_THIS)
    .orderBy('other.id')
    .execute()

function upstreamIn(environment: string, tries: Awaited<ReturnType<typeof triesOf>>): Upstream {
  const first = tries.find(({ state }) => state === 'succeeded')
  const others = tries.flatMap(({ number, state }) => (state === 'succeeded' ? [] : { number, state }))
  const bad = tries.findLast((one) => one.marked_bad_at !== null)
  return {
    environment,
    success: first && { number: first.number, at: first.finished_at ?? 0 },
    bad: bad && { by: bad.marked_bad_by ?? '', reason: bad.marked_bad_reason ?? undefined },
    other: first === undefined ? others.at(-1) : undefined,
  }
}

/** What was said of a deployment while it waited, and is no other reason to wait. */
const SAID = ['forced', 'approved', 'approval_taken_back']

/** `Store.heldBefore`. */
export async function heldBefore(database: Kysely<Tables>, id: number, reason: HoldReason): Promise<number> {
  const turns = await database
    .selectFrom('events')
    .select(['at', 'reason'])
    .where('deployment_id', '=', id)
    .where('to_state', '=', 'queued')
    .where((where) => where.or([where('reason', 'is', null), where('reason', 'not in', SAID)]))
    .orderBy('id')
    .execute()
  return turns.reduce((sum, turn, index) => {
    const next = turns[index + 1]
    return turn.reason !== reason || next === undefined ? sum : sum + Math.max(0, next.at - turn.at)
  }, 0)
}

const lockOf = ({ id, place, reason, taken_by: by, since, until }: Selectable<Tables['locks']>): Lock => ({
  id,
  place,
  reason,
  by,
  since,
  until: until ?? undefined,
})

/** The locks on the store's tables. */
export const createLocks = ({ kysely: database, engine }: Pick<Database, 'kysely' | 'engine'>): Locks => ({
  take: (wanted) =>
    inTransaction(database, async (trx) => {
      await holdGates(engine, trx, 'change')
      return takeLock(trx, wanted)
    }),
  free: (id) => inTransaction(database, (trx) => freeLock(trx, id)),
  async all(at) {
    const rows = await database
      .selectFrom('locks')
      .selectAll()
      .where((where) => where.or([where('until', 'is', null), where('until', '>', at)]))
      .orderBy('id')
      .execute()
    return rows.map((row) => ({ ...lockOf(row), remindedAt: row.reminded_at ?? undefined }))
  },
  async reminded(id, at) {
    await database.updateTable('locks').set({ reminded_at: at }).where('id', '=', id).execute()
  },
})

/** `Locks.take`, within a transaction that holds the gates. One that has ended by itself by now is in nobody's way. */
export async function takeLock(
  trx: Trx,
  { place, reason, by, since, until }: Omit<Lock, 'id'>,
  now = since,
): Promise<{ readonly isTaken: boolean; readonly lock: Lock }> {
  await trx.deleteFrom('locks').where('place', '=', place).where('until', '<=', now).execute()
  const taken = await trx
    .insertInto('locks')
    .values({ place, reason, taken_by: by, since, until: until ?? null, reminded_at: null })
    .onConflict((conflict) => conflict.column('place').doNothing())
    .returningAll()
    .executeTakeFirst()
  const row =
    taken ?? (await trx.selectFrom('locks').selectAll().where('place', '=', place).executeTakeFirstOrThrow())
  return { isTaken: taken !== undefined, lock: lockOf(row) }
}

/** `Locks.free`, within a transaction. */
export async function freeLock(trx: Trx, id: number): Promise<Lock | undefined> {
  const row = await trx.deleteFrom('locks').where('id', '=', id).returningAll().executeTakeFirst()
  return row && lockOf(row)
}

/** The lock that is there at that moment. */
export async function lockAt(trx: Trx, place: string, at: number): Promise<Lock | undefined> {
  const row = await trx.selectFrom('locks').selectAll().where('place', '=', place).executeTakeFirst()
  return row === undefined || (row.until !== null && row.until <= at) ? undefined : lockOf(row)
}
