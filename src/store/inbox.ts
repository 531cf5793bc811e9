import { sql, type Kysely, type Selectable } from 'kysely'

import { readBody } from './bodies.ts'
import type { Database } from './database.ts'
import type { Tables } from './schema.ts'
import type { Delivery, Inbox, Verdict } from './store.ts'

type Row = Selectable<Tables['deliveries']>

/** The inbox on the store's tables. */
export const createInbox = ({ kysely, engine }: Pick<Database, 'kysely' | 'engine'>): Inbox => ({
  async list({ limit, before, verdict, event }) {
    let rows = kysely.selectFrom('deliveries').selectAll().orderBy('id', 'desc').limit(limit)
    if (before !== undefined) rows = rows.where('id', '<', before)
    if (verdict !== undefined) rows = rows.where('verdict', '=', verdict)
    if (event !== undefined) rows = rows.where('event', '=', event)
    return deliveriesOf(kysely, await rows.execute())
  },
  async find(which) {
    const rows = kysely.selectFrom('deliveries').selectAll().orderBy('id', 'desc').limit(1)
    const found = 'id' in which ? rows.where('id', '=', which.id) : rows.where(ofGuid(which.guid, engine))
    const [delivery] = await deliveriesOf(kysely, await found.execute())
    return delivery
  },
  async body(id) {
    const row = await kysely.selectFrom('deliveries').selectAll().where('id', '=', id).executeTakeFirst()
    return row && readBody(kysely, row)
  },
})

/** A key begins with the GUID: SQLite, which compares bytes, finds it by the index of the keys. */
const ofGuid = (guid: string, engine: Database['engine']) =>
  engine === 'sqlite'
    ? sql<boolean>`guid = ${guid} and key >= ${`${guid}:`} and key < ${`${guid};`}`
    : sql<boolean>`guid = ${guid}`

type Mention = Delivery['deployments'][number]

/** The deliveries with what they led to: two look-ups, however many they are. */
async function deliveriesOf(database: Kysely<Tables>, rows: readonly Row[]): Promise<readonly Delivery[]> {
  if (rows.length === 0) return []
  const concerned = new Map(rows.map((row) => [row.id, concernsOf(row)]))
  const ids = [...concerned.values()].flat()
  const found = await database
    .selectFrom('deployments')
    .select(['id', 'delivery_id', 'repository', 'environment', 'number', 'state'])
    .where((where) =>
      where.or([
        where(
          'delivery_id',
          'in',
          rows.map(({ id }) => id),
        ),
        ...(ids.length === 0 ? [] : [where('id', 'in', ids)]),
      ]),
    )
    .orderBy('id')
    .execute()
  return rows.map((row) => {
    const meant = new Set(concerned.get(row.id))
    const deployments = found
      .filter(({ id, delivery_id }) => delivery_id === row.id || meant.has(id))
      .map(({ id, repository, environment, number, state }): Mention => ({
        id,
        repository,
        environment,
        number,
        state,
      }))
    return deliveryOf(row, deployments)
  })
}

const concernsOf = ({ concerns }: Row): readonly number[] =>
  concerns === null ? [] : (JSON.parse(concerns) as number[])

const deliveryOf = (row: Row, deployments: readonly Mention[]): Delivery => ({
  id: row.id,
  key: row.key,
  guid: row.guid,
  event: row.event,
  action: row.action ?? undefined,
  receivedAt: row.received_at,
  headers: JSON.parse(row.headers) as Record<string, string>,
  verdict: row.verdict as Verdict,
  reason: row.reason ?? undefined,
  detail: row.detail ?? undefined,
  deployments,
  replayed: row.replayed_at === null ? undefined : { at: row.replayed_at, by: row.replayed_by ?? '' },
})
