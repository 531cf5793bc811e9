import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, inject, onTestFinished, test } from 'vitest'

import { TOKEN } from '../support/journey.ts'
import { openShop, type Shop } from '../support/merging.ts'
import { emptyDatabase } from '../support/stores.ts'

const GATED = { entry: { required_contexts: ['ci/test', 'lint'] } }

const status = (shop: Shop, sha: string, state: 'success' | 'failure' | 'pending', context = 'ci/test') =>
  shop.github.addCommitStatus('acme/shop', sha, { context, state })
const check = (
  shop: Shop,
  sha: string,
  conclusion: 'success' | 'failure' | 'skipped' | null,
  name = 'lint',
) =>
  shop.github.addCheckRun('acme/shop', sha, {
    name,
    status: conclusion === null ? 'in_progress' : 'completed',
    conclusion,
  })
const held = (shop: Shop, detail: string) =>
  shop.waitForJournal((line) => line.includes('deployment:held') && line.includes(detail))
const ended = (shop: Shop, reason: string) =>
  shop.waitForJournal((line) => line.includes('deployment:ended') && line.includes(reason))

test('red checks do not deploy, and Slack says which', async () => {
  const shop = await openShop(GATED)
  const sha = await shop.commit('Faster')
  status(shop, sha, 'failure')
  check(shop, sha, 'success')

  await shop.merge(sha)
  const line = await ended(shop, 'checks_failed')
  const message = await shop.slack.waitFor(({ text }) => text?.startsWith('Could not deploy') ?? false)

  expect(line).toContain(`Not deployed: ci/test (failure) on ${sha.slice(0, 7)}`)
  expect(message.text).toContain(`Not deployed: ci/test (failure) on ${sha.slice(0, 7)}`)
  expect(shop.repository.deployments).toEqual([])
})

test('green checks release a held merge: at the event, with one deployment on GitHub', async () => {
  const shop = await openShop(GATED)
  const sha = await shop.commit('Faster')
  status(shop, sha, 'pending')

  await shop.merge(sha)
  await held(shop, 'Waiting for ci/test, lint')
  status(shop, sha, 'success')
  expect(await shop.checked(sha)).toMatchObject({
    status: 202,
    verdict: 'deciding',
    deployments: [{ name: 'acme/shop/production#1' }],
  })
  check(shop, sha, 'success')
  await shop.checked(sha)
  await shop.status(await shop.made(sha), 'success')

  expect(shop.repository.deployments).toHaveLength(1)
})

test('a check that turns red while it is waited for ends the merge', async () => {
  const shop = await openShop(GATED)
  const sha = await shop.commit('Faster')
  status(shop, sha, 'success')
  check(shop, sha, null)

  await shop.merge(sha)
  await held(shop, 'Waiting for lint')
  check(shop, sha, 'failure')
  await shop.checked(sha)

  expect(await ended(shop, 'checks_failed')).toContain('lint (failure)')
})

test('a check that turns red while the deployment waits for its turn keeps it from beginning', async () => {
  const shop = await openShop({
    ...GATED,
    commands: [['sh', '-c', 'until [ -e ../go ]; do sleep 0.05; done']],
  })
  const ready = async (message: string): Promise<string> => {
    const sha = await shop.commit(message)
    status(shop, sha, 'success')
    check(shop, sha, 'success')
    await shop.merge(sha)
    await shop.made(sha)
    return sha
  }
  const first = await ready('Faster')
  await shop.status(await shop.made(first), 'in_progress')
  const second = await ready('Too fast')
  await shop.waitForJournal((line) => line.includes('deployment:released') && line.includes('"id":2'))
  status(shop, second, 'failure')
  expect(await shop.checked(second)).toMatchObject({ verdict: 'deciding', deployments: [{ id: 2 }] })

  writeFileSync(join(shop.sample.folder, '..', 'go'), '')
  const line = await ended(shop, 'checks_failed')

  expect(line).toContain(`Not deployed: ci/test (failure) on ${second.slice(0, 7)}`)
  expect(shop.journal.filter((one) => one.includes('deployment:claimed'))).toHaveLength(1)
})

test('events about commits that nothing waits for are ignored with that reason', async () => {
  const shop = await openShop(GATED)

  expect(await shop.checked('d'.repeat(40))).toMatchObject({
    status: 200,
    verdict: 'ignored',
    reason: 'nothing_waits',
  })
})

test('checks that do not come end the wait with its own reason', async () => {
  const shop = await openShop({ entry: { required_contexts: ['ci/test'], checks_wait: 2 } })
  const sha = await shop.commit('Faster')

  await shop.merge(sha)

  expect(await ended(shop, 'wait_expired')).toContain('Not deployed: still waiting for ci/test after 2 s')
})

test('more than one page of checks is read: the one that failed may be on the last', async () => {
  const shop = await openShop({ entry: { required_contexts: 'all' } })
  const sha = await shop.commit('Faster')
  check(shop, sha, 'failure', 'the-last')
  for (let count = 0; count < 120; count += 1) check(shop, sha, 'success', `job-${count}`)
  for (let count = 0; count < 120; count += 1) status(shop, sha, 'success', `ci/${count}`)

  await shop.merge(sha)

  expect(await ended(shop, 'checks_failed')).toContain('the-last (failure)')
})

