import { sql } from 'kysely'

import { environmentOf } from './rows.ts'
import { compiledOnce } from './statements.ts'
import type { Handle } from './transaction.ts'

/**
 * Whether a deployment may still be let through: whoever has judged it by what there was beside it did so before that
 * changed. Where nobody has, as when GitHub tells of it first, nothing may have begun there since it came.
 */
export const mayStillGo = async (handle: Handle, id: number, beside: string | undefined): Promise<boolean> =>
  beside === undefined ? !(await hasBegunSince(handle, id)) : beside === (await besideOf(handle, id))

/** What succeeded in its environment last, what runs there and what waits for its turn alone: other words as soon as that is another. */
export async function besideOf(handle: Handle, id: number): Promise<string> {
  const rows = await selectBeside(handle, id, id, id, id, id, id)
  return rows.map((one) => `${one.id} ${one.stands}`).join(', ')
}

// No mere column where few are looked for among many, or SQLite would go through all that was ever deployed there.
const selectBeside = compiledOnce((handle) => ({
  compile: () =>
    sql<{ id: number; stands: string }>`
    select id, 'begun' as stands from deployments
    where +environment_id = ${environmentOf(0)} and id != ${0} and task = 'deploy' and state in ('running', 'cancelling')
    union all
    select id, 'ready' as stands from deployments
    where +environment_id = ${environmentOf(0)} and id != ${0} and task = 'deploy' and state = 'queued' and hold_reason is null
    union all
    select id, 'live' as stands from (
      select id from deployments
      where environment_id = ${environmentOf(0)} and id != ${0} and task = 'deploy' and state = 'succeeded'
      order by end_order desc, id desc limit 1) as live
    order by id`.compile(handle),
}))

/** What came first is told by the order of events, which no clock can change. */
async function hasBegunSince(handle: Handle, id: number): Promise<boolean> {
  const [found] = await selectBegunSince(handle, id, id, id, id, id, id, id)
  return found !== undefined
}

const selectBegunSince = compiledOnce((handle) => ({
  compile: () =>
    sql<{ id: number }>`
    select other.id from deployments other
    where +other.environment_id = ${environmentOf(0)} and other.id != ${0} and other.task = 'deploy'
      and other.state in ('running', 'cancelling') and ${BEGAN} > ${came(0)}
    union all
    select other.id from deployments other
    where other.environment_id = ${environmentOf(0)} and other.id != ${0} and other.task = 'deploy'
      and other.state = 'succeeded' and other.end_order > ${came(0)} and ${BEGAN} > ${came(0)}`.compile(
      handle,
    ),
}))

/** The first event of a deployment: since then it has been there. */
export const came = (id: number) => sql`(select min(id) from events where deployment_id = ${id})`
/** The event with which the other one has begun; null where it has not. */
export const BEGAN = sql`(select min(id) from events where deployment_id = other.id and to_state = 'running')`
