import { expect, test } from 'vitest'

import { clientOf, refusalOf, shopAtGitHub } from '../support/doubles.ts'

const SHOP = 'acme/shop'

async function shop() {
  const { github, sha } = await shopAtGitHub()
  github.addCommits(SHOP, [{ message: 'Sell tea' }, { message: 'Sell coffee' }])
  const client = clientOf(github)
  return { github, first: sha, isOwn: (id: string, ref?: string) => client.isOwnCommit(SHOP, id, ref) }
}

const only = <Item>([one]: readonly Item[]): Item => {
  if (one === undefined) throw new Error('There is none.')
  return one
}

test('a commit behind the head of the default branch is its own, and that is asked once', async () => {
  const { github, first, isOwn } = await shop()

  expect(await isOwn(first)).toBe('yes')
  const asked = github.requests.length
  expect(await isOwn(first)).toBe('yes')

  expect(github.requests.map(({ path }) => path)).not.toContainEqual(expect.stringMatching(/branches|tags$/))
  expect(github.requests).toHaveLength(asked)
})

test('a commit that is the head of the branch it is said to be on costs one question', async () => {
  const { github, isOwn } = await shop()
  const { sha } = only(github.addCommits(SHOP, [{ message: 'Sell milk' }], 'topic'))

  expect(await isOwn(sha, 'topic')).toBe('yes')

  expect(github.requests.map(({ path }) => path)).toEqual(['/repos/acme/shop/git/ref/heads%2Ftopic'])
})

test('a commit on another branch, behind its head, is found by looking at all of them', async () => {
  const { github, isOwn } = await shop()
  const [milk] = github.addCommits(SHOP, [{ message: 'Sell milk' }, { message: 'Cool it' }], 'topic')

  expect(await isOwn(milk?.sha ?? '')).toBe('yes')
  expect(await isOwn(milk?.sha ?? '', 'main')).toBe('yes')
})

test('a commit that only an annotated tag holds is its own', async () => {
  const { github, isOwn } = await shop()
  const { sha } = only(github.addCommits(SHOP, [{ message: 'Sell milk' }], 'release'))
  github.setTag(SHOP, 'v1', sha, 'The first')
  await github.deleteBranch(SHOP, 'release')

  expect(await isOwn(sha)).toBe('yes')
})

test.each([undefined, 'main', 'refs/pull/7/head', '../../user'])(
  'a commit of a fork is not its own, said to be on %s',
  async (ref) => {
    const { github, isOwn } = await shop()
    const { sha } = only(github.pushToFork(SHOP, 'mallory/shop', [{ message: 'Sell for nothing' }]))

    expect(await isOwn(sha, ref)).toBe('no')
  },
)

test('a commit of a fork is its own once it was merged', async () => {
  const { github, isOwn } = await shop()
  const { sha } = only(github.pushToFork(SHOP, 'mona/shop', [{ message: 'Sell milk' }]))
  expect(await isOwn(sha)).toBe('no')

  await github.merge(SHOP, {
    number: 7,
    title: 'Sell milk',
    author: 'mona',
    method: 'merge',
    fromFork: 'mona/shop',
    head: 'main',
  })

  expect(await isOwn(sha)).toBe('yes')
})

test('a commit that GitHub does not know is nobody’s, and no branch is compared with it in vain', async () => {
  const { github, isOwn } = await shop()
  github.setBranch(SHOP, 'topic', only(github.addCommits(SHOP, [{ message: 'Sell milk' }], 'topic')).sha)

  expect(await isOwn('a'.repeat(40))).toBe('no')
  expect(github.requests.filter(({ path }) => path.includes('/compare/'))).toHaveLength(1)
})

test('no more than a hundred branches are compared, and then nobody knows', async () => {
  const { github, isOwn } = await shop()
  const { sha } = only(github.pushToFork(SHOP, 'mallory/shop', [{ message: 'Sell for nothing' }]))
  for (let count = 0; count < 120; count += 1)
    github.addCommits(SHOP, [{ message: `Change ${count}` }], `topic-${count}`)

  expect(await isOwn(sha)).toBe('unclear')
  expect(github.requests.filter(({ path }) => path.includes('/compare/'))).toHaveLength(100)
  expect(await isOwn(sha, 'topic-119')).toBe('unclear')
})

test.each([
  ['fine-grained', { type: 'fine-grained', login: 'mona', permissions: { deployments: 'write' } }],
  ['classic', { type: 'classic', login: 'mona', scopes: ['repo_deployment'] }],
] as const)('a %s token that may not read the code does not know', async (_, token) => {
  const { github, first } = await shop()
  github.addToken('narrow', token)

  expect(await clientOf(github, 'narrow').isOwnCommit(SHOP, first, 'main')).toBe('unknown')
})

test('a limit on requests is no answer', async () => {
  const { github, first, isOwn } = await shop()
  github.fail({ with: { status: 403, headers: { 'retry-after': '60' }, body: { message: 'Slow down' } } })

  expect((await refusalOf(isOwn(first))).status).toBe(403)
})
