import { join } from 'node:path'

import { sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'

import type { Deployment } from '../../src/deployment/deployment.ts'
import { createInBatch } from '../../src/store/batch.ts'
import { openDatabase } from '../../src/store/database.ts'
import { knowForgotten } from '../../src/store/forgotten.ts'
import { createAccept } from '../../src/store/intake.ts'
import { OPEN } from '../support/claiming.ts'
import { temporaryFolder } from '../support/running.ts'
import { newDeployment, queuedIntake } from '../support/samples.ts'

test('deliveries are recorded where there is no room any more for the claim that comes with them', async () => {
  const { kysely, close } = await openDatabase(join(temporaryFolder(), 'ferryman.sqlite'))
  onTestFinished(close)
  const accept = createAccept('sqlite', createInBatch(kysely, await knowForgotten(kysely)))
  const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(kysely)
  await sql.raw(`pragma max_page_count = ${(rows[0]?.page_count ?? 0) + 10}`).execute(kysely)
  const reports = ({ state }: Deployment) => [
    { channel: 'github', body: state === 'running' ? 'x'.repeat(100_000) : state },
  ]

  const { accepted, claimed } = await accept([queuedIntake(newDeployment({ reports }))], {
    limit: 1,
    at: 2_000,
    reports,
    gate: OPEN,
    process: { runId: 'abc', group: 4_242, bootId: 'boot', startTicks: '99' },
  })

  const kept = await kysely.selectFrom('deployments').select(['id', 'state']).execute()
  expect(kept).toEqual([{ id: accepted[0]?.deployments[0]?.id, state: 'queued' }])
  expect(claimed).toEqual({ deployment: undefined, held: [] })
  expect(await kysely.selectFrom('processes').selectAll().execute()).toEqual([])
})
