import { sql, type Transaction } from 'kysely'

import type { State } from '../deployment/state.ts'
import type { Tables } from './schema.ts'
import { compiledOnce } from './statements.ts'
import type { FailureStreak } from './store.ts'

type Trx = Transaction<Tables>

interface StreakColumns {
  readonly failures: number
  readonly failing_since: number | null
}

/** The failures in a row of an environment, from its columns; undefined where its last end was none. */
export const streakIn = ({ failures, failing_since: since }: StreakColumns): FailureStreak | undefined =>
  failures === 0 ? undefined : { failures, since: since ?? 0 }

/** The same of the environment that a deployment goes to; what is none, but another task, has no part in it. */
export async function streakAround(trx: Trx, deploymentId: number): Promise<FailureStreak | undefined> {
  const row = await trx
    .selectFrom('deployments')
    .innerJoin('environments', 'environments.id', 'deployments.environment_id')
    .select(['environments.failures', 'environments.failing_since'])
    .where('deployments.id', '=', deploymentId)
    .where('deployments.task', '=', 'deploy')
    .executeTakeFirst()
  return row && streakIn(row)
}

/**
 * Counts what a move means for the streak of its environment, and answers the streak before it. What never ran says
 * nothing about the environment, nor does what was taken back.
 */
export async function passThrough(
  trx: Trx,
  environmentId: number,
  { from, to, at }: { readonly from: State; readonly to: State; readonly at: number },
): Promise<FailureStreak | undefined> {
  const [row] = await selectStreak(trx, environmentId)
  if (row === undefined) throw new Error(`There is no environment ${environmentId}.`)
  const before = streakIn(row)
  const environment = trx.updateTable('environments').where('id', '=', environmentId)
  if (to === 'failed' && from !== 'queued')
    await environment
      .set({ failures: sql`failures + 1`, failing_since: sql`coalesce(failing_since, ${at})` })
      .execute()
  if (to === 'succeeded' && before !== undefined)
    await environment.set({ failures: 0, failing_since: null }).execute()
  return before
}

const selectStreak = compiledOnce((handle) =>
  handle.selectFrom('environments').select(['failures', 'failing_since']).where('id', '=', 0),
)
