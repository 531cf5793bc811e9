import { expect, test } from 'vitest'

import { clientOf, refusalOf, shopAtGitHub } from '../support/doubles.ts'

const SHOP = 'acme/shop'
const GITHUB_ACTIONS = 15_368

test('nothing reported is two empty lists', async () => {
  const { github, sha } = await shopAtGitHub()

  expect(await clientOf(github).reportedChecks(SHOP, sha)).toEqual({ statuses: [], checkRuns: [] })
})

test('the newest status of each context is told, whatever its case', async () => {
  const { github, sha } = await shopAtGitHub()
  github.addCommitStatus(SHOP, sha, { context: 'CI', state: 'pending' })
  github.addCommitStatus(SHOP, sha, { context: 'ci', state: 'success' })
  github.addCommitStatus(SHOP, sha, { context: 'lint', state: 'error' })

  const { statuses } = await clientOf(github).reportedChecks(SHOP, sha)

  expect(statuses).toEqual([
    { context: 'ci', state: 'success' },
    { context: 'lint', state: 'error' },
  ])
})

test('check runs come with their app, those of one name in two suites both', async () => {
  const { github, sha } = await shopAtGitHub()
  const done = { name: 'test', status: 'completed' } as const
  github.addCheckRun(SHOP, sha, { ...done, conclusion: 'failure' })
  github.addCheckRun(SHOP, sha, { ...done, conclusion: 'success' })
  github.addCheckRun(SHOP, sha, { name: 'test', status: 'queued', conclusion: null, suiteId: 2 })
  github.addCheckRun(SHOP, sha, { ...done, conclusion: 'skipped', app: 'other-ci' })

  const { checkRuns } = await clientOf(github).reportedChecks(SHOP, sha)

  const id = expect.any(Number) as number
  expect(checkRuns).toEqual([
    { id, name: 'test', appId: id, status: 'completed', conclusion: 'skipped' },
    { id, name: 'test', appId: GITHUB_ACTIONS, status: 'queued', conclusion: undefined },
    { id, name: 'test', appId: GITHUB_ACTIONS, status: 'completed', conclusion: 'success' },
  ])
  expect(checkRuns[0]?.appId).not.toBe(GITHUB_ACTIONS)
})

test('every page of statuses and of check runs is read', async () => {
  const { github, sha } = await shopAtGitHub()
  for (let count = 0; count < 201; count += 1) {
    github.addCommitStatus(SHOP, sha, { context: `status ${count}`, state: 'success' })
    github.addCheckRun(SHOP, sha, { name: `run ${count}`, status: 'queued', conclusion: null })
  }

  const { statuses, checkRuns } = await clientOf(github).reportedChecks(SHOP, sha)

  expect(new Set(statuses.map(({ context }) => context)).size).toBe(201)
  expect(new Set(checkRuns.map(({ name }) => name)).size).toBe(201)
  expect(github.requests.map(({ query }) => query)).toEqual([
    ...['1', '2', '3'].map((page) => ({ page, per_page: '100' })),
    ...['1', '2', '3'].map((page) => ({ filter: 'latest', page, per_page: '100' })),
  ])
})

test('a run that is reported anew between two pages stands there once, as it is now', async () => {
  const { github, sha } = await shopAtGitHub()
  for (let count = 0; count < 101; count += 1)
    github.addCommitStatus(SHOP, sha, { context: `status ${count}`, state: 'pending' })
  const held = github.hold({ path: /status$/, before: 'answer' })

  const asking = clientOf(github).reportedChecks(SHOP, sha)
  await held.arrived()
  github.addCommitStatus(SHOP, sha, { context: 'one more', state: 'success' })
  held.release()

  const contexts = (await asking).statuses.map(({ context }) => context)
  expect(contexts).toHaveLength(101)
  expect(new Set(contexts).size).toBe(101)
})

test('checks are closed to a token without that right', async () => {
  const { github, sha } = await shopAtGitHub()
  github.addToken('no-checks', { type: 'fine-grained', login: 'mona', permissions: { statuses: 'read' } })
  github.addToken('narrow', { type: 'classic', login: 'mona', scopes: ['repo_deployment'] })

  expect(await refusalOf(clientOf(github, 'no-checks').reportedChecks(SHOP, sha))).toMatchObject({
    status: 403,
    message: 'GitHub answered 403: Resource not accessible by personal access token',
    headers: { 'x-accepted-github-permissions': 'checks=read' },
  })
  expect(await refusalOf(clientOf(github, 'narrow').reportedChecks(SHOP, sha))).toMatchObject({
    status: 404,
    message: 'GitHub answered 404: Not Found',
  })
})
