import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { openEmulatedShop, type EmulatedShop } from '../support/emulated.ts'

const DEPLOY = [['sh', '-c', 'echo "$GITHUB_SHA by $GITHUB_CREATOR" >> deployed']]
const CHECKED = { commands: DEPLOY, entry: { required_contexts: ['ci/test'] } }
const ONE = [{ id: 1, name: 'acme/shop/production#1' }]

const deployedIn = ({ folder }: EmulatedShop): string[] =>
  readFileSync(join(folder, 'deployed'), 'utf8').trimEnd().split('\n')

const hasJournal = (shop: EmulatedShop, ...words: string[]): Promise<string> =>
  shop.waitForJournal((line) => words.every((word) => line.includes(word)))

/** Where Ferryman saw the branch at its start. */
const firstSeen = async (shop: EmulatedShop): Promise<string> =>
  (JSON.parse(await hasJournal(shop, 'environment:first-seen')) as { readonly sha: string }).sha

/** What Ferryman asked emulate about the repository. */
const askedOf = ({ passed }: EmulatedShop): string[] =>
  passed.items
    .filter(({ to }) => to === 'emulate')
    .map(({ method, path, status }) => `${method} ${path.replace('/repos/acme/shop', '')} ${status}`)

/** Resolves when Ferryman has asked for the checks of the commit so often; unasked it does so once a minute. */
const askedForChecks = ({ passed }: EmulatedShop, sha: string, times: number) =>
  passed.waitFor(
    () => passed.items.filter(({ path }) => path.endsWith(`/commits/${sha}/check-runs`)).length >= times,
    15_000,
  )

test.each(['merge', 'squash', 'rebase'])(
  'the commit that came of a pull request is deployed, merged with the method %s',
  async (method) => {
    const shop = await openEmulatedShop({ commands: DEPLOY })
    const number = await shop.open('Faster')

    const sha = await shop.merge(number, method) // GitHub also tells of the push that this is; emulate does not
    const closed = await shop.delivered('pull_request closed')
    const deployment = await shop.made(sha)
    await shop.status(deployment, 'success')

    expect(closed).toMatchObject({ status: 202, answer: { verdict: 'deciding', deployments: ONE } })
    expect(deployedIn(shop)).toEqual([`${sha} by mona`])
    expect(shop.statuses(deployment).map((line) => line.split(':')[0])).toEqual([
      'queued',
      'in_progress',
      'success',
    ])
  },
)

test('a pull request that is opened, or closed without a merge, deploys nothing', async () => {
  const shop = await openEmulatedShop({ commands: DEPLOY })
  const number = await shop.open('Regretted')

  await shop.ask('PATCH', `/repos/acme/shop/pulls/${number}`, { state: 'closed' })
  const opened = await shop.delivered('pull_request opened')
  const closed = await shop.delivered('pull_request closed')

  expect(opened).toMatchObject({ status: 200, answer: { verdict: 'ignored', reason: 'action_not_used' } })
  expect(closed).toMatchObject({ status: 200, answer: { verdict: 'ignored', reason: 'not_merged' } })
  expect(shop.repository.deployments).toEqual([])
})

test('a merge is held for its check, and the delivery of the green one lets it through', async () => {
  const shop = await openEmulatedShop(CHECKED)
  const before = askedOf(shop).length

  const sha = await shop.merge(await shop.open('Faster'))
  const closed = await shop.delivered('pull_request closed')
  const held = await hasJournal(shop, 'deployment:held')

  expect(closed).toMatchObject({ status: 202, answer: { verdict: 'deciding', deployments: ONE } })
  expect(held).toContain('"Waiting for ci/test"')
  expect(askedOf(shop).slice(before)).toEqual([
    'GET /branches/main 200',
    `GET /compare/${sha}...${await firstSeen(shop)} 200`,
    `GET /commits/${sha}/check-runs 200`,
  ])

  const id = await shop.check(sha, 'ci/test')
  const created = await shop.delivered('check_run created')
  await askedForChecks(shop, sha, 2)
  await shop.conclude(id, 'success')
  const completed = await shop.delivered('check_run completed')
  const deployment = await shop.made(sha)
  await shop.status(deployment, 'success')

  for (const woken of [created, completed])
    expect(woken).toMatchObject({ status: 202, answer: { verdict: 'deciding', deployments: ONE } })
  expect(deployedIn(shop)).toEqual([`${sha} by mona`])
  const deliveries = shop.passed.items.filter(({ to }) => to === 'ferryman')
  expect(deliveries.filter(({ status }) => status >= 300)).toEqual([])
})

