import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { serve, TOKEN, type Served } from '../support/journey.ts'

const SHOP = 'acme/shop'

/** A shop whose commands write down what they deploy; Ferryman's token has these scopes. */
const shopWith = (...scopes: readonly string[]): Promise<Served> =>
  serve({
    commands: [['sh', '-c', 'echo "$GITHUB_SHA" >> deployed']],
    prepare: ({ github }) => github.addToken(TOKEN, { login: 'ferryman-robot', type: 'classic', scopes }),
  })

const commitOfFork = ({ github }: Served): string => {
  const [commit] = github.pushToFork(SHOP, 'mallory/shop', [{ message: 'Sell for nothing' }])
  return commit?.sha ?? ''
}

const deployedIn = ({ folder }: Served): string => {
  const file = join(folder, 'deployed')
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

/** Whether anything was asked about whose commit something is. */
const wasAsked = ({ github }: Served): boolean =>
  github.requests.some(({ path }) => /\/(git\/ref|compare)\//.test(path))

test('one that is named by its id runs nothing, and everybody hears why', async () => {
  const world = await shopWith('repo')
  const sha = commitOfFork(world)

  const deployment = await world.deploy({ ref: sha })
  await world.status(deployment, 'error')

  const why = `Not deployed: ${sha.slice(0, 7)} is on no branch or tag of acme/shop, but perhaps on a fork’s. Push it to a branch there.`
  expect(world.statuses(deployment)).toEqual([`error: ${why}`])
  expect(deployedIn(world)).toBe('')
  await world.slack.waitFor(({ text }) => text?.endsWith(why) ?? false)
  const [delivery] = world.github.deliveries
  expect(JSON.parse(delivery?.answer.body ?? '')).toMatchObject({ verdict: 'deciding' })
})

test('one that is named as a pull request is looked at in the same way, and never begins before', async () => {
  const world = await shopWith('repo')
  const own = await world.deploy()
  await world.status(own, 'success')
  const event = structuredClone(world.github.events.deployment(own))
  const sha = commitOfFork(world)

  await world.github.deliver('deployment', {
    ...event,
    deployment: { ...event.deployment, id: own.id + 1_000, sha, ref: 'refs/pull/7/head' },
  })

  const ended = await world.waitForJournal((line) => line.includes('"reason":"foreign_commit"'))
  expect(ended).toContain('acme/shop/production#2')
  expect(deployedIn(world)).toBe(`${world.sha}\n`)
})

test('a commit of our own deploys by its id, and a branch without anything being asked', async () => {
  const world = await shopWith('repo')

  await world.status(await world.deploy({ ref: 'main' }), 'success')
  const isAsked = wasAsked(world)
  await world.status(await world.deploy({ ref: world.sha }), 'success')

  expect(isAsked).toBe(false)
  expect(wasAsked(world)).toBe(true)
  expect(deployedIn(world)).toBe(`${world.sha}\n${world.sha}\n`)
})

test('where the token may not look, who may deploy is believed', async () => {
  const world = await shopWith('repo_deployment')
  const sha = commitOfFork(world)

  await world.status(await world.deploy({ ref: sha }), 'success')

  expect(deployedIn(world)).toBe(`${sha}\n`)
})
