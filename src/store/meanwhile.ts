import { sql, type Kysely } from 'kysely'

import type { State } from '../deployment/state.ts'
import { environmentOf } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Meanwhile } from './store.ts'

/** `Store.meanwhile`. What came first is told by the order of events, which no clock can change. */
export async function meanwhile(database: Kysely<Tables>, id: number): Promise<Meanwhile> {
  const beside = database
    .selectFrom('deployments as other')
    .select(['other.sha', 'other.deployed_sha', 'other.number', 'other.origin'])
    .where('other.environment_id', '=', environmentOf(id))
    .where('other.id', '!=', id)
    .where('other.task', '=', 'deploy')
  const successes = beside
    .where('other.state', '=', sql.lit('succeeded'))
    .orderBy('other.end_order', 'desc')
    .orderBy('other.id', 'desc')
    .limit(1)
  const before = await successes.where(sql<boolean>`other.end_order < ${came(id)}`).executeTakeFirst()
  const live = await successes.select(sql<number>`${BEGAN} > ${came(id)}`.as('is_later')).executeTakeFirst()
  const running = await beside
    .where('other.id', '>', id)
    .where('other.state', 'in', [sql.lit<State>('running'), sql.lit<State>('cancelling')])
    .executeTakeFirst()
  return {
    before: before && placed(before),
    live: live && Boolean(live.is_later) ? { ...placed(live), origin: live.origin } : undefined,
    running: running && { ...placed(running), origin: running.origin },
  }
}

/** The first event of the one that waits: since then it has been there. */
const came = (id: number) => sql`(select min(id) from events where deployment_id = ${id})`
/** The event with which the other one has begun; null where it has not. */
const BEGAN = sql`(select min(id) from events where deployment_id = other.id and to_state = 'running')`

const placed = ({ sha, deployed_sha: deployed, number }: Row) => ({ sha: deployed ?? sha, number })

interface Row {
  readonly sha: string
  readonly deployed_sha: string | null
  readonly number: number
}
