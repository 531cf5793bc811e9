import { expect, test } from 'vitest'

import { createGitHub } from '../../src/github/client.ts'
import { githubForTest } from '../support/doubles.ts'

const TOKEN = 'mona-token'

async function shop() {
  const github = await githubForTest()
  github.addToken(TOKEN, { login: 'mona', type: 'classic', scopes: ['repo'] })
  const repository = github.addRepository('acme/shop', { id: 17, isPrivate: true })
  const sha = repository.branches.get('main')?.sha ?? ''
  const client = (token = TOKEN) => createGitHub({ token, apiUrl: github.url, version: 'test' })
  return { github, sha, client }
}

test('what has not changed is asked for at no cost, and answered as before', async () => {
  const { github, sha, client } = await shop()
  const mona = client()

  const first = await mona.reportedChecks('acme/shop', sha)
  const left = mona.budget?.remaining
  const second = await mona.reportedChecks('acme/shop', sha)

  expect(second).toEqual(first)
  expect(mona.budget?.remaining).toBe(left)
  expect(github.requests.map(({ answer }) => answer?.status)).toEqual([200, 200, 304, 304])
})

test('what has changed is answered as it is now', async () => {
  const { github, sha, client } = await shop()
  const mona = client()
  await mona.reportedChecks('acme/shop', sha)

  github.addCommitStatus('acme/shop', sha, { context: 'ci/test', state: 'success' })

  expect((await mona.reportedChecks('acme/shop', sha)).statuses).toEqual([
    { context: 'ci/test', state: 'success' },
  ])
  expect((await mona.reportedChecks('acme/shop', sha)).statuses).toHaveLength(1)
})

test('whoever may not see it any more sees nothing of what was answered before', async () => {
  const { github, sha, client } = await shop()
  const mona = client()
  await mona.reportedChecks('acme/shop', sha)

  github.fail({ times: 1, with: { status: 404, body: { message: 'Not Found' } } })

  await expect(mona.reportedChecks('acme/shop', sha)).rejects.toThrow('404')
})

test('every request is heard of, whatever it costs', async () => {
  const { github, sha } = await shop()
  let asked = 0
  const mona = createGitHub({ token: TOKEN, apiUrl: github.url, version: 'test', asked: () => (asked += 1) })

  await mona.reportedChecks('acme/shop', sha)
  await mona.reportedChecks('acme/shop', sha)

  expect(asked).toBe(4)
})
