import type { Kysely } from 'kysely'

import type { ProcessRecord } from '../deployment/deployment.ts'
import type { Tables } from './schema.ts'
import { compiledInsert } from './statements.ts'
import type { Handle } from './transaction.ts'

/** Writes down a process that will be a deployment's, within a transaction. */
export const insertProcess = (
  trx: Handle,
  deploymentId: number,
  { runId, group, bootId, startTicks }: ProcessRecord,
): Promise<unknown> =>
  insert(trx, [
    {
      deployment_id: deploymentId,
      run_id: runId,
      group_id: group,
      boot_id: bootId,
      start_ticks: startTicks,
    },
  ])

const insert = compiledInsert<'processes', unknown>((rows, handle) =>
  handle.insertInto('processes').values(rows),
)

/** `Store.processesOf`. */
export async function processesOf(
  database: Kysely<Tables>,
  deploymentId: number,
): Promise<readonly ProcessRecord[]> {
  const rows = await database
    .selectFrom('processes')
    .selectAll()
    .where('deployment_id', '=', deploymentId)
    .execute()
  return rows.map((row) => ({
    runId: row.run_id,
    group: row.group_id,
    bootId: row.boot_id,
    startTicks: row.start_ticks,
  }))
}
