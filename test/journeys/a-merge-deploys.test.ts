import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import type { MergedPullRequest } from '../../src/demo/github/merge.ts'
import { DEPLOY, openShop, type Shop } from '../support/merging.ts'

const headOf = ({ sample }: Shop): string =>
  execFileSync('git', ['rev-parse', 'HEAD'], { cwd: sample.folder, encoding: 'utf8' }).trim()

/** The commits that were deployed, in order. */
const deployedIn = ({ sample }: Shop): string[] =>
  readFileSync(join(sample.folder, '..', 'deployed'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')

const GATE = ['sh', '-c', 'until test -e ../go; do sleep 0.02; done']

test('a merge deploys: into the default branch, with a deployment on GitHub that names who merged', async () => {
  const shop = await openShop()
  const sha = await shop.commit('Faster')

  const answer = await shop.merge(sha, { number: 7, by: 'hubot' })
  const deployment = await shop.made(sha)
  await shop.status(deployment, 'success')

  expect(answer).toMatchObject({
    status: 202,
    verdict: 'deciding',
    deployments: [{ id: 1, name: 'acme/shop/production#1' }],
  })
  expect(headOf(shop)).toBe(sha)
  const asked = shop.github.requests.filter(
    ({ method, path }) => method === 'POST' && path.endsWith('/deployments'),
  )
  expect(asked.map(({ body }) => body)).toEqual([
    {
      ref: sha,
      task: 'deploy',
      auto_merge: false,
      required_contexts: [],
      environment: 'production',
      description: '#7 Change 7',
      payload: { deploy_user: 'hubot', pull_request: 7, ferryman: expect.stringMatching(/^[0-9a-f]{32}$/) },
    },
  ])
  expect(shop.statuses(deployment).map((line) => line.split(':')[0])).toEqual([
    'queued',
    'in_progress',
    'success',
  ])
  await shop.slack.waitFor(({ text }) => text?.startsWith('Deployed acme/shop/production#1 at') ?? false)
  expect(shop.slack.messages.map(({ text }) => text)).toContainEqual(expect.stringContaining('by hubot'))
  expect(await shop.log(1)).toContain(`deploy ${sha} (main), asked for by hubot`)
})

test.each(['before', 'after', 'without'] as const)(
  'the webhook that comes %s the answer starts nothing twice',
  async (timing) => {
    const shop = await openShop()
    shop.github.setWebhookTiming(timing)
    const sha = await shop.commit('Faster')

    await shop.merge(sha)
    const deployment = await shop.made(sha)
    await shop.status(deployment, 'success')
    await shop.github.idle()

    expect(deployedIn(shop)).toEqual([sha])
    expect(shop.repository.deployments).toHaveLength(1)
    const verdicts = shop.github.deliveries
      .filter(({ event }) => event === 'deployment')
      .map(({ answer }) => Reflect.get(JSON.parse(answer.body) as object, 'verdict') as unknown)
    expect(verdicts).toEqual(timing === 'without' ? [] : ['repeated'])
  },
)

test('a merge that is told twice, under two delivery ids, is deployed once', async () => {
  const shop = await openShop()
  const sha = await shop.commit('Faster')

  const first = await shop.merge(sha)
  const again = await shop.merge(sha)
  await shop.status(await shop.made(sha), 'success')

  expect([first.verdict, again.verdict]).toEqual(['deciding', 'repeated'])
  expect(again.deployments).toEqual(first.deployments)
  expect(deployedIn(shop)).toEqual([sha])
})

test('a merge into another branch does nothing, and says why', async () => {
  const shop = await openShop()
  const sha = await shop.commit('Faster')

  const answer = await shop.merge(sha, { branch: 'develop' })

  expect(answer).toMatchObject({
    status: 200,
    verdict: 'ignored',
    reason: 'branch_not_configured',
    detail: 'The branch is not the one that is deployed. (develop; production deploys main)',
  })
})

test('a push deploys where deploy_on says push, and a merge then does not', async () => {
  const shop = await openShop({ entry: { deploy_on: 'push', branch: 'main' } })
  const sha = await shop.commit('Faster')

  expect(await shop.merge(sha)).toMatchObject({ verdict: 'ignored', reason: 'deploys_otherwise' })
  expect(await shop.push(sha)).toMatchObject({ status: 202, verdict: 'deciding' })
  await shop.status(await shop.made(sha), 'success')

  expect(headOf(shop)).toBe(sha)
})

test('a first start deploys nothing, and neither does a merge from before it', async () => {
  const shop = await openShop()
  const old = shop.sample.commits.at(-2)?.sha ?? ''
  expect(shop.repository.deployments).toEqual([])

  const answer = await shop.merge(old)
  await shop.waitForJournal((line) => line.includes('before_first_sight'))

  expect(answer.verdict).toBe('deciding')
  expect(shop.repository.deployments).toEqual([])
})

test('two merges within a second: the newer one is deployed, the older one gives way', async () => {
  const shop = await openShop({ commands: [GATE, ...DEPLOY] })
  const running = await shop.commit('Running')
  await shop.merge(running)
  await shop.status(await shop.made(running), 'in_progress')
  const [first, second] = [await shop.commit('First'), await shop.commit('Second')]

  await Promise.all([shop.merge(second), shop.merge(first)]) // GitHub promises no order
  const newest = await shop.made(second)
  await shop.waitForJournal((line) => line.includes('superseded'))
  writeFileSync(join(shop.sample.folder, '..', 'go'), '')
  await shop.status(newest, 'success')

  expect(deployedIn(shop)).toEqual([running, second])
})

test('a newer push supersedes a waiting one, and GitHub hears of it', async () => {
  const shop = await openShop({ entry: { deploy_on: 'push' }, commands: [GATE, ...DEPLOY] })
  const [running, waiting] = [await shop.commit('Running'), await shop.commit('Waiting')]
  await shop.push(running)
  await shop.status(await shop.made(running), 'in_progress')
  await shop.push(waiting)
  const older = await shop.made(waiting)
  await shop.status(older, 'queued')

  const newest = await shop.commit('Newest')
  await shop.push(newest)
  await shop.status(older, 'inactive')
  writeFileSync(join(shop.sample.folder, '..', 'go'), '')
  await shop.status(await shop.made(newest), 'success')

  expect(shop.statuses(older).at(-1)).toBe('inactive: Superseded by #3.')
  expect(deployedIn(shop)).toEqual([running, newest])
})

test('ten pushes during a running deployment lead to one more, of the newest commit', async () => {
  const shop = await openShop({ entry: { deploy_on: 'push' }, commands: [GATE, ...DEPLOY] })
  const running = await shop.commit('Running')
  await shop.push(running)
  await shop.status(await shop.made(running), 'in_progress')

  const pushed: string[] = []
  for (let count = 1; count <= 10; count += 1) {
    pushed.push(await shop.commit(`Change ${count}`))
    await shop.push(pushed.at(-1) ?? '')
  }
  const newest = await shop.made(pushed.at(-1) ?? '')
  await shop.status(newest, 'queued')
  writeFileSync(join(shop.sample.folder, '..', 'go'), '')
  await shop.status(newest, 'success')

  expect(deployedIn(shop)).toEqual([running, pushed.at(-1)])
  const others = shop.repository.deployments.filter(({ sha }) => ![running, newest.sha].includes(sha))
  for (const other of others) {
    await shop.status(other, 'inactive')
    expect(shop.statuses(other).at(-1)).toMatch(/^inactive: Superseded by #\d+\.$/)
  }
})

test('a commit that a force-push took off the branch is not deployed', async () => {
  const shop = await openShop()
  const sha = await shop.commit('Regretted')
  const last = shop.sample.commits.at(-1)?.sha ?? ''
  await shop.github.push('acme/shop', [{ message: 'Instead of it' }], { force: last })

  await shop.merge(sha)
  const line = await shop.waitForJournal((one) => one.includes('not_on_branch'))

  expect(line).toContain(`${sha.slice(0, 7)} is not on main any more.`)
  expect(shop.repository.deployments).toEqual([])
})

test('a GitHub that does not show the commit on the branch yet is asked again', async () => {
  const shop = await openShop()
  const sha = await shop.commit('Faster')
  shop.github.setBranch('acme/shop', 'main', shop.sample.commits.at(-1)?.sha ?? '')

  await shop.merge(sha)
  await shop.waitForJournal((line) => line.includes(`GitHub does not show ${sha.slice(0, 7)} on main`))
  shop.github.setBranch('acme/shop', 'main', sha)
  await shop.checked(sha)
  await shop.status(await shop.made(sha), 'success')
})

test('a branch that is set back to an older commit gets it back', async () => {
  const shop = await openShop({ entry: { deploy_on: 'push' } })
  const [older, newer] = [await shop.commit('Older'), await shop.commit('Newer')]
  await shop.push(newer)
  await shop.status(await shop.made(newer), 'success')

  shop.github.setBranch('acme/shop', 'main', older)
  await shop.push(older)
  await shop.status(await shop.made(older), 'success')

  expect(deployedIn(shop)).toEqual([newer, older])
})

test('an older merge never follows a newer one: neither while that one runs, nor when it has run', async () => {
  const shop = await openShop({ commands: [GATE, ...DEPLOY] })
  const [older, newer] = [await shop.commit('Older'), await shop.commit('Newer')]
  await shop.merge(newer)
  const running = await shop.made(newer)
  await shop.status(running, 'in_progress')

  await shop.merge(older)
  expect(await shop.waitForJournal((line) => line.includes('newer_first'))).toContain(
    'Waiting for #1, which deploys a newer one',
  )
  writeFileSync(join(shop.sample.folder, '..', 'go'), '')
  await shop.status(running, 'success')
  await shop.waitForJournal((line) => line.includes('overtaken'))

  expect(deployedIn(shop)).toEqual([newer])
})

test('a token that may not compare commits puts no older one over what is live either', async () => {
  const shop = await openShop({ entry: { required_contexts: ['ci/test'] } })
  const [older, newer] = [await shop.commit('Older'), await shop.commit('Newer')]
  const body = { message: 'Resource not accessible by personal access token' }
  shop.github.fail({ path: /\/(compare|branches)\//, times: 1000, with: { status: 403, body } })
  await shop.merge(older)
  await shop.merge(newer)
  await shop.waitForJournal((line) => line.includes('checks_pending') && line.includes('#2'))

  await shop.status(await shop.deploy({ ref: newer }), 'success')
  for (const sha of [older, newer])
    shop.github.addCommitStatus('acme/shop', sha, { context: 'ci/test', state: 'success' })
  await shop.checked(newer)
  await shop.waitForJournal((line) => line.includes('overtaken') && line.includes('#1'))

  expect(deployedIn(shop)).toEqual([newer])
})

test('a branch that is set back to before the first look at it deploys from there', async () => {
  const shop = await openShop({ entry: { deploy_on: 'push' } })
  const old = shop.sample.commits.at(-2)?.sha ?? ''

  shop.github.setBranch('acme/shop', 'main', old)
  await shop.push(old)
  await shop.status(await shop.made(old), 'success')
})

test('where the newer one fails, the older one gets its turn', async () => {
  const shop = await openShop({
    commands: [GATE, ['sh', '-c', 'test "$FERRYMAN_NUMBER" != 1'], ...DEPLOY],
  })
  const [older, newer] = [await shop.commit('Older'), await shop.commit('Newer')]
  await shop.merge(newer)
  await shop.status(await shop.made(newer), 'in_progress')
  await shop.merge(older)
  await shop.waitForJournal((line) => line.includes('newer_first'))

  writeFileSync(join(shop.sample.folder, '..', 'go'), '')
  await shop.status(await shop.made(older), 'success')

  expect(deployedIn(shop)).toEqual([older])
})

test('two merges that turn green together leave the newer one in place, although its webhook comes first', async () => {
  const shop = await openShop({ entry: { required_contexts: ['ci/test'] } })
  shop.github.setWebhookTiming('before')
  const [older, newer] = [await shop.commit('Older'), await shop.commit('Newer')]
  await shop.merge(older)
  await shop.merge(newer)
  await shop.waitForJournal((line) => line.includes('checks_pending') && line.includes('#2'))

  for (const sha of [older, newer])
    shop.github.addCommitStatus('acme/shop', sha, { context: 'ci/test', state: 'success' })
  await shop.checked(newer)
  await shop.checked(older)
  await shop.status(await shop.made(newer), 'success')
  await shop.waitForJournal((line) => line.includes('deployment:ended') && line.includes('#1'))

  expect(deployedIn(shop).at(-1)).toBe(newer)
})

test('what was merged before the first look at the branch was over is not deployed either', async () => {
  const shop = await openShop({
    isSeen: 'not yet',
    prepare: ({ github }) =>
      github.fail({ path: /^\/repos\/acme\/shop$/, times: 2, with: { status: 502, body: 'no' } }),
  })
  const old = shop.sample.commits.at(-2)?.sha ?? ''

  await shop.merge(old)
  await shop.waitForJournal((line) => line.includes('Where main stood before is still to be looked up'))
  await shop.reconfigure({})
  await shop.waitForJournal((line) => line.includes('before_first_sight'))

  expect(shop.repository.deployments).toEqual([])
})

test('a repository that was renamed on GitHub since the first look is known by its id', async () => {
  const shop = await openShop()
  shop.github.renameRepository('acme/shop', 'acme/store')
  const sha = 'e'.repeat(40)

  const answer = await shop.github.merge('acme/store', {
    number: 1,
    title: 'Faster',
    author: 'octo',
    method: 'squash',
    shas: [sha],
    tell: ['pull_request'],
  })

  expect(JSON.parse(answer.deliveries[0]?.body ?? '{}')).toMatchObject({ verdict: 'deciding' })
})

test('what a default branch of another name left waiting ends, and says why', async () => {
  const shop = await openShop({ entry: { required_contexts: ['ci/test'] } })
  const sha = await shop.commit('Faster')
  await shop.merge(sha)
  await shop.waitForJournal((line) => line.includes('checks_pending'))

  shop.github.setBranch('acme/shop', 'trunk', sha)
  Object.assign(shop.repository, { defaultBranch: 'trunk' })
  await shop.github.merge('acme/shop', {
    number: 2,
    title: 'Later',
    author: 'octo',
    method: 'squash',
    tell: ['pull_request'],
  })

  expect(await shop.waitForJournal((line) => line.includes('config_removed'))).toContain(
    'the branch is trunk now',
  )
})

test.each<[string, Partial<MergedPullRequest>]>([
  ['a merge commit', { method: 'merge', commits: [{ message: 'One' }, { message: 'Two' }] }],
  ['a squash', { method: 'squash', commits: [{ message: 'One' }, { message: 'Two' }] }],
  ['a rebase of two commits', { method: 'rebase', commits: [{ message: 'One' }, { message: 'Two' }] }],
  ['a pull request from a fork', { method: 'merge', fromFork: 'guest/shop' }],
  ['a pull request whose branch is deleted at once', { method: 'squash', head: 'topic', deleteBranch: true }],
  ['a merge queue, by its robot', { method: 'merge', by: 'github-merge-queue[bot]' }],
])('%s deploys the commit that came of it, once', async (_what, request) => {
  const shop = await openShop({ commands: [['sh', '-c', 'echo "$GITHUB_SHA" >> ../deployed']] })

  const { sha, deliveries } = await shop.github.merge('acme/shop', {
    number: 9,
    title: 'Faster',
    author: 'octo',
    method: 'merge',
    ...request,
  })
  await shop.status(await shop.made(sha), 'success')

  expect(deployedIn(shop)).toEqual([sha])
  expect(deliveries.every(({ status }) => status < 300)).toBe(true)
})

test('a merge is overtaken when somebody deployed its commit, or a newer one, by hand meanwhile', async () => {
  const shop = await openShop({ entry: { required_contexts: ['ci/test'] } })
  const sha = await shop.commit('Faster')
  await shop.merge(sha)
  await shop.waitForJournal((line) => line.includes('checks_pending'))

  await shop.status(await shop.deploy({ ref: sha }), 'success')
  shop.github.addCommitStatus('acme/shop', sha, { context: 'ci/test', state: 'success' })
  await shop.checked(sha)
  const line = await shop.waitForJournal((one) => one.includes('overtaken'))

  expect(line).toContain('#2 has deployed this commit already.')
  expect(deployedIn(shop)).toEqual([sha])
})
