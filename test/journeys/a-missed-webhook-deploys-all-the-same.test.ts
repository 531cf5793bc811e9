import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { DEPLOY, openShop, type Shop } from '../support/merging.ts'
import { eventually } from '../support/running.ts'

const LATER_MS = 3 * 60_000

/** The commits that were deployed, in order. */
function deployedIn({ sample }: Shop): string[] {
  const file = join(sample.folder, '..', 'deployed')
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []
}

/** From now on GitHub tells the server nothing; answers the hook that it had. */
function withoutHook({ repository }: Shop) {
  const [hook] = repository.hooks.splice(0)
  if (hook === undefined) throw new Error('There was no hook.')
  return hook
}

/** A pull request that is merged at GitHub. */
async function merged({ sample, github }: Shop, number = 1): Promise<string> {
  const { sha } = await sample.push({ message: `Change ${number}`, files: { 'index.html': `${number}\n` } })
  const request = { number, title: `Change ${number}`, author: 'octo', by: 'mona', method: 'squash' } as const
  await github.merge('acme/shop', { ...request, shas: [sha] })
  return sha
}

/** Resolves when the server has looked where the branch stands, and knows it. */
async function looked({ github, app }: Shop): Promise<void> {
  const looks = () => github.requests.filter(({ path }) => path.endsWith('/branches/main')).length
  for (const time of ['the first', 'the second']) {
    const before = looks()
    app.again()
    await eventually(`it looks for ${time} time`, () => looks() > before) // then the look before it is over
  }
}

const found = ({ journal }: Shop): string[] => journal.filter((line) => line.includes('"catch-up:found"'))

test('a merge of which GitHub tells nobody is deployed once, also when its webhook comes much later', async () => {
  const shop = await openShop()
  const hook = withoutHook(shop)
  const sha = await merged(shop)

  await looked(shop)
  expect(shop.repository.deployments).toEqual([]) // its webhook may be on its way
  shop.setClock(LATER_MS)
  shop.app.again()
  const deployment = await shop.made(sha)
  await shop.status(deployment, 'success')
  const event = shop.github.events.pullRequest('acme/shop', shop.repository.pullRequests[0] ?? expect.fail())
  const late = await shop.github.deliver('pull_request', event, { hook })
  await looked(shop)

  expect(late.status).toBe(200)
  expect(JSON.parse(late.body)).toMatchObject({ verdict: 'repeated', deployments: [{ id: 1 }] })
  expect(deployment).toMatchObject({ description: '#1 Change 1', payload: { pull_request: 1 } })
  expect(deployedIn(shop)).toEqual([`${sha} by mona`])
  expect(found(shop)).toHaveLength(1)
})

test('it is deployed once over restarts, and so is what was merged meanwhile', async () => {
  const shop = await openShop()
  withoutHook(shop)
  const first = await merged(shop, 1)
  await looked(shop)
  await shop.restart({ laterMs: LATER_MS }) // how long it has waited is forgotten
  await looked(shop)
  shop.setClock(3 * LATER_MS)
  shop.app.again()
  await shop.status(await shop.made(first), 'success')
  await shop.stop()
  const second = await merged(shop, 2)

  await shop.restart({ laterMs: LATER_MS })
  await looked(shop)
  shop.setClock(6 * LATER_MS)
  shop.app.again()
  await shop.status(await shop.made(second), 'success')
  await shop.restart({ laterMs: LATER_MS })
  await looked(shop)

  expect(deployedIn(shop)).toEqual([`${first} by mona`, `${second} by mona`])
  expect(found(shop)).toHaveLength(2)
})

test('a push of which GitHub tells nobody is deployed, with whose it is', async () => {
  const shop = await openShop({ entry: { deploy_on: 'push' } })
  withoutHook(shop)
  const made = await shop.sample.push({ message: 'Sell tea', files: { 'index.html': 'Tea\n' } })
  await shop.github.push('acme/shop', [{ ...made, login: 'octo' }])

  await looked(shop)
  shop.setClock(LATER_MS)
  shop.app.again()
  const deployment = await shop.made(made.sha)
  await shop.status(deployment, 'success')

  expect(deployment.description).toBe('Sell tea')
  expect(deployedIn(shop)).toEqual([`${made.sha} by octo`])
})

test('a commit that has failed is not tried again', async () => {
  const shop = await openShop({ commands: [...DEPLOY, ['false']] })
  const sha = await merged(shop)
  await shop.status(await shop.made(sha), 'failure')
  withoutHook(shop)

  await looked(shop)
  shop.setClock(LATER_MS)
  await looked(shop)

  expect(deployedIn(shop)).toEqual([`${sha} by mona`])
  expect(found(shop)).toEqual([])
})

test('a lock delays it, and loses nothing', async () => {
  const shop = await openShop()
  const lock = await shop.deploy({ task: 'deploy:lock', payload: { reason: 'We move the shop' } })
  await shop.status(lock, 'success')
  withoutHook(shop)
  const sha = await merged(shop)
  await looked(shop)
  shop.setClock(LATER_MS)
  shop.app.again()
  await shop.waitForJournal((line) => line.includes('"deployment:held"') && line.includes('"locked"'))
  expect(deployedIn(shop)).toEqual([])

  shop.connect()
  await shop.deploy({ task: 'deploy:unlock' })
  await shop.status(await shop.made(sha), 'success')

  expect(deployedIn(shop)).toEqual([`${sha} by mona`])
})
