import { sql, type CreateTableBuilder, type Kysely } from 'kysely'
import type { Migration, MigrationProvider } from 'kysely/migration'

import type { Engine } from './database.ts'

/** The schema's history. New migrations go to the end; a released one is never edited. */
export const migrationsFor = (engine: Engine): MigrationProvider => ({
  getMigrations: () =>
    Promise.resolve({
      '0001-start': start(engine),
      '0002-inbox': inbox,
      '0003-retention': retention,
      '0004-sights': sights(engine),
      '0005-outbox': outbox,
      '0006-hooks': hooks,
      '0007-order': order,
      '0008-barred': barred,
      '0009-gates': gates(engine),
      '0010-marks': marks,
      '0011-changes': changes,
      '0012-authors': authors,
      '0014-situations': situations,
      '0015-streaks': streaks,
      '0016-heads': heads,
      '0017-authorship': authorship,
      '0018-checked': checked,
      '0019-blocked': blocked,
      '0020-pins': pins,
      '0021-published': published,
      '0022-agreed-task': agreedTask,
      '0023-looked-at': lookedAt,
      '0024-found': found,
      '0025-concluded': concluded,
      '0026-by-themselves': byThemselves,
    }),
})

const start = (engine: Engine): Migration => ({
  async up(database: Kysely<unknown>) {
    const table = (name: string) => withId(database.schema.createTable(name), engine)
    const blob = engine === 'postgres' ? sql`bytea` : sql`blob`

    await table('repositories')
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('github_id', 'bigint', (column) => column.notNull())
      .addColumn('configured_as', 'text', (column) => column.notNull().unique())
      .execute()
    await table('lanes')
      .addColumn('name', 'text', (column) => column.notNull().unique())
      .execute()
    await table('environments')
      .addColumn('repository_id', 'bigint', (column) => column.notNull().references('repositories.id'))
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('name_key', 'text', (column) => column.notNull())
      .addColumn('next_number', 'bigint', (column) => column.notNull().defaultTo(1))
      .addColumn('branch', 'text')
      .addColumn('first_seen_sha', 'text')
      .addColumn('first_seen_at', 'bigint')
      .addUniqueConstraint('environment_once', ['repository_id', 'name_key'])
      .execute()
    await table('bodies')
      .addColumn('content', blob, (column) => column.notNull())
      .execute()
    await table('deliveries')
      .addColumn('key', 'text', (column) => column.notNull().unique())
      .addColumn('guid', 'text', (column) => column.notNull())
      .addColumn('event', 'text', (column) => column.notNull())
      .addColumn('action', 'text')
      .addColumn('received_at', 'bigint', (column) => column.notNull())
      .addColumn('headers', 'text', (column) => column.notNull())
      .addColumn('body_id', 'bigint', (column) => column.notNull())
      .addColumn('body_offset', 'integer', (column) => column.notNull())
      .addColumn('body_length', 'integer', (column) => column.notNull())
      .addColumn('verdict', 'text', (column) => column.notNull())
      .addColumn('reason', 'text')
      .addColumn('detail', 'text')
      .execute()
    await table('deployments')
      .addColumn('environment_id', 'bigint', (column) => column.notNull().references('environments.id'))
      .addColumn('lane_id', 'bigint', (column) => column.notNull().references('lanes.id'))
      .addColumn('delivery_id', 'bigint', (column) => column.references('deliveries.id').onDelete('set null'))
      .addColumn('number', 'bigint', (column) => column.notNull())
      .addColumn('repository', 'text', (column) => column.notNull())
      .addColumn('configured_as', 'text', (column) => column.notNull())
      .addColumn('environment', 'text', (column) => column.notNull())
      .addColumn('lane', 'text', (column) => column.notNull())
      .addColumn('origin', 'text', (column) => column.notNull())
      .addColumn('branch', 'text')
      .addColumn('nonce', 'text', (column) => column.unique())
      .addColumn('was_asked', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('github_id', 'bigint', (column) => column.unique())
      .addColumn('sha', 'text', (column) => column.notNull())
      .addColumn('ref', 'text', (column) => column.notNull())
      .addColumn('task', 'text', (column) => column.notNull())
      .addColumn('actor', 'text', (column) => column.notNull())
      .addColumn('creator', 'text', (column) => column.notNull())
      .addColumn('creator_avatar', 'text', (column) => column.notNull())
      .addColumn('description', 'text', (column) => column.notNull())
      .addColumn('payload', 'text', (column) => column.notNull())
      .addColumn('api_url', 'text', (column) => column.notNull())
      .addColumn('is_private', 'integer', (column) => column.notNull())
      .addColumn('recipe', 'text', (column) => column.notNull())
      .addColumn('public_logs', 'integer', (column) => column.notNull())
      .addColumn('environment_url', 'text')
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('hold_reason', 'text')
      .addColumn('hold_detail', 'text')
      .addColumn('hold_since', 'bigint')
      .addColumn('reason', 'text')
      .addColumn('detail', 'text')
      .addColumn('deployed_sha', 'text')
      .addColumn('steps', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('started_at', 'bigint')
      .addColumn('finished_at', 'bigint')
      .addUniqueConstraint('number_once', ['environment_id', 'number'])
      .execute()
    await table('events')
      .addColumn('deployment_id', 'bigint', (column) => column.notNull().references('deployments.id'))
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('from_state', 'text')
      .addColumn('to_state', 'text', (column) => column.notNull())
      .addColumn('reason', 'text')
      .execute()
    await table('processes')
      .addColumn('deployment_id', 'bigint', (column) => column.notNull().references('deployments.id'))
      .addColumn('run_id', 'text', (column) => column.notNull())
      .addColumn('group_id', 'bigint', (column) => column.notNull())
      .addColumn('boot_id', 'text', (column) => column.notNull())
      .addColumn('start_ticks', 'text', (column) => column.notNull())
      .execute()
    await table('reports')
      .addColumn('deployment_id', 'bigint', (column) => column.notNull().references('deployments.id'))
      .addColumn('channel', 'text', (column) => column.notNull())
      .addColumn('body', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('attempts', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('due_at', 'bigint', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('settled_at', 'bigint')
      .addColumn('last_error', 'text')
      .execute()
    await database.schema
      .createTable('settings')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('value', 'text', (column) => column.notNull())
      .execute()

    for (const statement of INDEXES) await sql.raw(statement).execute(database)
  },
})

const inbox: Migration = {
  async up(database: Kysely<unknown>) {
    for (const [name, type] of [
      ['concerns', 'text'],
      ['replayed_at', 'bigint'],
      ['replayed_by', 'text'],
    ] as const)
      await database.schema.alterTable('deliveries').addColumn(name, type).execute()
  },
}

const retention: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('forgotten')
      .addColumn('github_id', 'bigint', (column) => column.primaryKey())
      .execute()
  },
}

/** Since when each environment is configured. Those that have been in use were so at the latest then. */
const sights = (engine: Engine): Migration => ({
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('sights')
      .addColumn('place', 'text', (column) => column.primaryKey())
      .addColumn('since', 'bigint', (column) => column.notNull())
      .execute()
    const least = engine === 'postgres' ? 'least' : 'min'
    const earliest = `select min(created_at) from deployments where environment_id = environments.id`
    const since = `${least}(coalesce(first_seen_at, (${earliest})), coalesce((${earliest}), first_seen_at))`
    await sql
      .raw(
        `insert into sights (place, since)
        select configured_as || '/' || name_key, ${since}
        from environments join repositories on repositories.id = environments.repository_id
        where ${since} is not null`,
      )
      .execute(database)
  },
})

/** What was said about a deployment is looked up whatever became of it, and what was refused is listed. */
const outbox: Migration = {
  async up(database: Kysely<unknown>) {
    await sql`drop index if exists reports_owed`.execute(database)
    await sql`create index if not exists reports_of_deployment on reports (deployment_id, channel, id)`.execute(
      database,
    )
    await sql`create index if not exists reports_refused on reports (settled_at, id) where state = 'refused'`.execute(
      database,
    )
  },
}

/** The hooks that deliver here, and what GitHub was asked to deliver once more. */
const hooks: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('hooks')
      .addColumn('id', 'bigint', (column) => column.primaryKey())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('place', 'text', (column) => column.notNull())
      .execute()
    await database.schema
      .createTable('redeliveries')
      .addColumn('hook_id', 'bigint', (column) => column.notNull())
      .addColumn('guid', 'text', (column) => column.notNull())
      .addColumn('asked_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('redeliveries_key', ['hook_id', 'guid'])
      .execute()
  },
}

/** In which order deployments have ended: the clock may have been set back between two of them. */
const order: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema.alterTable('deployments').addColumn('end_order', 'bigint').execute()
    await sql`update deployments set end_order =
      coalesce((select max(events.id) from events where events.deployment_id = deployments.id), 0)
      where finished_at is not null`.execute(database)
    await sql`drop index deployments_live`.execute(database)
    await sql`create index deployments_live on deployments (environment_id, end_order) where state = 'succeeded'`.execute(
      database,
    )
  },
}

