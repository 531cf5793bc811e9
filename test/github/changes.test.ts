import { expect, test } from 'vitest'

import type { NewCommit } from '../../src/demo/github/history.ts'
import { clientOf, refusalOf, shopAtGitHub } from '../support/doubles.ts'

const SHOP = 'acme/shop'

async function shop() {
  const { github, sha: first } = await shopAtGitHub()
  const add = (commits: readonly NewCommit[], branch?: string): string =>
    github.addCommits(SHOP, commits, branch).at(-1)?.sha ?? ''
  return {
    github,
    first,
    add,
    changes: (from: string, to: string) => clientOf(github).changes(SHOP, from, to),
  }
}

test('what came is told with its commits, pull requests and authors, the newest first', async () => {
  const { add, first, changes } = await shop()
  const [tea, coffee, milk] = ['b'.repeat(40), 'c'.repeat(40), 'd'.repeat(40)] as const
  add([
    { sha: tea, message: 'Sell tea (#12)\n\nIt is hot.', login: 'mona' },
    { sha: coffee, message: 'Sell coffee', author: { name: 'Ada', email: 'ada@example.org' } },
    { sha: milk, message: 'Merge pull request #13 from mona/milk\n\nSell milk', login: 'mona' },
  ])

  expect(await changes(first, milk)).toEqual({
    from: first,
    to: milk,
    direction: 'forward',
    commitCount: 3,
    lostCount: 0,
    commits: [
      { sha: milk, title: 'Merge pull request #13 from mona/milk', author: 'mona' },
      { sha: coffee, title: 'Sell coffee', author: 'Ada' },
      { sha: tea, title: 'Sell tea (#12)', author: 'mona' },
    ],
    pullRequests: [
      { number: 13, title: 'Sell milk' },
      { number: 12, title: 'Sell tea' },
    ],
    authors: ['mona', 'Ada'],
  })
})

test('what is gone back by is told as taken away', async () => {
  const { add, first, changes } = await shop()
  const head = add([{ message: 'Sell tea' }, { message: 'Sell coffee' }])

  expect(await changes(head, first)).toMatchObject({
    direction: 'back',
    commitCount: 2,
    lostCount: 0,
    commits: [{ title: 'Sell coffee' }, { title: 'Sell tea' }],
  })
})

test('of two branches both what came and what went is told', async () => {
  const { add, github, first, changes } = await shop()
  github.setBranch(SHOP, 'topic', first)
  const topic = add([{ message: 'Sell milk' }], 'topic')
  const main = add([{ message: 'Sell tea' }, { message: 'Sell coffee' }])

  expect(await changes(main, topic)).toMatchObject({
    direction: 'aside',
    commitCount: 1,
    lostCount: 2,
    commits: [{ title: 'Sell milk' }],
  })
})

test('the same commit brings nothing', async () => {
  const { first, changes } = await shop()

  expect(await changes(first, first)).toMatchObject({
    direction: 'none',
    commitCount: 0,
    commits: [],
    authors: [],
  })
})

test.each([
  { count: 50, pages: 1 },
  { count: 130, pages: 2 },
  { count: 160, pages: 1 },
  { count: 200, pages: 1 },
  { count: 320, pages: 2 },
])('of $count commits the newest fifty are listed, from $pages pages', async ({ count, pages }) => {
  const { add, github, first, changes } = await shop()
  const head = add(Array.from({ length: count }, (_, index) => ({ message: `Change ${index + 1}` })))

  const found = await changes(first, head)

  expect(found?.commitCount).toBe(count)
  expect(found?.commits.map(({ title }) => title)).toEqual(
    Array.from({ length: 50 }, (_, index) => `Change ${count - index}`),
  )
  expect(github.requests).toHaveLength(1 + pages)
})

test('a message of any length is read, and only its first line is the title', async () => {
  const { add, first, changes } = await shop()
  const head = add([{ message: `Sell tea\n${'x'.repeat(100_000)}` }, { message: 'y'.repeat(100_000) }])

  const found = await changes(first, head)

  expect(found?.commits.map(({ title }) => title)).toEqual(['y'.repeat(2_000), 'Sell tea'])
})

test('what GitHub does not know or the token may not read is not told', async () => {
  const { github, first, changes } = await shop()
  github.addToken('narrow', { type: 'classic', login: 'mona', scopes: ['repo_deployment'] })

  expect(await changes(first, 'a'.repeat(40))).toBeUndefined()
  expect(await clientOf(github, 'narrow').changes(SHOP, first, first)).toBeUndefined()
})

test('GitHub’s failures are handed on', async () => {
  const { github, first, changes } = await shop()
  github.fail({ with: { status: 502, body: '<html>' } })

  expect((await refusalOf(changes(first, first))).status).toBe(502)
})
