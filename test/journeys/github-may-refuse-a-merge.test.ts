import { expect, test } from 'vitest'

import type { ScriptedAnswer } from '../../src/demo/faults.ts'
import { createWorld, startProcess, TOKEN } from '../support/journey.ts'
import { openShop, type Shop } from '../support/merging.ts'

const CREATE = { method: 'POST', path: /\/deployments$/ }

const held = (shop: Shop, reason: string) =>
  shop.waitForJournal((line) => line.includes('deployment:held') && line.includes(reason))
const ended = (shop: Shop) => shop.waitForJournal((line) => line.includes('deployment:ended'))
const creations = ({ github }: Shop): number =>
  github.requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/deployments')).length

async function mergeInto(shop: Shop, answer?: ScriptedAnswer): Promise<string> {
  if (answer !== undefined) shop.github.fail({ ...CREATE, with: answer })
  const sha = await shop.commit('Faster')
  await shop.merge(sha)
  return sha
}

test.each<[string, ScriptedAnswer, string]>([
  [
    'a merge conflict (409)',
    { status: 409, body: { message: 'Conflict merging main into topic-branch.' } },
    'GitHub answered 409: Conflict merging main into topic-branch',
  ],
  [
    'a commit that it does not have (422)',
    {
      status: 422,
      body: {
        message: 'No ref found for: main',
        documentation_url: 'https://docs.github.com/rest/deployments/deployments#create-a-deployment',
        status: '422',
      },
    },
    'GitHub answered 422: No ref found for: main',
  ],
  [
    'a field that it does not take (422)',
    {
      status: 422,
      body: {
        message: 'Validation Failed',
        errors: [{ resource: 'Deployment', field: 'environment', code: 'custom', message: 'is too long' }],
      },
    },
    'GitHub answered 422: Validation Failed',
  ],
])('%s ends the merge with that sentence, in Slack too', async (_what, answer, sentence) => {
  const shop = await openShop()

  await mergeInto(shop, answer)
  const line = await ended(shop)
  const message = await shop.slack.waitFor(({ text }) => text?.startsWith('Could not deploy') ?? false)

  expect(line).toContain('github_refused')
  expect(line).toContain(sentence)
  expect(message.text).toContain(sentence)
  expect(creations(shop)).toBe(1)
})

test('an auto-merge in place of a deployment (202) is no deployment: GitHub is asked again', async () => {
  const shop = await openShop()

  const sha = await mergeInto(shop, {
    status: 202,
    body: { message: 'Auto-merged main into topic-branch on deployment.' },
  })
  await shop.status(await shop.made(sha), 'success')

  expect(await held(shop, 'github_unavailable')).toContain('GitHub merged branches instead')
  expect(creations(shop)).toBe(2)
})

test.each<[string, ScriptedAnswer]>([
  [
    'its hourly limit (403)',
    {
      status: 403,
      headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000)) },
      body: { message: 'API rate limit exceeded for user ID 1.' },
    },
  ],
  [
    'a secondary limit with Retry-After (403)',
    {
      status: 403,
      headers: { 'retry-after': '1' },
      body: {
        message: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
      },
    },
  ],
  [
    'too many requests (429)',
    { status: 429, headers: { 'retry-after': '1' }, body: { message: 'Slow down' } },
  ],
  [
    'a page of a proxy (502)',
    { status: 502, headers: { 'content-type': 'text/html' }, body: '<h1>Bad Gateway</h1>' },
  ],
  [
    'a sign-in page (200)',
    { status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>Sign in</h1>' },
  ],
])('%s is waited out, and the merge is deployed once', async (_what, answer) => {
  const shop = await openShop()

  const sha = await mergeInto(shop, answer)
  await held(shop, 'github_unavailable')
  await shop.status(await shop.made(sha), 'success')

  expect(shop.repository.deployments).toHaveLength(1)
})

test('a secondary limit without Retry-After rests a minute, whatever happens meanwhile', async () => {
  const shop = await openShop({ config: { catch_up: 'off' }, entry: { required_contexts: ['ci/test'] } })
  shop.github.fail({
    path: /\/branches\/main$/,
    with: { status: 403, body: { message: 'You have exceeded a secondary rate limit.' } },
  })
  const sha = await shop.commit('Faster')
  await shop.merge(sha)
  await held(shop, 'github_unavailable')
  const before = shop.github.requests.length

  for (let count = 0; count < 5; count += 1) await shop.checked(sha)

  expect(shop.github.requests.length).toBe(before)
})

