import { expect, onTestFinished, test } from 'vitest'

import type { EnvironmentConfig } from '../../src/config/config.ts'
import type { BranchSignal } from '../../src/deployment/signal.ts'
import { createMissedCommits, type MissedCommits } from '../../src/receive/missed-commits.ts'
import { readSignal } from '../../src/receive/signals.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { NewDelivery } from '../../src/store/store.ts'
import { clientOf, refusalOf, shopAtGitHub } from '../support/doubles.ts'
import { environmentConfig, newMerge, queuedIntake } from '../support/samples.ts'
import { emptyDatabase } from '../support/stores.ts'

const MINUTE = 60_000
const START = Date.parse('2026-11-21T12:00:00Z')
const MERGE = { author: 'octo', by: 'mona', method: 'squash' } as const

/** A shop at GitHub whose hook tells nobody anything, and what looks at its branches. */
async function shop(...given: readonly Partial<EnvironmentConfig>[]) {
  let now = START
  const { github, sha: first } = await shopAtGitHub({ clock: () => now })
  const database = await emptyDatabase.sqlite()
  const store = await openStore(database.address)
  onTestFinished(async () => {
    await store.close()
    await database.drop()
  })
  const environments = (given.length === 0 ? [{}] : given).map((one) => environmentConfig(one))
  const place = { repository: 'acme/shop', repositoryGithubId: 17, configuredAs: 'acme/shop' }
  for (const { name, branch = 'main' } of environments)
    await store.see({ ...place, environment: name, branch, sha: first, at: START })
  const taken: { delivery: NewDelivery; body: unknown }[] = []
  const said: string[] = []
  const say = (event: string): void => void said.push(event)
  const world = {
    github,
    store,
    first,
    said,
    taken,
    refuses: false,
    /** What the deliveries say that were taken. */
    signals: () =>
      taken.map(({ delivery, body }): BranchSignal => {
        const reading = readSignal(delivery.event, body)
        if ('signal' in reading && reading.signal.kind !== 'checks' && reading.signal.kind !== 'deployment')
          return reading.signal
        throw new Error('It is no merge and no push.')
      }),
    shas: () => world.signals().map(({ kind, sha }) => `${kind} ${sha}`),
    /** What is noted for an environment. */
    noted: async (environment = 'production') => (await store.heads.of('acme/shop')).get(environment)?.sha,
    deploy: (sha: string, environment = 'production') =>
      store.accept([queuedIntake(newMerge({ sha, environment }))]),
    /** A look so many minutes after the start. */
    look(minutes: number, token = 'mona-token') {
      now = START + minutes * MINUTE
      missed ??= start(token)
      return missed.lookAt({
        name: 'Acme/Shop',
        environments: new Map(environments.map((one) => [one.name, one])),
      })
    },
    /** A look, and another when a webhook should have come. */
    async find(minutes: number) {
      await world.look(minutes)
      await world.look(minutes + 2)
    },
    restart: () => void (missed = undefined),
  }
  let missed: MissedCommits | undefined
  const start = (token: string): MissedCommits =>
    createMissedCommits({
      github: () => clientOf(github, token),
      store,
      async take(delivery, body) {
        if (world.refuses) throw new Error('It cannot be recorded.')
        taken.push({ delivery, body })
        for (const { sha, kind } of world.signals().slice(-1))
          for (const { name, deployOn } of environments) if (deployOn === kind) await world.deploy(sha, name)
      },
      clock: () => now,
      journal: { info: say, warn: say, error: say },
    })
  return world
}

test('a merge of which nobody told is taken as its webhook would have been, when that should have come', async () => {
  const world = await shop()
  const { sha } = await world.github.merge('acme/shop', { ...MERGE, number: 7, title: 'Sell tea' })

  expect(await world.look(1)).toBe(START + 3 * MINUTE)
  expect(world.taken).toEqual([])
  expect(await world.look(3)).toBeUndefined()

  expect(world.signals()).toEqual([
    {
      kind: 'merge',
      repository: { githubId: 17, name: 'acme/shop', isPrivate: true, defaultBranch: 'main' },
      branch: 'main',
      sha,
      title: '#7 Sell tea',
      pullRequest: 7,
      actor: 'mona',
      actorAvatar: expect.stringContaining('/avatars/') as string,
      authors: ['octo'],
    },
  ])
  expect(world.taken[0]?.delivery).toMatchObject({
    guid: `catch-up-${sha}-${START + 3 * MINUTE}`,
    event: 'pull_request',
    action: 'closed',
    receivedAt: START + 3 * MINUTE,
    headers: { 'x-ferryman-origin': 'catch-up' },
  })
  expect(JSON.parse(String(world.taken[0]?.delivery.body))).toEqual(world.taken[0]?.body)
  expect(await world.noted()).toBe(sha)
})

