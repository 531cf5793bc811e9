import { sql, type Kysely } from 'kysely'

import type { Tables } from './schema.ts'
import type { OwedReport, Outbox, SettledReport } from './store.ts'
import { inTransaction } from './transaction.ts'

/** The outbox on the store's tables. */
export const createOutbox = (database: Kysely<Tables>): Outbox => ({
  async due(channel, at, limit) {
    const { rows } = await sql<DueRow>`
      select report.id, report.channel, report.body, report.attempts, report.created_at, deployment.id as deployment_id,
        deployment.repository, deployment.environment, deployment.number, deployment.github_id
      from reports report join deployments deployment on deployment.id = report.deployment_id
      where report.state = 'owed' and report.due_at <= ${at} and report.channel = ${channel}
        and not exists (
          select 1 from reports older
          where older.state = 'owed' and older.deployment_id = report.deployment_id
            and older.channel = report.channel and older.id < report.id)
      order by report.id limit ${limit}`.execute(database)
    return rows.map(owedOf)
  },
  async nextDueAfter(at) {
    const { rows } = await sql<{ due_at: number | null }>`
      select min(due_at) as due_at from reports where state = 'owed' and due_at > ${at}`.execute(database)
    return rows[0]?.due_at ?? undefined
  },
  async attempt(id) {
    await inTransaction(database, (trx) =>
      trx
        .updateTable('reports')
        .set((row) => ({ attempts: row('attempts', '+', 1) }))
        .where('id', '=', id)
        .execute(),
    )
  },
  async settle(id, state, at, error) {
    await inTransaction(database, (trx) =>
      trx
        .updateTable('reports')
        .set({ state, settled_at: at, last_error: error ?? null })
        .where('id', '=', id)
        .execute(),
    )
  },
  async postpone(id, dueAt, error) {
    await inTransaction(database, async (trx) => {
      await sql`update reports set last_error = ${error}, due_at = ${dueAt},
        state = case when exists (
          select 1 from reports newer
          where newer.state = 'owed' and newer.deployment_id = reports.deployment_id
            and newer.channel = reports.channel and newer.id > reports.id)
          then 'dropped' else 'owed' end
        where id = ${id} and state = 'owed'`.execute(trx)
    })
  },
  async owed() {
    const { rows } = await sql<{
      owed: number
    }>`select count(*) as owed from reports where state = 'owed'`.execute(database)
    return rows[0]?.owed ?? 0
  },
  async of(deploymentId) {
    const rows = await database
      .selectFrom('reports')
      .selectAll()
      .where('deployment_id', '=', deploymentId)
      .orderBy('id')
      .execute()
    return rows.map((row): SettledReport => ({
      id: row.id,
      channel: row.channel,
      body: JSON.parse(row.body) as unknown,
      state: row.state,
      attempts: row.attempts,
      lastError: row.last_error ?? undefined,
    }))
  },
})

interface DueRow {
  id: number
  channel: string
  body: string
  attempts: number
  created_at: number
  deployment_id: number
  repository: string
  environment: string
  number: number
  github_id: number | null
}

const owedOf = (row: DueRow): OwedReport => ({
  id: row.id,
  channel: row.channel,
  body: JSON.parse(row.body) as unknown,
  attempts: row.attempts,
  createdAt: row.created_at,
  deployment: {
    id: row.deployment_id,
    repository: row.repository,
    environment: row.environment,
    number: row.number,
    githubId: row.github_id ?? undefined,
  },
})
