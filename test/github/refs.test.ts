import { expect, test } from 'vitest'

import { FerrymanError } from '../../src/errors.ts'
import { clientOf, refusalOf, shopAtGitHub } from '../support/doubles.ts'

const SHOP = 'acme/shop'
const [TEA, COFFEE] = [`abc1234${'0'.repeat(33)}`, `def5678${'0'.repeat(33)}`] as const

/** acme/shop, whose `main` is at COFFEE, one after TEA. */
async function shop() {
  const { github, sha } = await shopAtGitHub()
  github.addCommits(SHOP, [
    { sha: TEA, message: 'Sell tea' },
    { sha: COFFEE, message: 'Sell coffee' },
  ])
  return { github, first: sha, resolve: (ref: string) => clientOf(github).resolveRef(SHOP, ref) }
}

/** The problem that a person is shown. */
async function problemOf(asking: Promise<unknown>): Promise<FerrymanError> {
  const thrown: unknown = await asking.catch((cause: unknown) => cause)
  if (thrown instanceof FerrymanError) return thrown
  throw new Error('It did not fail as expected.', { cause: thrown })
}

test.each(['main', 'heads/main', 'refs/heads/main'])('%s is the branch', async (ref) => {
  const { resolve } = await shop()

  expect(await resolve(ref)).toEqual({ kind: 'branch', sha: COFFEE, name: 'refs/heads/main' })
})

test.each(['v1', 'tags/v1', 'refs/tags/v1'])('%s is the tag', async (ref) => {
  const { github, resolve } = await shop()
  github.setTag(SHOP, 'v1', TEA)

  expect(await resolve(ref)).toEqual({ kind: 'tag', sha: TEA, name: 'refs/tags/v1' })
})

test('an annotated tag, and one of a tag, is its commit', async () => {
  const { github, resolve } = await shop()
  const inner = github.setTag(SHOP, 'v1', TEA, 'The first')
  github.setTag(SHOP, 'v1-signed', inner, 'Signed off')

  expect(await resolve('v1')).toMatchObject({ kind: 'tag', sha: TEA })
  expect(await resolve('v1-signed')).toMatchObject({ kind: 'tag', sha: TEA })
})

test.each([TEA, TEA.toUpperCase(), 'abc1234', 'ABC12340'])('%s is the commit', async (ref) => {
  const { resolve } = await shop()

  expect(await resolve(ref)).toEqual({ kind: 'commit', sha: TEA, name: TEA })
})

test.each(['feature/tea', '100%', 'issue#7', "{{lookup('pipe','id')}}", 'grüße/☕', '-x', 'heads/x'])(
  'the branch %s is found under its name',
  async (branch) => {
    const { github, resolve } = await shop()
    github.setBranch(SHOP, branch, TEA)

    expect(await resolve(branch)).toEqual({ kind: 'branch', sha: TEA, name: `refs/heads/${branch}` })
  },
)

test('a name of a tag and a branch at different commits is refused, with both', async () => {
  const { github, resolve } = await shop()
  github.setTag(SHOP, 'v1', TEA)
  github.setBranch(SHOP, 'v1', COFFEE)

  const problem = await problemOf(resolve('v1'))

  expect(problem.code).toBe('ref_ambiguous')
  expect(problem.message).toBe('v1 is a tag (abc1234) and a branch (def5678).')
  expect(problem.hint).toBe('Say refs/tags/v1 or refs/heads/v1.')
  expect(await resolve('refs/heads/v1')).toMatchObject({ kind: 'branch', sha: COFFEE })
})

test('a name of a tag and a branch at one commit is that commit', async () => {
  const { github, resolve } = await shop()
  github.setTag(SHOP, 'v1', TEA, 'The first')
  github.setBranch(SHOP, 'v1', TEA)

  expect(await resolve('v1')).toMatchObject({ kind: 'tag', sha: TEA })
})

test('a name that is also the beginning of another commit is refused', async () => {
  const { github, resolve } = await shop()
  github.setBranch(SHOP, 'abc1234', COFFEE)
  github.fail({
    path: /commits\/abc1234$/,
    with: { status: 200, body: { sha: TEA } },
  })

  expect((await problemOf(resolve('abc1234'))).message).toBe(
    'abc1234 is a branch (def5678) and a commit (abc1234).',
  )
})

test('a full id is the commit, also where a branch is called so', async () => {
  const { github, resolve } = await shop()
  github.setBranch(SHOP, TEA, COFFEE)

  expect(await resolve(TEA)).toMatchObject({ kind: 'commit', sha: TEA })
  expect(await resolve(`refs/heads/${TEA}`)).toMatchObject({ kind: 'branch', sha: COFFEE })
})

test.each(['nothing', 'refs/heads/nothing', 'refs/pull/1/head', 'abc123', 'a'.repeat(40)])(
  '%s is nothing there',
  async (ref) => {
    const { resolve } = await shop()

    expect((await problemOf(resolve(ref))).message).toBe(`acme/shop has no branch, tag or commit "${ref}".`)
  },
)

test.each([
  '',
  '.',
  '..',
  'a..b',
  '../../../user',
  'a b',
  'a\n',
  'a@{1}',
  'HEAD~1',
  'x.lock',
  '/a',
  'a/',
  '@',
])('“%s” is no name of anything, and GitHub is not asked', async (ref) => {
  const { github, resolve } = await shop()

  expect((await problemOf(resolve(ref))).code).toBe('ref_wrong')
  expect(github.requests).toEqual([])
})

test.each([
  ['fine-grained', { type: 'fine-grained', login: 'mona', permissions: { deployments: 'write' } }],
  ['classic', { type: 'classic', login: 'mona', scopes: ['repo_deployment'] }],
] as const)(
  'a %s token that may not read the code is told so, and takes a full id as it is',
  async (_, token) => {
    const { github } = await shop()
    github.addToken('narrow', token)
    const resolve = (ref: string) => clientOf(github, 'narrow').resolveRef(SHOP, ref)

    const problem = await problemOf(resolve('main'))

    expect(problem.message).toBe(
      'The token may not read the code of acme/shop, so that "main" cannot be looked up.',
    )
    expect(await resolve(TEA)).toEqual({ kind: 'commit', sha: TEA, name: TEA })
  },
)

test('a ref of another name than was asked for is none', async () => {
  const { github, resolve } = await shop()
  const body = { ref: 'refs/heads/trunk', object: { type: 'commit', sha: TEA } }
  github.fail({ path: /heads%2Fmaster$/, with: { status: 200, body } })

  expect((await problemOf(resolve('master'))).code).toBe('ref_unknown')
})

test('GitHub’s failures are handed on', async () => {
  const { github, resolve } = await shop()
  github.fail({ path: /ref\/tags/, with: { status: 502, body: '<html>' } })

  expect((await refusalOf(resolve('main'))).status).toBe(502)
})