test('a push of which nobody told is taken with what its commit says of itself', async () => {
  const world = await shop({ deployOn: 'push' })
  const [commit] = world.github.addCommits('acme/shop', [
    { message: 'Sell tea\n\nIt is hot.', login: 'octo' },
  ])

  await world.find(1)

  expect(world.signals()).toMatchObject([
    { kind: 'push', branch: 'main', sha: commit?.sha, title: 'Sell tea', actor: 'octo', authors: ['octo'] },
  ])
  expect(world.taken[0]?.body).toMatchObject({
    ref: 'refs/heads/main',
    before: world.first,
    after: commit?.sha,
  })
})

test('a commit of nobody whom GitHub knows is taken all the same', async () => {
  const world = await shop({ deployOn: 'push' })
  world.github.addCommits('acme/shop', [{ message: 'Sell tea', author: { name: 'mona', email: 'a@b.c' } }])

  await world.find(1)

  expect(world.signals()).toMatchObject([{ actor: 'ghost', authors: [] }])
})

test('what its webhook has brought is noted, and nothing is asked about it', async () => {
  const world = await shop()
  const { sha } = await world.github.merge('acme/shop', { ...MERGE, number: 7, title: 'Sell tea' })
  await world.look(1)
  await world.deploy(sha)
  const before = world.github.requests.length

  expect(await world.look(3)).toBeUndefined()

  expect(world.taken).toEqual([])
  expect(await world.noted()).toBe(sha)
  expect(world.github.requests.slice(before).map(({ path }) => path)).toEqual([
    '/repos/Acme/Shop',
    '/repos/acme/shop/branches/main',
  ])
})

test('what has failed is not taken again', async () => {
  const world = await shop()
  const { sha } = await world.github.merge('acme/shop', { ...MERGE, number: 7, title: 'Sell tea' })
  const [accepted] = await world.deploy(sha)
  const id = accepted?.deployments[0]?.id ?? 0
  await world.store.move(id, 'queued', 'failed', { at: START, reason: 'checks_failed', reports: () => [] })

  await world.find(1)

  expect(world.taken).toEqual([])
})

test('of several merges the newest is taken, also below commits that were pushed', async () => {
  const world = await shop()
  await world.github.merge('acme/shop', { ...MERGE, number: 7, title: 'Sell tea' })
  const { sha } = await world.github.merge('acme/shop', { ...MERGE, number: 8, title: 'Sell coffee' })
  const [top] = world.github.addCommits('acme/shop', [{ message: 'Correct a word' }])

  await world.find(1)

  expect(world.shas()).toEqual([`merge ${sha}`])
  expect(await world.noted()).toBe(top?.sha)
})

test('commits that were pushed are nothing to an environment that merges deploy, and are asked about once', async () => {
  const world = await shop()
  const pushed = Array.from({ length: 25 }, (_, index) => ({ message: `Change ${index}` }))
  const head = world.github.addCommits('acme/shop', pushed).at(-1)?.sha

  await world.find(1)
  await world.look(9)

  expect(world.taken).toEqual([])
  expect(await world.noted()).toBe(head)
  expect(world.github.requests.filter(({ path }) => path.endsWith('/pulls'))).toHaveLength(25)
  expect(world.said).toEqual([])
})

test('a merge is found behind many commits that were pushed; where there are too many that is said', async () => {
  const world = await shop()
  const { sha } = await world.github.merge('acme/shop', { ...MERGE, number: 7, title: 'Sell tea' })
  const push = (length: number) =>
    world.github.addCommits(
      'acme/shop',
      Array.from({ length }, (_, index) => ({ message: `Change ${index}` })),
    )
  push(120)

  await world.find(1)
  push(201)
  await world.find(9)

  expect(world.shas()).toEqual([`merge ${sha}`])
  expect(world.said).toEqual(['catch-up:found', 'catch-up:too-far-back'])
  expect(world.github.requests.filter(({ path }) => path.endsWith('/pulls'))).toHaveLength(121 + 200)
})

test('a merge that is there already below what was pushed is not taken again', async () => {
  const world = await shop()
  const { sha } = await world.github.merge('acme/shop', { ...MERGE, number: 7, title: 'Sell tea' })
  await world.deploy(sha)
  world.github.addCommits('acme/shop', [{ message: 'Correct a word' }])

  await world.find(1)

  expect(world.taken).toEqual([])
})

test('a merge into another branch is not one into this', async () => {
  const world = await shop()
  world.github.setBranch('acme/shop', 'next', world.first)
  const { sha } = await world.github.merge('acme/shop', { ...MERGE, number: 7, title: 'Tea', base: 'next' })
  world.github.setBranch('acme/shop', 'main', sha)

  await world.find(1)

  expect(world.taken).toEqual([])
  expect(await world.noted()).toBe(sha)
})

