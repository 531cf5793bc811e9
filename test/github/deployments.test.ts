import { expect, test } from 'vitest'

import type { WantedDeployment } from '../../src/github/github.ts'
import { clientOf, refusalOf, shopAtGitHub } from '../support/doubles.ts'

const SHOP = 'acme/shop'
const wanted = (sha: string, given: Partial<WantedDeployment> = {}): WantedDeployment => ({
  sha,
  environment: 'production',
  task: 'deploy',
  description: 'Sell tea (#7)',
  payload: { ferryman: { automatic: true } },
  requiredContexts: [],
  ...given,
})

test('a deployment is made of exactly that commit, without merging and without contexts', async () => {
  const { github, sha } = await shopAtGitHub()

  const made = await clientOf(github).createDeployment(SHOP, wanted(sha))

  const [{ body, answer } = {}] = github.requests
  expect(body).toEqual({
    ref: sha,
    environment: 'production',
    task: 'deploy',
    description: 'Sell tea (#7)',
    payload: { ferryman: { automatic: true } },
    auto_merge: false,
    required_contexts: [],
  })
  expect(made).toEqual({
    githubId: Reflect.get(Object(answer?.body), 'id') as unknown,
    apiUrl: Reflect.get(Object(answer?.body), 'url') as unknown,
    creator: 'mona',
    creatorAvatar: expect.stringContaining('/avatars/u/') as string,
    payload: { ferryman: { automatic: true } },
  })
})

test('all contexts are asked for by not naming any', async () => {
  const { github, sha } = await shopAtGitHub()
  github.addCommitStatus(SHOP, sha, { context: 'ci', state: 'pending' })

  const asking = clientOf(github).createDeployment(SHOP, wanted(sha, { requiredContexts: 'all' }))
  const { status, contexts } = await refusalOf(asking)

  expect(github.requests[0]?.body).not.toHaveProperty('required_contexts')
  expect([status, contexts]).toEqual([409, [{ context: 'ci', state: 'pending' }]])
})

test('named contexts are handed to GitHub', async () => {
  const { github, sha } = await shopAtGitHub()
  github.addCommitStatus(SHOP, sha, { context: 'ci', state: 'success' })
  const make = (...requiredContexts: string[]) =>
    clientOf(github).createDeployment(SHOP, wanted(sha, { requiredContexts }))

  expect(await make('ci')).toHaveProperty('githubId')
  expect((await refusalOf(make('ci', 'lint'))).contexts).toEqual([{ context: 'lint', state: 'pending' }])
})

test('a branch that GitHub merged is no deployment', async () => {
  const { github, sha } = await shopAtGitHub()
  github.fail({
    with: { status: 202, body: { message: 'Auto-merged master into topic-branch on deployment.' } },
  })

  expect(await clientOf(github).createDeployment(SHOP, wanted(sha))).toBe('auto_merged')
})

test('a deployment whose answer was lost is found again', async () => {
  const { github, sha } = await shopAtGitHub()
  github.fail({ method: 'POST', with: 'reset-after-applying' })
  const client = clientOf(github)

  const { message, status } = await refusalOf(client.createDeployment(SHOP, wanted(sha)))
  const found = await client.deployments(SHOP, { sha, environment: 'production', task: 'deploy' })

  expect(message).toContain('GitHub cannot be reached: ')
  expect(status).toBeUndefined()
  expect(found).toMatchObject([{ creator: 'mona', payload: { ferryman: { automatic: true } } }])
})

test('deployments of a commit, environment and task are listed newest first', async () => {
  const { github, sha } = await shopAtGitHub()
  const other = 'b'.repeat(40)
  github.addCommits(SHOP, [{ sha: other, message: 'Sell coffee' }])
  const client = clientOf(github)
  for (const given of [
    wanted(sha, { payload: { first: 1 } }),
    wanted(other),
    wanted(sha, { task: 'migrate' }),
    wanted(sha, { environment: 'staging' }),
    wanted(sha, { payload: { second: 2 } }),
  ])
    await client.createDeployment(SHOP, given)
  await github.createDeployment(SHOP, { ref: sha, payload: 'words' })

  const found = await client.deployments(SHOP, { sha, environment: 'production', task: 'deploy' })

  expect(found.map(({ payload }) => payload)).toEqual(['words', { second: 2 }, { first: 1 }])
})

test('a status that is written can be read again', async () => {
  const { github, sha } = await shopAtGitHub()
  const client = clientOf(github)
  const { deployment } = await github.createDeployment(SHOP, { ref: sha })
  const links = { logUrl: 'https://ferryman.example.org/1', environmentUrl: 'https://shop.example.org' }

  await client.createStatus(SHOP, deployment.id, { state: 'in_progress', description: 'Running' })
  await client.createStatus(SHOP, deployment.id, { state: 'success', description: 'Deployed', ...links })

  expect(await client.statuses(SHOP, deployment.id)).toEqual([
    { state: 'success', description: 'Deployed', ...links },
    { state: 'in_progress', description: 'Running', logUrl: undefined, environmentUrl: undefined },
  ])
})
