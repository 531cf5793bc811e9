import { sql, type Kysely } from 'kysely'

import { COLUMNS, listedOf, type ReportRow } from './report-rows.ts'
import type { Tables } from './schema.ts'
import type { Outbox, SentOn, SettledReport } from './store.ts'
import { inTransaction } from './transaction.ts'

/** What waits in the outbox and what was refused, to be looked at and to be sent again. */
export const createResending = (
  database: Kysely<Tables>,
): Pick<Outbox, 'list' | 'sendAgain' | 'sendRefusedAgain'> => ({
  async list(state, limit) {
    const { rows: counts } = await sql<{ count: number }>`
      select count(*) as count from reports where state = ${sql.lit(state)}`.execute(database)
    // No mere column, or SQLite would go through all reports in that order.
    const order = state === 'owed' ? sql`+report.id` : sql`report.settled_at desc, report.id desc`
    const { rows } = await sql<ReportRow & { newest: number }>`
      select ${COLUMNS}, (
          select max(id) from reports newer
          where newer.deployment_id = report.deployment_id and newer.channel = report.channel) as newest
      from reports report join deployments deployment on deployment.id = report.deployment_id
      where report.state = ${sql.lit(state)} order by ${order} limit ${limit}`.execute(database)
    return {
      count: counts[0]?.count ?? 0,
      reports: rows.map((row) => ({ ...listedOf(row), newest: row.newest })),
    }
  },
  sendAgain: (id, at) =>
    inTransaction(database, async (trx) => {
      const { rows } = await sql<ReportRow & Pick<SettledReport, 'state'>>`
        select ${COLUMNS}, report.state
        from reports report join deployments deployment on deployment.id = report.deployment_id
        where report.id = ${id}`.execute(trx)
      const [row] = rows
      if (row === undefined) return { outcome: 'unknown' }
      if (row.state === 'delivered') return { outcome: 'delivered' }
      const newest = await trx
        .selectFrom('reports')
        .select(['id', 'state'])
        .where('deployment_id', '=', row.deployment_id)
        .where('channel', '=', row.channel)
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirstOrThrow()
      if (newest.id !== id) return { outcome: 'overtaken', by: newest }
      await sql`update reports set ${row.state === 'owed' ? sql`due_at = ${at}` : owedAgain(at)}
        where id = ${id}`.execute(trx)
      return { outcome: 'due', report: listedOf({ ...row, due_at: at, settled_at: null }) }
    }),
  sendRefusedAgain: (at) =>
    inTransaction(database, async (trx) => {
      const { rows: counts } = await sql<{ count: number }>`
        select count(*) as count from reports where state = 'refused'`.execute(trx)
      const ofDeployment = (column: string) =>
        sql`(select ${sql.ref(column)} from deployments where deployments.id = reports.deployment_id)`
      const { rows } = await sql<SentRow>`
        update reports set ${owedAgain(at)}
        where state = 'refused' and not exists (
          select 1 from reports newer
          where newer.deployment_id = reports.deployment_id and newer.channel = reports.channel
            and newer.id > reports.id)
        returning id, channel, ${ofDeployment('repository')} as repository,
          ${ofDeployment('configured_as')} as configured_as, ${ofDeployment('environment')} as environment`.execute(
        trx,
      )
      return { refused: counts[0]?.count ?? 0, due: rows.map(sentOn) }
    }),
})

type SentRow = Pick<ReportRow, 'id' | 'channel' | 'repository' | 'configured_as' | 'environment'>

const sentOn = ({ id, channel, repository, configured_as: configuredAs, environment }: SentRow): SentOn => ({
  id,
  channel,
  deployment: { repository, configuredAs, environment },
})

/** What is tried for a week is tried for a week from now on. */
const owedAgain = (at: number) =>
  sql`state = 'owed', due_at = ${at}, created_at = ${at}, settled_at = null, barred_since = null`
