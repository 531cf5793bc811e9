import { sql, type Kysely, type RawBuilder, type Transaction } from 'kysely'

import { isOfOneRow } from './database.ts'
import { createGroupCommit } from './group-commit.ts'
import { COLUMNS, IS_FINAL, owedOf, type ReportRow } from './report-rows.ts'
import { createResending } from './resending.ts'
import type { Tables } from './schema.ts'
import type { DueFilter, Outbox, Places, SettledReport } from './store.ts'
import { inTransaction } from './transaction.ts'

/** What is written of one report, with others in one transaction. */
type Write = (trx: Transaction<Tables>) => Promise<unknown>

/** The outbox on the store's tables. What is written about several reports at one moment is one commit. */
export function createOutbox(database: Kysely<Tables>): Outbox {
  const write = createGroupCommit(
    (writes: readonly Write[]) =>
      inTransaction(database, async (trx) => {
        const done: unknown[] = []
        for (const one of writes) done.push(await one(trx))
        return done
      }),
    { isOfOneItem: isOfOneRow },
  )
  return { ...readingOutbox(database), ...createResending(database), ...writingOutbox(write) }
}

type Writing = 'attempt' | 'settle' | 'postpone' | 'hurry'

const readingOutbox = (
  database: Kysely<Tables>,
): Omit<Outbox, Writing | keyof ReturnType<typeof createResending>> => ({
  async countDue(channel, { at, most, places }) {
    const { rows } = await sql<{ due: number }>`
      select count(*) as due from (
        select 1 from reports report
        where report.state = 'owed' and report.due_at <= ${at} and report.channel = ${channel} ${goingTo(places)}
        limit ${most}) as due_ones`.execute(database)
    return rows[0]?.due ?? 0
  },
  async due(channel, wanted) {
    const { rows } = await dueRows(channel, wanted).execute(database)
    return rows.map(owedOf)
  },
  async nextDueAfter(at) {
    const { rows } = await sql<{ due_at: number | null }>`
      select min(due_at) as due_at from reports where state = 'owed' and due_at > ${at}`.execute(database)
    return rows[0]?.due_at ?? undefined
  },
  async givenToGitHub(since) {
    const { rows: statuses } = await sql<{ at: number }>`
      select settled_at as at from reports report
      where ${RECENT} and channel in ('github', 'github-commit') and state = 'delivered'
        and settled_at > ${since}`.execute(database)
    // What GitHub makes for us owes its first status from that moment on. In the order of no mere column, or SQLite would
    // go through all reports in it.
    const { rows: deployments } = await sql<{ at: number }>`
      select min(report.created_at) as at
      from reports report join deployments deployment on deployment.id = report.deployment_id
      where ${RECENT} and report.channel = 'github' and deployment.was_asked = 1
      group by +report.deployment_id
      having min(report.created_at) > ${since}`.execute(database)
    return { statuses: statuses.map(({ at }) => at), deployments: deployments.map(({ at }) => at) }
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

const writingOutbox = (write: (work: Write) => Promise<unknown>): Pick<Outbox, Writing> => ({
  async attempt(id) {
    await write(async (trx) => {
      await sql`update reports set attempts = attempts + 1 where id = ${id}`.execute(trx)
      await dropOlder(id).execute(trx)
    })
  },
  async settle(id, state, at, error) {
    await write(async (trx) => {
      await trx
        .updateTable('reports')
        .set({ state, settled_at: at, last_error: error ?? null })
        .where('id', '=', id)
        .execute()
      if (state === 'delivered') await dropOlder(id).execute(trx)
    })
  },
  async postpone(id, dueAt, error, barredSince) {
    await write((trx) =>
      sql`update reports set last_error = ${error}, due_at = ${dueAt}, barred_since = ${barredSince ?? null},
        state = case when exists (
          select 1 from reports newer
          where newer.state = 'owed' and newer.deployment_id = reports.deployment_id
            and newer.channel = reports.channel and newer.id > reports.id)
          then 'dropped' else 'owed' end
        where id = ${id} and state = 'owed'`.execute(trx),
    )
  },
  async hurry(at) {
    await write((trx) =>
      sql`update reports set due_at = ${at} where state = 'owed' and due_at > ${at}`.execute(trx),
    )
  },
})

/** Many more than GitHub takes in an hour. */
const RECENT = sql.raw('report.id > (select coalesce(max(id), 0) - 20000 from reports)')

const dropOlder = (id: number) => sql`
  update reports set state = 'dropped'
  where state = 'owed' and id < ${id} and (deployment_id, channel) = (
    select deployment_id, channel from reports newer where newer.id = ${id})`

/** Whether an `other` one about the same deployment goes before this `report`, or instead of it. */
function isBefore(at: number, staleBefore: number | undefined): RawBuilder<unknown> {
  // Older ones whose time has not come do not hold up a newer one.
  const older = sql`other.id < report.id and other.due_at <= ${at}`
  if (staleBefore === undefined) return older
  const isStale = (one: string): RawBuilder<unknown> =>
    sql`(${sql.ref(`${one}.attempts`)} > 0 or ${sql.ref(`${one}.created_at`)} < ${staleBefore})`
  return sql`(${older} and not ${isStale('other')}) or (other.id > report.id and ${isStale('report')})`
}

/** Whether a `report` is about a deployment that goes to one of these places. */
function goingTo(places: Places | undefined): RawBuilder<unknown> {
  if (places === undefined) return sql``
  const [named, holds] = 'only' in places ? [places.only, sql``] : [places.except, sql`not`]
  return sql`and ${holds} exists (
    select 1 from deployments goer join environments goal on goal.id = goer.environment_id
    where goer.id = report.deployment_id and goer.configured_as || '/' || goal.name_key in (${sql.join(named)}))`
}

const WAS_TRIED = sql.raw('case when report.attempts > 0 then 1 else 0 end')

function dueRows(
  channel: string,
  { at, limit, take, staleBefore, exceptDeployments, exceptRepositories, places }: DueFilter,
): RawBuilder<ReportRow> {
  const inTheWay = take === 'newest' ? sql`other.id > report.id` : isBefore(at, staleBefore)
  const none = (column: string, values: readonly unknown[]) =>
    values.length === 0 ? sql`` : sql`and ${sql.ref(column)} not in (${sql.join(values)})`
  // First which of them, from few columns: putting thousands of whole rows in order takes three times as long.
  return sql<ReportRow>`
    select ${COLUMNS} from (
      select * from (
        select report.id as due_id, ${WAS_TRIED} as was_tried, ${IS_FINAL} as was_final,
          row_number() over (
            partition by deployment.repository order by ${WAS_TRIED}, ${IS_FINAL} desc, report.id) as turn
        from reports report join deployments deployment on deployment.id = report.deployment_id
        where report.state = 'owed' and report.due_at <= ${at} and report.channel = ${channel}
          ${none('report.deployment_id', exceptDeployments)} ${none('deployment.repository', exceptRepositories)}
          ${goingTo(places)}
          and not exists (
            select 1 from reports other
            where other.state = 'owed' and other.deployment_id = report.deployment_id
              and other.channel = report.channel and (${inTheWay}))) ranked
      order by was_tried, was_final desc, turn, due_id limit ${limit}) due
    join reports report on report.id = due.due_id
    join deployments deployment on deployment.id = report.deployment_id
    order by was_tried, was_final desc, turn, due_id`
}