test('a branch that was set back or rewritten is a push, and no merge', async () => {
  const world = await shop(
    { name: 'production' },
    { name: 'staging', deployOn: 'push', lane: 'acme/shop/staging' },
  )
  const { sha } = await world.github.merge('acme/shop', { ...MERGE, number: 7, title: 'Sell tea' })
  await world.find(1)
  world.github.setBranch('acme/shop', 'main', world.first)
  await world.find(4)
  const [aside] = world.github.addCommits('acme/shop', [{ message: 'Sell milk' }])
  await world.find(7)

  expect(world.shas()).toEqual([`push ${sha}`, `merge ${sha}`, `push ${world.first}`, `push ${aside?.sha}`])
  expect(await world.noted()).toBe(aside?.sha)
})

test('each branch is looked at for its own environments', async () => {
  const world = await shop({ name: 'production', branch: 'release', deployOn: 'push' }, { name: 'staging' })
  world.github.setBranch('acme/shop', 'release', world.first)
  const [released] = world.github.addCommits('acme/shop', [{ message: 'Release' }], 'release')

  await world.find(1)

  expect(world.shas()).toEqual([`push ${released?.sha}`])
  expect(await world.noted()).toBe(released?.sha)
  expect(await world.noted('staging')).toBe(world.first)
})

test('where nothing is noted of the branch it is noted, and nothing is deployed', async () => {
  const world = await shop({ deployOn: 'push' })
  await world.store.heads.note('acme/shop', ['production'], { branch: 'master', sha: world.first })
  const [commit] = world.github.addCommits('acme/shop', [{ message: 'Sell tea' }])

  await world.find(1)

  expect(world.taken).toEqual([])
  expect(await world.noted()).toBe(commit?.sha)
})

test('each new commit is waited for anew, but not for ever', async () => {
  const world = await shop({ deployOn: 'push' })
  const push = () => world.github.addCommits('acme/shop', [{ message: 'Again' }])
  for (const minutes of [1, 2.5, 4, 5.5, 7, 8.5, 10]) {
    push()
    expect(await world.look(minutes)).toBe(START + Math.min(minutes + 2, 11) * MINUTE)
  }
  push()

  expect(await world.look(11)).toBeUndefined()
  expect(world.taken).toHaveLength(1)
})

test('what could not be recorded is taken later, and what was recorded before a crash not again', async () => {
  const world = await shop({ deployOn: 'push' })
  const [commit] = world.github.addCommits('acme/shop', [{ message: 'Sell tea' }])
  world.refuses = true
  await world.look(1)
  await expect(world.look(3)).rejects.toThrow('It cannot be recorded.')
  expect(await world.noted()).toBe(world.first)

  world.refuses = false
  world.restart()
  await world.find(4)
  await world.store.heads.note('acme/shop', ['production'], { branch: 'main', sha: world.first })
  world.restart()
  await world.find(7)

  expect(world.shas()).toEqual([`push ${commit?.sha}`])
})

test('what has not the shape that GitHub gives is said, and left alone', async () => {
  const world = await shop()
  await world.github.merge('acme/shop', { ...MERGE, number: 7, title: 'Sell tea' })
  world.github.fail({ path: /pulls\/7$/, with: { status: 200, body: { number: 7 } } })

  await world.find(1)
  await world.look(5)

  expect(world.taken).toEqual([])
  expect(world.said).toEqual(['catch-up:unreadable'])
})

test('a token that may not read the repository, or pull requests, is refused, and nothing is noted', async () => {
  const world = await shop()
  const { sha } = await world.github.merge('acme/shop', { ...MERGE, number: 7, title: 'Sell tea' })
  const reader = { type: 'fine-grained', login: 'mona' } as const
  world.github.addToken('no-pulls', { ...reader, permissions: { contents: 'read' } })
  world.github.addToken('deployments-only', { type: 'classic', login: 'mona', scopes: ['repo_deployment'] })

  expect((await refusalOf(world.look(1, 'deployments-only'))).status).toBe(404)
  world.restart()
  await world.look(2, 'no-pulls')
  expect((await refusalOf(world.look(4, 'no-pulls'))).status).toBe(403)
  world.restart()
  await world.find(5)

  expect(world.shas()).toEqual([`merge ${sha}`])
})

test('a branch that is no more, or not yet, is nothing', async () => {
  const world = await shop({ branch: 'release', deployOn: 'push' })

  await world.find(1)

  expect(world.taken).toEqual([])
  expect(await world.noted()).toBe(world.first)
})