test('a held merge does not stop a newer one that is green, which supersedes it', async () => {
  const shop = await openShop(GATED)
  const [older, newer] = [await shop.commit('Older'), await shop.commit('Newer')]
  await shop.merge(older)
  await held(shop, 'Waiting for ci/test, lint')

  status(shop, newer, 'success')
  check(shop, newer, 'skipped')
  await shop.merge(newer)
  await shop.status(await shop.made(newer), 'success')

  expect(await ended(shop, 'superseded')).toContain('Superseded by #2.')
  expect(shop.repository.deployments.map(({ sha }) => sha)).toEqual([newer])
})

test('a newer commit whose checks failed does not stop an older one that is green', async () => {
  const shop = await openShop(GATED)
  const [older, newer] = [await shop.commit('Older'), await shop.commit('Newer')]
  await shop.merge(older)
  await held(shop, 'Waiting for ci/test, lint')
  status(shop, newer, 'failure')
  await shop.merge(newer)
  await ended(shop, 'checks_failed')

  status(shop, older, 'success')
  check(shop, older, 'success')
  await shop.checked(older)
  await shop.status(await shop.made(older), 'success')

  expect(shop.repository.deployments.map(({ sha }) => sha)).toEqual([older])
})

test('a held merge survives a restart, and is released after it', async () => {
  const shop = await openShop(GATED)
  const sha = await shop.commit('Faster')
  await shop.merge(sha)
  await held(shop, 'Waiting for ci/test, lint')

  await shop.stop()
  status(shop, sha, 'success')
  check(shop, sha, 'success')
  await shop.restart()
  await shop.status(await shop.made(sha), 'success')
})

test('where the token may not read checks the list goes to GitHub, whose 409 is waited out', async () => {
  const shop = await openShop({
    ...GATED,
    prepare: ({ github }) =>
      github.addToken(TOKEN, {
        login: 'ferryman-robot',
        type: 'fine-grained',
        permissions: { deployments: 'write', metadata: 'read', contents: 'read' },
      }),
  })
  const sha = await shop.commit('Faster')
  status(shop, sha, 'pending')
  await shop.merge(sha)
  await held(shop, 'Waiting for ci/test, lint')

  status(shop, sha, 'success')
  check(shop, sha, 'skipped') // GitHub counts it against the deployment; it passes here
  await shop.checked(sha)
  await shop.status(await shop.made(sha), 'success')

  const lists = shop.github.requests
    .filter(({ method, path }) => method === 'POST' && path.endsWith('/deployments'))
    .map(({ body }) => Reflect.get(Object(body), 'required_contexts') as unknown)
  expect(lists).toEqual([['ci/test', 'lint'], ['ci/test', 'lint'], ['ci/test']])
})

test('with the scope repo_deployment alone merges deploy in the order in which they came', async () => {
  const shop = await openShop({
    ...GATED,
    isSeen: false,
    prepare: ({ github }) =>
      github.addToken(TOKEN, { login: 'ferryman-robot', type: 'classic', scopes: ['repo_deployment'] }),
  })
  const sha = await shop.commit('Faster')
  await shop.merge(sha)
  await held(shop, 'Waiting for ci/test, lint')

  status(shop, sha, 'success')
  check(shop, sha, 'success')
  await shop.checked(sha)
  await shop.status(await shop.made(sha), 'success')
})

test('what was changed in the configuration counts for what is held', async () => {
  const shop = await openShop(GATED)
  const sha = await shop.commit('Faster')
  await shop.merge(sha)
  await held(shop, 'Waiting for ci/test, lint')

  await shop.reconfigure({ entry: { required_contexts: [] } })
  await shop.status(await shop.made(sha), 'success')

  const other = await shop.commit('Later')
  await shop.reconfigure(GATED)
  await shop.merge(other)
  await shop.waitForJournal((line) => line.includes('deployment:held') && line.includes('#2'))
  await shop.reconfigure({ entry: { deploy_on: 'none' } })
  expect(await ended(shop, 'config_removed')).toContain('deploy_on is none now')
})

describe.skipIf(inject('postgres') === undefined)('on PostgreSQL', () => {
  test('a merge is held, released and superseded in the same way', async () => {
    const { address, drop } = await emptyDatabase.postgres()
    onTestFinished(drop) // after the server has stopped: what was registered last ends first
    const shop = await openShop({ ...GATED, config: { database: address } })
    const [older, newer] = [await shop.commit('Older'), await shop.commit('Newer')]
    await shop.merge(older)
    await held(shop, 'Waiting for ci/test, lint')

    status(shop, newer, 'success')
    check(shop, newer, 'success')
    await shop.merge(newer)
    await shop.status(await shop.made(newer), 'success')

    expect(await ended(shop, 'superseded')).toContain('Superseded by #2.')
    expect((await shop.merge(newer)).verdict).toBe('repeated')
  })
})
