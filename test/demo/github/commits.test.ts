import { expect, test } from 'vitest'

import { ask, post, shopAtGitHub } from '../../support/doubles.ts'

const SHOP = '/repos/acme/shop'

test('a repository says its default branch and whether the caller may push', async () => {
  const { github } = await shopAtGitHub()
  github.addToken('reader', { type: 'fine-grained', login: 'mona', permissions: { contents: 'read' } })

  const own = await ask(github, SHOP)
  const read = await ask(github, SHOP, { token: 'reader' })

  expect(own.body).toMatchObject({
    id: 17,
    private: true,
    default_branch: 'main',
    permissions: { push: true },
  })
  expect(read.body).toMatchObject({ permissions: { push: false } })
})

test('a branch shows its newest commit, and each commit its parent', async () => {
  const { github, sha } = await shopAtGitHub()
  github.addCommits('acme/shop', [{ sha: 'b'.repeat(40), message: 'Sell tea' }])

  const branch = await ask(github, `${SHOP}/branches/main`)
  const commit = await ask(github, `${SHOP}/commits/${'b'.repeat(40)}`)

  expect(branch.body).toMatchObject({ commit: { sha: 'b'.repeat(40) } })
  expect(commit.body).toMatchObject({ commit: { message: 'Sell tea' }, parents: [{ sha }] })
})

test('a commit or branch that is not there is refused as GitHub does', async () => {
  const { github } = await shopAtGitHub()

  expect(await ask(github, `${SHOP}/commits/none`)).toMatchObject({
    status: 422,
    body: { message: 'No commit found for SHA: none' },
  })
  expect(await ask(github, `${SHOP}/branches/none`)).toMatchObject({
    status: 404,
    body: { message: 'Branch not found' },
  })
  expect((await ask(github, `${SHOP}/commits/none/status`)).status).toBe(404)
})

test('a commit without statuses is pending', async () => {
  const { github } = await shopAtGitHub()

  expect((await ask(github, `${SHOP}/commits/main/status`)).body).toMatchObject({
    state: 'pending',
    total_count: 0,
  })
})

test('the combined status takes the newest of each context', async () => {
  const { github, sha } = await shopAtGitHub()
  const report = (body: object) => post(github, `${SHOP}/statuses/${sha}`, body)
  const combined = async () => (await ask(github, `${SHOP}/commits/${sha}/status`)).body

  await report({ state: 'pending', context: 'ci' })
  await report({ state: 'success', context: 'ci', target_url: 'https://ci.example.org' })
  expect(await combined()).toMatchObject({ state: 'success', total_count: 1 })

  await report({ state: 'error', context: 'lint' })
  expect(await combined()).toMatchObject({ state: 'failure', total_count: 2 })
})

test('a commit status of 141 characters, an unknown state and an unknown commit are refused', async () => {
  const { github, sha } = await shopAtGitHub()

  for (const [at, body] of [
    [sha, { state: 'success', description: 'x'.repeat(141) }],
    [sha, { state: 'in_progress' }],
    ['c'.repeat(40), { state: 'success' }],
  ] as const)
    expect((await post(github, `${SHOP}/statuses/${at}`, body)).status).toBe(422)
})

test('the newest run of each check is listed, or all of them', async () => {
  const { github, sha } = await shopAtGitHub()
  github.addCheckRun('acme/shop', sha, { name: 'test', status: 'completed', conclusion: 'failure' })
  github.addCheckRun('acme/shop', sha, { name: 'test', status: 'completed', conclusion: 'success' })
  github.addCheckRun('acme/shop', sha, { name: 'lint', status: 'queued', conclusion: null })
  const runs = async (query: string) => (await ask(github, `${SHOP}/commits/${sha}/check-runs${query}`)).body

  expect(await runs('')).toMatchObject({
    total_count: 2,
    check_runs: [
      { name: 'lint', conclusion: null },
      { name: 'test', conclusion: 'success' },
    ],
  })
  expect(await runs('?filter=all')).toMatchObject({ total_count: 3 })
  expect(await runs('?check_name=lint&status=queued')).toMatchObject({ total_count: 1 })
})

test('two commits are compared, with their files on the first page alone', async () => {
  const { github, sha } = await shopAtGitHub()
  const [tea, coffee, milk] = ['b'.repeat(40), 'c'.repeat(40), 'd'.repeat(40)] as const
  github.setBranch('acme/shop', 'feature/milk', sha)
  github.addCommits('acme/shop', [{ sha: milk, message: 'Sell milk' }], 'feature/milk')
  github.addCommits('acme/shop', [
    { sha: tea, message: 'Sell tea' },
    { sha: coffee, message: 'Sell coffee' },
  ])

  const ahead = await ask(github, `${SHOP}/compare/${sha}...main`)
  const second = await ask(github, `${SHOP}/compare/${sha}...main?per_page=1&page=2`)
  const diverged = await ask(github, `${SHOP}/compare/feature/milk...main`)
  const behind = await ask(github, `${SHOP}/compare/main...${sha}`)

  expect(ahead.body).toMatchObject({
    status: 'ahead',
    ahead_by: 2,
    behind_by: 0,
    commits: [{ sha: tea }, { sha: coffee }],
    files: [],
  })
  expect(second.body).toMatchObject({ total_commits: 2, commits: [{ sha: coffee }] })
  expect(second.body).not.toHaveProperty('files')
  expect(diverged.body).toMatchObject({
    status: 'diverged',
    ahead_by: 2,
    behind_by: 1,
    merge_base_commit: { sha },
  })
  expect(behind.body).toMatchObject({ status: 'behind', ahead_by: 0, behind_by: 2, commits: [] })
})

test('what has no history in common, or is not there, is not compared', async () => {
  const { github, sha } = await shopAtGitHub()
  const lone = 'e'.repeat(40)
  github.addCommits('acme/shop', [{ sha: lone, message: 'Begin anew' }], 'lone')
  const compared = (basehead: string) => ask(github, `${SHOP}/compare/${basehead}`)

  expect(await compared(`${sha}...lone`)).toMatchObject({
    status: 404,
    body: { message: `No common ancestor between ${sha} and lone.` },
  })
  for (const basehead of ['main...none', 'none...main', 'main', 'main...main...main'])
    expect(await compared(basehead)).toMatchObject({ status: 404, body: { message: 'Not Found' } })
})
