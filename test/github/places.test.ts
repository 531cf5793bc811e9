import { expect, test } from 'vitest'

import { clientOf, refusalOf, shopAtGitHub } from '../support/doubles.ts'

const SHOP = 'acme/shop'
const [TEA, COFFEE, MILK] = ['b'.repeat(40), 'c'.repeat(40), 'd'.repeat(40)] as const
const NOW = Date.UTC(2026, 10, 21, 12)

test.each([
  'feature/tea',
  '100%',
  '%2e%2e',
  'issue#7',
  'a?b=c',
  "{{lookup('pipe','id')}}",
  'grüße/☕',
  '-x',
  'branches/main',
])('the head of the branch %s is found', async (branch) => {
  const { github, sha } = await shopAtGitHub()
  github.setBranch(SHOP, branch, sha)

  expect(await clientOf(github).branchHead(SHOP, branch)).toBe(sha)
})

test.each(['nothing', '', '.', '..', '../../../user'])('there is no branch “%s”', async (branch) => {
  const { github } = await shopAtGitHub()

  expect(await clientOf(github).branchHead(SHOP, branch)).toBeUndefined()
})

test('a branch that got another name is no more', async () => {
  const { github } = await shopAtGitHub()
  await clientOf(github).branchHead(SHOP, 'main')
  const body = github.requests[0]?.answer?.body
  github.fail({ path: /branches\/master$/, with: { status: 200, body } })

  expect(await clientOf(github).branchHead(SHOP, 'master')).toBeUndefined()
})

test('two commits are compared by their history', async () => {
  const { github, sha } = await shopAtGitHub()
  github.setBranch(SHOP, 'topic', sha)
  github.addCommits(SHOP, [{ sha: MILK, message: 'Sell milk' }], 'topic')
  github.addCommits(SHOP, [
    { sha: TEA, message: 'Sell tea' },
    { sha: COFFEE, message: 'Sell coffee' },
  ])
  const compare = (base: string, head: string) => clientOf(github).compare(SHOP, base, head)

  expect(await compare(sha, sha)).toEqual({ status: 'identical', aheadBy: 0, behindBy: 0 })
  expect(await compare(sha, COFFEE)).toEqual({ status: 'ahead', aheadBy: 2, behindBy: 0 })
  expect(await compare(COFFEE, TEA)).toEqual({ status: 'behind', aheadBy: 0, behindBy: 1 })
  expect(await compare(MILK, COFFEE)).toEqual({ status: 'diverged', aheadBy: 2, behindBy: 1 })
  for (const { answer } of github.requests) expect(answer?.body).not.toHaveProperty('files')
})

test('a commit that GitHub does not know is compared with nothing', async () => {
  const { github, sha } = await shopAtGitHub()

  expect(await clientOf(github).compare(SHOP, sha, TEA)).toBeUndefined()
  expect(await clientOf(github).compare(SHOP, TEA, sha)).toBeUndefined()
})

test('a repository is told by its number, name and default branch', async () => {
  const { github } = await shopAtGitHub()

  expect(await clientOf(github).repository('ACME/Shop')).toEqual({
    githubId: 17,
    name: 'acme/shop',
    defaultBranch: 'main',
    isPrivate: true,
  })
  expect(await clientOf(github).repository('acme/nothing')).toBeUndefined()
})

test('a renamed repository is reached by every question', async () => {
  const { github, sha } = await shopAtGitHub()
  const client = clientOf(github)
  const of = { sha, environment: 'production', task: 'deploy' }
  for (let count = 0; count < 101; count += 1)
    github.addCommitStatus(SHOP, sha, { context: `status ${count}`, state: 'success' })
  github.renameRepository(SHOP, 'acme/store')

  const made = await client.createDeployment(SHOP, {
    ...of,
    description: '',
    payload: {},
    requiredContexts: [],
  })
  if (made === 'auto_merged') throw new Error('It was merged.')
  await client.createStatus(SHOP, made.githubId, { state: 'success', description: 'Deployed' })

  expect(await client.statuses(SHOP, made.githubId)).toHaveLength(1)
  expect(await client.deployments(SHOP, of)).toEqual([made])
  expect((await client.reportedChecks(SHOP, sha)).statuses).toHaveLength(101)
  expect(await client.branchHead(SHOP, 'main')).toBe(sha)
  expect(await client.compare(SHOP, sha, sha)).toEqual({ status: 'identical', aheadBy: 0, behindBy: 0 })
  expect(await client.resolveRef(SHOP, 'main')).toMatchObject({ kind: 'branch', sha })
  expect(await client.isOwnCommit(SHOP, sha)).toBe('yes')
  expect(await client.repository(SHOP)).toMatchObject({ githubId: 17, name: 'acme/store' })
  expect(await client.access(SHOP)).toMatchObject({ canPush: true })
})

test('the access of a token is told without anything being written', async () => {
  const { github } = await shopAtGitHub()
  github.addToken('narrow', { type: 'classic', login: 'mona', scopes: ['repo_deployment', 'repo:status'] })
  github.addToken('fine', { type: 'fine-grained', login: 'mona', permissions: { deployments: 'write' } })

  const [own, narrow, fine] = await Promise.all(
    [undefined, 'narrow', 'fine'].map((token) => clientOf(github, token).access(SHOP)),
  )

  expect(own).toEqual({ canPush: true, scopes: ['repo'], expiresAt: undefined })
  expect(narrow).toEqual({
    canPush: undefined,
    scopes: ['repo_deployment', 'repo:status'],
    expiresAt: undefined,
  })
  expect(fine).toEqual({ canPush: false, scopes: undefined, expiresAt: undefined })
  expect(new Set(github.requests.map(({ method }) => method))).toEqual(new Set(['GET']))
})

test('the end of a token is known from any answer, also from a refusal', async () => {
  const { github, sha } = await shopAtGitHub({ clock: () => NOW })
  const expiresAt = Date.UTC(2026, 11, 24, 18, 30)
  github.addToken('short', {
    type: 'fine-grained',
    login: 'mona',
    permissions: { deployments: 'read' },
    expiresAt,
  })
  const client = clientOf(github, 'short')

  expect(client.tokenExpiresAt).toBeUndefined()
  expect((await refusalOf(client.reportedChecks(SHOP, sha))).status).toBe(403)
  expect(client.tokenExpiresAt).toBe(expiresAt)
  github.fail({ with: { status: 502, body: '<html>' } })
  await refusalOf(client.repository(SHOP))
  expect(client.tokenExpiresAt).toBe(expiresAt)
  expect(await client.access(SHOP)).toMatchObject({ expiresAt })
})

test('a commit is of its author, its committer, and whoever opened a pull request with it; GitHub is nobody', async () => {
  const { github, sha } = await shopAtGitHub()
  const merge = { number: 7, title: 'Sell tea', author: 'octo', by: 'ann', method: 'merge' } as const
  const merged = await github.merge(SHOP, merge)
  const [picked] = github.addCommits(SHOP, [{ message: 'Coffee', login: 'bob', committer: 'carol' }])
  const client = clientOf(github)

  expect(await client.authorsOf(SHOP, merged.sha)).toEqual(['ann', 'octo'])
  expect(await client.authorsOf(SHOP, picked?.sha ?? '')).toEqual(['bob', 'carol'])
  expect(await client.authorsOf(SHOP, sha)).toEqual([]) // its address belongs to no account
  expect(await refusalOf(client.authorsOf(SHOP, 'f'.repeat(40)))).toMatchObject({
    status: 404,
    message: 'GitHub shows no commit fffffff of acme/shop',
  })
})