/** Since when a report is refused for want of a right. */
const barred: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema.alterTable('reports').addColumn('barred_since', 'bigint').execute()
  },
}

/** Locks, approvals, who has forced what, until when something waits, and why it did before. */
const gates = (engine: Engine): Migration => ({
  async up(database: Kysely<unknown>) {
    const table = (name: string) => withId(database.schema.createTable(name), engine)
    await table('locks')
      .addColumn('place', 'text', (column) => column.notNull().unique())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('taken_by', 'text', (column) => column.notNull())
      .addColumn('since', 'bigint', (column) => column.notNull())
      .addColumn('until', 'bigint')
      .addColumn('reminded_at', 'bigint')
      .execute()
    await table('approvals')
      .addColumn('environment_id', 'bigint', (column) => column.notNull().references('environments.id'))
      .addColumn('sha', 'text', (column) => column.notNull())
      .addColumn('given_by', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('until', 'bigint', (column) => column.notNull())
      .execute()
    await sql`create index approvals_of_commit on approvals (environment_id, sha)`.execute(database)
    await sql`create index deployments_held on deployments (id) where state = 'queued' and hold_reason is not null`.execute(
      database,
    )
    for (const [name, type] of [
      ['hold_until', 'bigint'],
      ['forced_by', 'text'],
      ['forced_why', 'text'],
    ] as const)
      await database.schema.alterTable('deployments').addColumn(name, type).execute()
    await database.schema.alterTable('events').addColumn('detail', 'text').execute()
  },
})

/** What somebody has said must not be gone back to. */
const marks: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database
    await schema.alterTable('deployments').addColumn('marked_bad_at', 'bigint').execute()
    await schema.alterTable('deployments').addColumn('marked_bad_by', 'text').execute()
    await schema.alterTable('deployments').addColumn('marked_bad_reason', 'text').execute()
    await sql`create index deployments_bad on deployments (environment_id) where marked_bad_at is not null`.execute(
      database,
    )
  },
}