test('the delivery of a red check ends what is held for it', async () => {
  const shop = await openEmulatedShop(CHECKED)
  const sha = await shop.merge(await shop.open('Broken'))
  await hasJournal(shop, 'deployment:held')

  const id = await shop.check(sha, 'ci/test')
  await askedForChecks(shop, sha, 2)
  await shop.conclude(id, 'failure')
  const completed = await shop.delivered('check_run completed')
  const ended = await hasJournal(shop, 'deployment:ended')

  expect(completed).toMatchObject({ status: 202, answer: { verdict: 'deciding', deployments: ONE } })
  expect(JSON.parse(ended)).toMatchObject({
    state: 'failed',
    reason: 'checks_failed',
    detail: `Not deployed: ci/test (failure) on ${sha.slice(0, 7)}`,
  })
  expect(shop.repository.deployments).toEqual([])
})

test('the delivery of a check suite wakes a held deployment too', async () => {
  const shop = await openEmulatedShop({ ...CHECKED, events: ['pull_request', 'check_suite'] })
  const sha = await shop.merge(await shop.open('Faster'))
  await hasJournal(shop, 'deployment:held')
  const id = await shop.check(sha, 'ci/test')
  await shop.conclude(id, 'success')

  // GitHub says "completed" by itself; emulate never does, and says "requested" whenever it is asked to.
  await shop.ask('POST', '/repos/acme/shop/check-suites', { head_sha: sha })
  const woken = await shop.delivered('check_suite requested')
  await shop.status(await shop.made(sha), 'success')

  expect(woken).toMatchObject({ status: 202, answer: { verdict: 'deciding', deployments: ONE } })
  expect(deployedIn(shop)).toEqual([`${sha} by mona`])
})

test('a check of a commit for which nothing is held is taken and does nothing', async () => {
  const shop = await openEmulatedShop(CHECKED)

  await shop.check(await firstSeen(shop), 'ci/test')
  const created = await shop.delivered('check_run created')

  expect(created).toMatchObject({ status: 200, answer: { verdict: 'ignored', reason: 'nothing_waits' } })
})

test('of two merges that wait, the newer one by the history of emulate goes, and the older one gives way', async () => {
  const shop = await openEmulatedShop(CHECKED)
  const older = await shop.merge(await shop.open('First'))
  await hasJournal(shop, 'deployment:held', '"id":1')
  // emulate merges onto where the branch stood when the pull request was opened, GitHub onto where it stands
  const newer = await shop.merge(await shop.open('Second'))
  await hasJournal(shop, 'deployment:held', '"id":2')

  await shop.conclude(await shop.check(newer, 'ci/test'), 'success')
  const superseded = await hasJournal(shop, 'deployment:ended', 'superseded')
  await shop.status(await shop.made(newer), 'success')

  expect(askedOf(shop)).toContain(`GET /compare/${older}...${newer} 200`)
  expect(JSON.parse(superseded)).toMatchObject({ id: 1, state: 'cancelled', detail: 'Superseded by #2.' })
  expect(deployedIn(shop)).toEqual([`${newer} by mona`])
})

test('what emulate signs with the secret is taken, and what it signs with another one is not', async () => {
  const shop = await openEmulatedShop()
  const hook = '/repos/acme/shop/hooks/1'

  await shop.ask('POST', `${hook}/pings`) // without the repository that GitHub's names
  await shop.ask('PATCH', hook, { config: { secret: 'another' } })
  await shop.check(await firstSeen(shop), 'ci/test')

  expect(await shop.delivered('ping')).toMatchObject({ status: 200, answer: { reason: 'ping' } })
  expect(await shop.delivered('check_run created')).toMatchObject({
    status: 401,
    answer: { error: 'signature_wrong' },
  })
})
