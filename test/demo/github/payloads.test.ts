import { expect, test } from 'vitest'

import { post, shopAtGitHub } from '../../support/doubles.ts'
import { createWebhookCheck } from '../../support/openapi.ts'

const wrongPayload = createWebhookCheck()

test('the events about deployments are as GitHub describes them', async () => {
  const { github } = await shopAtGitHub()
  const { deployment } = await github.createDeployment('acme/shop', { ref: 'main', payload: 'words' })
  await post(github, `/repos/acme/shop/deployments/${deployment.id}/statuses`, { state: 'success' })

  expect(wrongPayload('deployment', github.events.deployment(deployment))).toEqual([])
  expect(wrongPayload('deployment_status', github.events.deploymentStatus(deployment))).toEqual([])
})

test('a ping is as GitHub describes it', async () => {
  const { github } = await shopAtGitHub()
  const hook = github.addHook('acme/shop', { url: 'http://127.0.0.1:1', secret: 'hidden' })

  expect(wrongPayload('ping', github.events.ping(hook))).toEqual([])
})

test('a push names the commits it brings, and may make or delete a branch', async () => {
  const { github, sha: before } = await shopAtGitHub()
  const [one, two] = ['b'.repeat(40), 'c'.repeat(40)]
  github.addCommits('acme/shop', [
    { sha: one, message: 'Sell tea' },
    { sha: two, message: 'Sell coffee' },
  ])
  const push = (given: object) =>
    github.events.push('acme/shop', { ref: 'refs/heads/main', pusher: 'mona', ...given })

  const pushed = push({ before, after: two })
  const made = push({ after: two })
  const deleted = push({ before })

  for (const payload of [pushed, made, deleted]) expect(wrongPayload('push', payload)).toEqual([])
  expect(pushed.commits.map(({ id }) => id)).toEqual([one, two])
  expect(pushed.head_commit?.message).toBe('Sell coffee')
  expect(made).toMatchObject({ created: true, before: '0'.repeat(40) })
  expect(deleted).toMatchObject({ deleted: true, head_commit: null, after: '0'.repeat(40) })
})

test('a pull request can be opened, closed and merged', async () => {
  const { github, sha } = await shopAtGitHub()
  const request = {
    number: 7,
    title: 'Sell tea',
    base: { branch: 'main', sha },
    head: { branch: 'tea', sha: 'b'.repeat(40) },
    author: 'mona',
  }

  const opened = github.events.pullRequest('acme/shop', { action: 'opened', ...request })
  const closed = github.events.pullRequest('acme/shop', { action: 'closed', ...request })
  const merged = github.events.pullRequest('acme/shop', {
    action: 'closed',
    ...request,
    merged: { sha: 'c'.repeat(40), by: 'hubot' },
  })

  for (const payload of [opened, closed, merged]) expect(wrongPayload('pull_request', payload)).toEqual([])
  expect(opened.pull_request).toMatchObject({ state: 'open', merged: false })
  expect(closed.pull_request).toMatchObject({ state: 'closed', merged: false, merge_commit_sha: null })
  expect(merged.pull_request).toMatchObject({
    merged: true,
    merge_commit_sha: 'c'.repeat(40),
    merged_by: { login: 'hubot' },
  })
})

test('what is reported about a commit, and a branch that comes and goes, are as GitHub describes them', async () => {
  const { github, sha } = await shopAtGitHub()
  const status = github.addCommitStatus('acme/shop', sha, { context: 'ci', state: 'failure' })
  const run = github.addCheckRun('acme/shop', sha, {
    name: 'test',
    status: 'completed',
    conclusion: 'success',
  })
  const { events } = github
  const change = { branch: 'tea', by: 'mona' }

  expect(wrongPayload('status', events.status('acme/shop', status))).toEqual([])
  for (const action of ['created', 'completed'] as const)
    expect(wrongPayload('check_run', events.checkRun('acme/shop', run, action))).toEqual([])
  expect(wrongPayload('check_suite', events.checkSuite('acme/shop', run))).toEqual([])
  expect(wrongPayload('create', events.branch('acme/shop', { ...change, isNew: true }))).toEqual([])
  expect(wrongPayload('delete', events.branch('acme/shop', { ...change, isNew: false }))).toEqual([])
})
