import { expect, onTestFinished, test } from 'vitest'

import type { Config } from '../src/config/config.ts'
import { openStore } from '../src/store/sql-store.ts'
import { takeWish, type Wish } from '../src/wish.ts'
import { clientOf, shopAtGitHub } from './support/doubles.ts'
import { environmentConfig } from './support/samples.ts'
import { emptyDatabase } from './support/stores.ts'

const WISH: Wish = {
  by: 'ann',
  repository: 'acme/shop',
  environment: undefined,
  ref: 'main',
  task: undefined,
  reason: 'the sale begins',
  force: false,
  key: 'sale-2026',
}

test('a wish that is sent once more is the same one, also when somebody has forced it meanwhile', async () => {
  const { github } = await shopAtGitHub()
  const database = await emptyDatabase.sqlite()
  const store = await openStore(database.address)
  onTestFinished(async () => {
    await store.close()
    await database.drop()
  })
  const production = environmentConfig({ branch: 'main' })
  const shop = { name: 'Acme/Shop', environments: new Map([['production', production]]) }
  const client = clientOf(github)
  const want = (given: Partial<Wish> = {}) =>
    takeWish(
      { ...WISH, ...given },
      {
        config: () => ({ repositories: new Map([['acme/shop', shop]]) }) as unknown as Config,
        knownAs: new Map(),
        store,
        github: () => client,
        askSource: () => Promise.reject(new Error('it is at GitHub')),
        reports: () => [],
        forcedReports: () => [],
        mask: (text) => text,
        newNonce: (words = []) => Buffer.from(words.join('')).toString('hex').padEnd(32, '0'),
        clock: () => 1_000,
        journal: { info() {}, warn() {}, error() {} },
        wake() {},
      },
    )

  const { isNew, deployment } = await want()
  await store.force(deployment.id, { by: 'bob', why: 'now' }, { at: 2_000, reports: () => [] })

  expect(isNew).toBe(true)
  expect(await want()).toMatchObject({ isNew: false, deployment: { id: deployment.id } })
  await expect(want({ force: true })).rejects.toMatchObject({ code: 'key_used' })
  expect(await want({ force: true, key: 'other' })).toMatchObject({ isNew: true })
  expect(await want({ force: true, key: 'other' })).toMatchObject({ isNew: false })
})
