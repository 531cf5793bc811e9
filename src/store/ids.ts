import { sql } from 'kysely'

import type { Database } from './database.ts'

/** `Store.beginAfter`: the ids of deployments go on after this one. */
export async function beginAfter({ kysely, engine }: Database, id: number): Promise<void> {
  const newest = await kysely
    .selectFrom('deployments')
    .select('id')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  if ((newest?.id ?? 0) >= id) return
  if (engine === 'postgres') {
    const sequence = sql`pg_get_serial_sequence('deployments', 'id')`
    await sql`select setval(${sequence}, greatest(nextval(${sequence}), ${id}))`.execute(kysely)
    return
  }
  await sql`update sqlite_sequence set seq = max(seq, ${id}) where name = 'deployments'`.execute(kysely)
  await sql`insert into sqlite_sequence (name, seq) select 'deployments', ${id}
    where not exists (select 1 from sqlite_sequence where name = 'deployments')`.execute(kysely)
}
