import { sql, type Kysely } from 'kysely'

import { BEGAN, besideOf, came } from './beside.ts'
import { environmentOf, madeAfter } from './rows.ts'
import type { Tables } from './schema.ts'
import type { Meanwhile } from './store.ts'

const MADE_AFTER = madeAfter('other', 'this')

/** `Store.meanwhile`. What came first is told by the order of events, which no clock can change. */
export async function meanwhile(database: Kysely<Tables>, id: number): Promise<Meanwhile> {
  const beside = await besideOf(database, id) // first: what changes while the rest is read has changed since
  const others = database
    .selectFrom('deployments as other')
    .innerJoin('deployments as this', (join) => join.on('this.id', '=', id))
    .select(['other.sha', 'other.deployed_sha', 'other.number', 'other.origin'])
    .where('other.environment_id', '=', environmentOf(id))
    .where('other.id', '!=', id)
    .where('other.task', '=', 'deploy')
  const successes = others
    .where('other.state', '=', sql.lit('succeeded'))
    .orderBy('other.end_order', 'desc')
    .orderBy('other.id', 'desc')
    .limit(1)
  const before = await successes
    .where(sql<boolean>`other.end_order < ${came(id)} and not ${MADE_AFTER}`)
    .executeTakeFirst()
  const live = await successes
    .select(sql<number>`${BEGAN} > ${came(id)} or ${MADE_AFTER}`.as('is_later'))
    .executeTakeFirst()
  const ahead = await others
    .where(
      sql<boolean>`(other.state in ('running', 'cancelling') and (${BEGAN} > ${came(id)} or ${MADE_AFTER}))
        or (other.state = 'queued' and other.hold_reason is null and other.id < ${id} and ${MADE_AFTER})`,
    )
    .orderBy('other.id')
    .execute()
  return {
    beside,
    before: before && placed(before),
    live: live && Boolean(live.is_later) ? { ...placed(live), origin: live.origin } : undefined,
    ahead: ahead.map((one) => ({ ...placed(one), origin: one.origin })),
  }
}

const placed = ({ sha, deployed_sha: deployed, number }: Row) => ({ sha: deployed ?? sha, number })

interface Row {
  readonly sha: string
  readonly deployed_sha: string | null
  readonly number: number
}