/** What came with a deployment, as JSON. */
const changes: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema.alterTable('deployments').addColumn('changes', 'text').execute()
  },
}

/** Whose change a deployment is, who agreed to it, and how it is found by the commit that it put in place. */
const authors: Migration = {
  async up(database: Kysely<unknown>) {
    for (const column of ['authors', 'approved_by'])
      await database.schema.alterTable('deployments').addColumn(column, 'text').execute()
    await sql`create index deployments_of_commit on deployments (environment_id, (coalesce(deployed_sha, sha)))`.execute(
      database,
    )
  },
}

/** Which repository a delivery is about. */
const situations: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema.alterTable('deliveries').addColumn('repository', 'text').execute()
  },
}

/** How often each environment has failed in a row: counted on, so that it does not depend on what is kept. */
const streaks: Migration = {
  async up(database: Kysely<unknown>) {
    const environments = database.schema.alterTable('environments')
    await environments.addColumn('failures', 'integer', (column) => column.notNull().defaultTo(0)).execute()
    await environments.addColumn('failing_since', 'bigint').execute()
    await sql`
      with successes as (
        select environment_id, max(end_order) as end_order from deployments where state = 'succeeded'
        group by environment_id),
      streaks as (
        select failed.environment_id, count(*) as failures, min(failed.finished_at) as since
        from deployments failed left join successes on successes.environment_id = failed.environment_id
        where failed.state = 'failed' and failed.started_at is not null
          and failed.end_order > coalesce(successes.end_order, -1)
        group by failed.environment_id)
      update environments set
        failures = (select failures from streaks where environment_id = environments.id),
        failing_since = (select since from streaks where environment_id = environments.id)
      where id in (select environment_id from streaks)`.execute(database)
  },
}

/** Where the branch of an environment stood when it was looked at last: so far, when it was first seen. */
const heads: Migration = {
  async up(database: Kysely<unknown>) {
    for (const column of ['head_branch', 'head_sha'])
      await database.schema.alterTable('environments').addColumn(column, 'text').execute()
    await sql`update environments set head_branch = branch, head_sha = first_seen_sha`.execute(database)
  },
}

