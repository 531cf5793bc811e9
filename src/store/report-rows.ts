import { sql } from 'kysely'

import type { EndReason } from '../deployment/reasons.ts'
import type { ListedReport, OwedReport } from './store.ts'

/** 1 where the deployment of a report has ended. */
export const IS_FINAL = sql.raw(
  `case when deployment.state in ('succeeded', 'failed', 'cancelled') then 1 else 0 end`,
)

/** What is read of a `report` and its `deployment`. */
export const COLUMNS = sql`report.id, report.channel, report.body, report.attempts, report.created_at, report.barred_since, report.due_at,
  report.settled_at, report.last_error, deployment.id as deployment_id, deployment.repository, deployment.configured_as,
  deployment.environment, deployment.number, deployment.github_id, deployment.reason, ${IS_FINAL} as is_final`

/** A row of these columns. */
export interface ReportRow {
  id: number
  channel: string
  body: string
  attempts: number
  created_at: number
  barred_since: number | null
  due_at: number
  settled_at: number | null
  last_error: string | null
  is_final: number
  deployment_id: number
  repository: string
  configured_as: string
  environment: string
  number: number
  github_id: number | null
  reason: EndReason | null
}

/** What the sender needs of it. */
export const owedOf = (row: ReportRow): OwedReport => ({
  id: row.id,
  channel: row.channel,
  body: JSON.parse(row.body) as unknown,
  attempts: row.attempts,
  createdAt: row.created_at,
  barredSince: row.barred_since ?? undefined,
  isFinal: row.is_final === 1,
  deployment: {
    id: row.deployment_id,
    repository: row.repository,
    configuredAs: row.configured_as,
    environment: row.environment,
    number: row.number,
    githubId: row.github_id ?? undefined,
    reason: row.reason ?? undefined,
  },
})

/** What people are shown of it. */
export const listedOf = (row: ReportRow): ListedReport => ({
  ...owedOf(row),
  dueAt: row.due_at,
  settledAt: row.settled_at ?? undefined,
  lastError: row.last_error ?? undefined,
})
