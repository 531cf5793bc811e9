import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, inject, test } from 'vitest'

import { serve } from '../support/journey.ts'
import { emptyDatabase } from '../support/stores.ts'

test('a signed delivery becomes a deployment, three statuses and two messages', async () => {
  const { deploy, status, statuses, slack, log, github, sha, folder } = await serve({
    commands: [['sh', '-c', 'echo "$GITHUB_SHA" > deployed']],
  })

  const deployment = await deploy()
  await status(deployment, 'success')

  expect(statuses(deployment)).toEqual([
    'queued: Waiting in line as acme/shop/production#1',
    `in_progress: Deploying ${sha.slice(0, 7)} as acme/shop/production#1`,
    expect.stringMatching(
      new RegExp(`^success: Deployed ${sha.slice(0, 7)}, in \\d\\.\\d s \\(acme/shop/production#1\\)$`),
    ),
  ])
  await slack.waitFor(({ text }) => text === `Deployed acme/shop/production#1 at ${sha.slice(0, 7)}, by mona`)
  expect(slack.messages[0]?.text).toBe(`Deploying acme/shop/production#1 at ${sha.slice(0, 7)}, by mona`)
  const [delivery] = github.deliveries
  expect([delivery?.answer.status, JSON.parse(delivery?.answer.body ?? '')]).toEqual([
    202,
    {
      verdict: 'queued',
      delivery: delivery?.guid,
      deployments: [
        { id: 1, name: 'acme/shop/production#1', url: 'https://deploy.example.org/deployments/1/log' },
      ],
    },
  ])
  expect(await log(1)).toContain('▸ exit 0')
  expect(existsSync(join(folder, 'deployed'))).toBe(true)
})

test('a failure says what went wrong on GitHub and shows the last lines in Slack', async () => {
  const { deploy, status, slack } = await serve({
    commands: [
      ['sh', '-c', 'echo building; echo "error: no such table <b>" >&2; exit 3'],
      ['touch', 'never'],
    ],
  })

  const deployment = await deploy()
  const { body } = await status(deployment, 'failure')

  expect(Reflect.get(Object(body), 'description')).toMatch(/exited with 3: error: no such table <b>$/)
  const message = await slack.waitFor(({ text }) => text?.startsWith('Could not deploy') ?? false)
  expect(JSON.stringify(message.blocks)).toContain('building\\nerror: no such table &lt;b&gt;')
})

test('a success shows no output in Slack', async () => {
  const { deploy, status, slack } = await serve({ commands: [['echo', 'chatter']] })

  await status(await deploy(), 'success')

  const message = await slack.waitFor(({ text }) => text?.startsWith('Deployed') ?? false)
  expect(JSON.stringify(message)).not.toContain('chatter')
})

test('a robot deploys for the person that it names', async () => {
  const { deploy, status, log, slack } = await serve({
    commands: [['sh', '-c', 'echo "for $GITHUB_CREATOR"']],
  })

  await status(await deploy({ payload: { deploy_user: 'hubot-friend' } }, 'acme-bot[bot]'), 'success')

  expect(await log(1)).toContain('for hubot-friend')
  expect(slack.messages[0]?.text).toMatch(/by hubot-friend$/)
})

test('one failing step leaves the others alone and frees the lane', async () => {
  const { deploy, status, statuses } = await serve({ commands: [['sh', '-c', 'test ! -e broken']] })
  const fine = await deploy()
  await status(fine, 'success')

  const again = await deploy()
  await status(again, 'success')

  expect(statuses(again)[0]).toBe('queued: Waiting in line as acme/shop/production#2')
})

test('environments have their own commands, numbers and lanes', async () => {
  const world = await serve({
    repositories: {
      'acme/shop': {
        folder: '.',
        environments: {
          production: { commands: [['echo', 'to production']], lane: 'shop' },
          staging: {
            commands: [['echo', 'to staging']],
            lane: 'shop',
            environment_url: 'https://staging.example.org',
          },
        },
      },
    },
  })

  const staging = await world.deploy({ environment: 'staging' })
  await world.status(staging, 'success')

  expect(world.github.statusesOf(staging.id).at(-1)).toMatchObject({
    environmentUrl: 'https://staging.example.org',
  })
  expect(await world.log(1)).toContain('to staging')
  expect(world.statuses(staging)[0]).toContain('acme/shop/staging#1')
})

describe.skipIf(inject('postgres') === undefined)('on PostgreSQL', () => {
  test('the same journey ends the same', async () => {
    const { address, drop } = await emptyDatabase.postgres()
    const world = await serve({ config: { database: address } })

    const deployment = await world.deploy()
    await world.status(deployment, 'success')
    await world.restart()
    await world.status(await world.deploy(), 'success')

    expect(world.statuses(deployment).map((status) => status.split(':')[0])).toEqual([
      'queued',
      'in_progress',
      'success',
    ])
    await world.stop()
    await drop()
  })
})

test('GitHub Enterprise Server is reported to as well, and linked to', async () => {
  const world = await serve({ apiRoot: '/api/v3' })

  await world.status(await world.deploy(), 'success')

  const message = await world.slack.waitFor(({ text }) => text?.startsWith('Deployed') ?? false)
  const server = world.github.url.replace('/api/v3', '')
  expect(JSON.stringify(message.blocks)).toContain(`<${server}/acme/shop/commit/${world.sha}|`)
})

test('a repository that was renamed on GitHub goes on under its numeric id', async () => {
  const world = await serve({ commands: [['true']] })
  const deployment = await world.deploy()
  await world.status(deployment, 'success')
  await world.restart()

  const renamed = structuredClone(world.github.events.deployment(deployment))
  const { status, body } = await world.github.deliver('deployment', {
    ...renamed,
    deployment: { ...renamed.deployment, id: 999_999 },
    repository: { ...renamed.repository, full_name: 'acme/store', name: 'store' },
  })

  expect([status, JSON.parse(body)]).toMatchObject([
    202,
    { deployments: [{ name: 'acme/store/production#2' }] },
  ])
})
