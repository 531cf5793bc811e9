import { expect, onTestFinished, test } from 'vitest'

import { createHistory } from '../../src/decide/history.ts'
import { look } from '../../src/decide/look.ts'
import { createGitHub } from '../../src/github/client.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { shopAtGitHub } from '../support/doubles.ts'
import { newMerge, queuedIntake } from '../support/samples.ts'
import { emptyDatabase } from '../support/stores.ts'

test('what was recorded while its repository left the configuration ends with that reason', async () => {
  const { github } = await shopAtGitHub()
  const database = await emptyDatabase.sqlite()
  const store = await openStore(database.address)
  onTestFinished(async () => {
    await store.close()
    await database.drop()
  })
  const client = createGitHub({ token: 'mona-token', apiUrl: github.url, version: 'test' })
  await store.accept([{ ...queuedIntake(newMerge()), verdict: 'deciding' }])
  const waiting = await store.waitingByThemselves()

  await look(
    { waiting, moved: undefined, failures: 0 },
    {
      store,
      history: createHistory(() => client),
      github: () => client,
      environmentOf: () => undefined,
      isSightOwed: () => false,
      reports: () => [],
      clock: () => 2_000,
      journal: { info() {}, warn() {}, error() {} },
      moved() {},
    },
  )

  expect(await store.deployment(1)).toMatchObject({ state: 'failed', reason: 'config_removed' })
  expect(github.requests).toEqual([])
})
