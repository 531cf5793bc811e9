import { sql, type Insertable, type RawBuilder, type Selectable } from 'kysely'

import type { Changes } from '../deployment/changes.ts'
import type { Blocked, Deployment, Hold, Origin, StepResult } from '../deployment/deployment.ts'
import { HELD } from '../deployment/reasons.ts'
import { readRecipe } from '../deployment/recipe.ts'
import type { State } from '../deployment/state.ts'
import type { Tables } from './schema.ts'
import type { NewDeployment } from './store.ts'

type DeploymentRow = Selectable<Tables['deployments']>

/** What is not asked for on GitHub. Literals, so that SQLite's planner sees the partial index. */
export const BY_THEMSELVES = [sql.lit<Origin>('merge'), sql.lit<Origin>('push'), sql.lit<Origin>('poll')]

/**
 * The order of a few among many: by no mere column, or SQLite would go through the whole history in that order for
 * them, and not to them by their own index.
 */
export const FEW_BY_ID = sql<number>`+id`

/** Whether a deployment is in one of these states, in the words by which SQLite knows the index of them. */
export const isIn = (states: readonly State[]): RawBuilder<boolean> =>
  states.length === 1
    ? sql`state = ${sql.lit(states[0])}`
    : sql`state in (${sql.join(states.map((state) => sql.lit(state)))})`

/** What holds its lane. */
export const IS_ACTIVE = isIn(['running', 'cancelling'])

/** Taken back, and no fault of the commit: it may come again. */
export const TAKEN_BACK = sql.raw(
  `(deployments.state = 'cancelled' and coalesce(deployments.reason, '') <> 'by_person') or coalesce(deployments.reason, '') = 'config_removed'`,
)

/** Whether `newer` may take the place of others: nobody's before it is known to be of the repository itself. */
export const NEWER_IS_OWN = sql<boolean>`coalesce(newer.hold_reason, '') <> 'commit_unchecked'
  and coalesce(newer.reason, '') not in ('foreign_commit', 'ownership_unclear')`

/** GitHub delivers within minutes, or not at all. */
export const DELIVERED_WITHIN_MS = 10 * 60_000

/**
 * Whether others have made `one` on GitHub after `other`, whichever came here first: GitHub counts them up, and keeps no order
 * among its deliveries. Numbers of long ago may be of another GitHub.
 */
export const madeAfter = (one: string, other: string): RawBuilder<boolean> =>
  sql.raw(`(${one}.origin = 'deployment' and ${other}.origin = 'deployment' and ${one}.github_id > ${other}.github_id
    and ${one}.created_at > ${other}.created_at - ${DELIVERED_WITHIN_MS})`)

/**
 * Whether the deployment `other` has put the commit of `this` in place. Neither side is a mere column: SQLite compares
 * one as a text, and an index of an expression, which has no type, would be of no use to it.
 */
export const OTHER_DEPLOYED_THIS = sql<boolean>`coalesce(other.deployed_sha, other.sha) = coalesce(this.sha, this.sha)`

/**
 * The environment that a deployment goes to. One value, and not joined: PostgreSQL would put all that was ever deployed there
 * in order to find the last of it.
 */
export const environmentOf = (id: number): RawBuilder<number> =>
  sql`(select environment_id from deployments where id = ${id})`

/** The same of an environment by its names, as they are configured. */
export const environmentNamed = (configuredAs: string, environment: string): RawBuilder<number> => sql`(
  select environments.id from environments join repositories on repositories.id = environments.repository_id
  where repositories.configured_as = ${configuredAs} and environments.name_key = ${environment.toLowerCase()})`

/** A row as the rest of the program knows it. */
export const deploymentOf = (row: DeploymentRow): Deployment => ({
  id: row.id,
  repository: row.repository,
  configuredAs: row.configured_as,
  environment: row.environment,
  number: row.number,
  lane: row.lane,
  origin: row.origin,
  branch: row.branch ?? undefined,
  nonce: row.nonce ?? undefined,
  wasAsked: row.was_asked === 1,
  githubId: row.github_id ?? undefined,
  sha: row.sha,
  ref: row.ref,
  task: row.task,
  actor: row.actor,
  authors: row.authors === null ? [] : (JSON.parse(row.authors) as string[]),
  creator: row.creator,
  creatorAvatar: row.creator_avatar,
  description: row.description,
  payload: row.payload,
  apiUrl: row.api_url,
  isPrivate: row.is_private === 1,
  recipe: readRecipe(row.recipe),
  publicLogs: row.public_logs === 1,
  environmentUrl: row.environment_url ?? undefined,
  state: row.state,
  hold: holdOf(row),
  blocked: blockedOf(row),
  forced: row.forced_by === null ? undefined : { by: row.forced_by, why: row.forced_why ?? '' },
  checkedAt: row.checked_at ?? undefined,
  approvedBy: row.approved_by ?? undefined,
  reason: row.reason ?? undefined,
  detail: row.detail ?? undefined,
  deployedSha: row.deployed_sha ?? undefined,
  steps: JSON.parse(row.steps) as StepResult[],
  createdAt: row.created_at,
  startedAt: row.started_at ?? undefined,
  finishedAt: row.finished_at ?? undefined,
  changes: row.changes === null ? undefined : (JSON.parse(row.changes) as Changes),
  logUrl: row.log_url ?? undefined,
  markedBad:
    row.marked_bad_at === null
      ? undefined
      : { at: row.marked_bad_at, by: row.marked_bad_by ?? '', reason: row.marked_bad_reason ?? undefined },
})

const blockedOf = (row: DeploymentRow): Blocked | undefined =>
  row.blocked_until === null
    ? undefined
    : {
        since: row.blocked_since ?? row.blocked_until,
        until: row.blocked_until,
        detail: row.blocked_detail ?? HELD.hook_blocked,
        tries: row.blocked_tries,
        told: row.blocked_told,
        logBytes: row.blocked_log_bytes,
      }

const holdOf = ({
  hold_reason: reason,
  hold_detail: detail,
  hold_since: since,
  hold_until: until,
}: DeploymentRow): Hold | undefined =>
  reason === null
    ? undefined
    : { reason, detail: detail ?? HELD[reason], since: since ?? 0, until: until ?? undefined }

/** A hold as columns; undefined: none. */
export const holdColumns = (hold: Hold | undefined) => ({
  hold_reason: hold?.reason ?? null,
  hold_detail: hold?.detail ?? null,
  hold_since: hold?.since ?? null,
  hold_until: hold?.until ?? null,
})

/** What a new deployment knows of itself, as columns. */
export const columnsOf = (given: NewDeployment) =>
  ({
    repository: given.repository,
    configured_as: given.configuredAs,
    environment: given.environment,
    lane: given.lane,
    origin: given.origin,
    branch: given.branch ?? null,
    nonce: given.githubId === undefined ? (given.nonce ?? null) : null, // others may have copied ours
    github_id: given.githubId ?? null,
    sha: given.sha,
    ref: given.ref,
    task: given.task,
    actor: given.actor,
    authors: given.authors.length === 0 ? null : JSON.stringify(given.authors),
    creator: given.creator,
    creator_avatar: given.creatorAvatar,
    description: given.description,
    payload: given.payload,
    api_url: given.apiUrl,
    is_private: given.isPrivate ? 1 : 0,
    forced_by: given.forced?.by ?? null,
    forced_why: given.forced?.why ?? null,
    recipe: JSON.stringify(given.recipe),
    public_logs: given.publicLogs ? 1 : 0,
    environment_url: given.environmentUrl ?? null,
    steps: '[]',
  }) satisfies Partial<Insertable<Tables['deployments']>>