test.each([
  [
    'a missing right (403)',
    { status: 403, body: { message: 'Resource not accessible by personal access token' } },
  ],
  ['a token that is worth nothing (401)', { status: 401, body: { message: 'Bad credentials' } }],
  ['a repository that it hides (404)', { status: 404, body: { message: 'Not Found' } }],
])('%s is said, and tried again once the configuration was mended', async (_what, answer) => {
  const shop = await openShop()

  const sha = await mergeInto(shop, answer)
  expect(await held(shop, 'github_forbids')).toContain(answer.body.message)
  await shop.reconfigure({})
  await shop.status(await shop.made(sha), 'success')
})

test.each(['reset', 'reset-after-applying'] as const)(
  'an answer that was lost (%s) leads to one deployment',
  async (fault) => {
    const shop = await openShop()
    shop.github.setWebhookTiming('without')
    shop.github.fail({ ...CREATE, with: fault })
    const sha = await shop.commit('Faster')

    await shop.merge(sha)
    await held(shop, 'github_unavailable')
    await shop.waitForJournal((line) => line.includes('"deployment:ended"') && line.includes('succeeded'))

    expect(shop.repository.deployments.map((one) => one.sha)).toEqual([sha])
    expect(creations(shop)).toBe(fault === 'reset' ? 2 : 1)
  },
)

test('what GitHub made without our hearing of it hears of the end', async () => {
  const shop = await openShop()
  shop.github.setWebhookTiming('without')
  shop.github.fail({ ...CREATE, with: 'reset-after-applying' })
  const sha = await shop.commit('Faster')
  await shop.merge(sha)
  await held(shop, 'github_unavailable')

  await shop.reconfigure({ entry: { deploy_on: 'none' } })
  await ended(shop)
  const [deployment] = shop.repository.deployments
  if (deployment === undefined) throw new Error('GitHub made none.')
  await shop.status(deployment, 'error')

  expect(shop.statuses(deployment)).toEqual([
    'error: It was changed while this waited: deploy_on is none now.',
  ])
})

test('a refusal for checks that names none is waited out', async () => {
  const shop = await openShop({
    entry: { required_contexts: ['ci/test'] },
    prepare: ({ github }) =>
      github.addToken(TOKEN, {
        login: 'ferryman-robot',
        type: 'fine-grained',
        permissions: { deployments: 'write', contents: 'read' },
      }),
  })
  const sha = await mergeInto(shop, {
    status: 409,
    body: { message: 'Conflict: Commit status checks failed for main.', errors: [{ contexts: [] }] },
  })
  await shop.waitForJournal((line) => line.includes('Waiting for the required checks'))

  shop.github.addCommitStatus('acme/shop', sha, { context: 'ci/test', state: 'success' })
  await shop.checked(sha)
  await shop.status(await shop.made(sha), 'success')
})

test('a GitHub that is away when a merge comes is asked until it is back', async () => {
  const shop = await openShop()
  shop.github.fail({ path: /\/repos\//, times: 2, with: 'reset' })
  const sha = await shop.commit('Faster')

  await shop.merge(sha)
  await held(shop, 'github_unavailable')
  await shop.status(await shop.made(sha), 'success')
})

test('a server that is killed while GitHub makes the deployment finds it again, and deploys it once', async () => {
  const world = await createWorld({ commands: [['sh', '-c', 'echo "$GITHUB_SHA" >> deployed']] })
  world.github.addToken(TOKEN, { login: 'ferryman-robot', type: 'classic', scopes: ['repo'] })
  world.github.setWebhookTiming('without')
  const server = await startProcess(world)
  await server.waitForLine((line) => line.includes('environment:first-seen'))
  const sha = 'e'.repeat(40)
  world.github.addCommits('acme/shop', [{ sha, message: 'Faster' }])
  const gate = world.github.hold({ ...CREATE, before: 'answer' })

  await world.github.deliver(
    'pull_request',
    world.github.events.pullRequest('acme/shop', {
      action: 'closed',
      number: 1,
      title: 'Faster',
      base: { branch: 'main', sha: world.sha },
      head: { branch: 'topic', sha: 'c'.repeat(40) },
      author: 'octo',
      merged: { sha, by: 'mona' },
    }),
  )
  await gate.arrived()
  await server.end('SIGKILL')
  gate.release()
  const again = await startProcess(world)
  const [deployment] = world.repository.deployments
  if (deployment === undefined) throw new Error('GitHub made no deployment.')
  await world.status(deployment, 'success')

  expect(world.repository.deployments).toHaveLength(1)
  expect(await again.end('SIGTERM')).toBe(0)
})