/** Whether GitHub was asked whose change a deployment is. */
const authorship: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .alterTable('deployments')
      .addColumn('authors_asked', 'integer', (column) => column.notNull().defaultTo(0))
      .execute()
    await sql`create index deployments_with_authors on deployments (environment_id, sha) where authors is not null`.execute(
      database,
    )
  },
}

/** When the checks of a deployment were seen to pass last. */
const checked: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema.alterTable('deployments').addColumn('checked_at', 'bigint').execute()
  },
}

/** What hooks have said that do not let the work begin yet. */
const blocked: Migration = {
  async up(database: Kysely<unknown>) {
    const deployments = () => database.schema.alterTable('deployments')
    await deployments().addColumn('blocked_since', 'bigint').execute()
    await deployments().addColumn('blocked_until', 'bigint').execute()
    await deployments().addColumn('blocked_detail', 'text').execute()
    for (const column of ['blocked_tries', 'blocked_told', 'blocked_log_bytes'])
      await deployments()
        .addColumn(column, 'bigint', (counts) => counts.notNull().defaultTo(0))
        .execute()
  },
}

/** Where somebody went back. */
const pins: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('pins')
      .addColumn('place', 'text', (column) => column.primaryKey())
      .addColumn('sha', 'text', (column) => column.notNull())
      .addColumn('reason', 'text')
      .addColumn('pinned_by', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('deployment_id', 'bigint', (column) => column.notNull())
      .execute()
  },
}

/** Where the log of a deployment was published. */
const published: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema.alterTable('deployments').addColumn('log_url', 'text').execute()
  },
}

/** To which task somebody has agreed. */
const agreedTask: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .alterTable('approvals')
      .addColumn('task', 'text', (column) => column.notNull().defaultTo('deploy'))
      .execute()
  },
}

/** What waits for more than its turn: looks at it pass over what only stands in line, however long that is. */
const lookedAt: Migration = {
  async up(database: Kysely<unknown>) {
    await sql`create index deployments_looked_at on deployments (id)
      where state = 'queued' and (hold_reason is not null or origin in ('merge', 'push', 'poll'))`.execute(
      database,
    )
  },
}

/** What people look for in a long history: a deployment by its name, deliveries of one kind. */
const found: Migration = {
  async up(database: Kysely<unknown>) {
    for (const index of [
      'deployments_named on deployments (number, lower(repository))',
      'deliveries_of_event on deliveries (event, id)',
      'deliveries_of_verdict on deliveries (verdict, id)',
    ])
      await sql.raw(`create index ${index}`).execute(database)
  },
}

/** How the work of a deployment has ended that waits for others before it ends itself. */
const concluded: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema.alterTable('deployments').addColumn('conclusion', 'text').execute()
  },
}

/** What was deployed by itself is looked up by its commit whenever a merge or a push comes. */
const byThemselves: Migration = {
  async up(database: Kysely<unknown>) {
    await sql`create index deployments_by_themselves on deployments (environment_id, sha)
      where origin in ('merge', 'push', 'poll')`.execute(database)
  },
}

// The first is the serial lane itself: the database refuses a second active deployment. The second is its
// sister: one commit goes to an environment by itself only once.
const INDEXES = [
  `create unique index one_active_deployment_per_lane on deployments (lane_id) where state in ('running', 'cancelling')`,
  `create unique index one_automatic_deployment_per_commit on deployments (environment_id, sha) where origin in ('merge', 'push') and not ((state = 'cancelled' and coalesce(reason, '') <> 'by_person') or coalesce(reason, '') = 'config_removed')`,
  `create index deployments_waiting on deployments (id) where state = 'queued'`,
  `create index deployments_ready on deployments (lane_id, id) where state = 'queued' and hold_reason is null`,
  `create index deployments_live on deployments (environment_id, finished_at) where state = 'succeeded'`,
  `create index deployments_of_delivery on deployments (delivery_id)`,
  `create index repositories_by_github_id on repositories (github_id)`,
  `create index events_of_deployment on events (deployment_id)`,
  `create index processes_of_deployment on processes (deployment_id)`,
  `create index reports_due on reports (due_at) where state = 'owed'`,
  `create index reports_owed on reports (deployment_id, channel, id) where state = 'owed'`,
]

const withId = (table: CreateTableBuilder<string>, engine: Engine) =>
  engine === 'postgres'
    ? table.addColumn('id', sql`bigint generated always as identity`, (column) => column.primaryKey())
    : table.addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
