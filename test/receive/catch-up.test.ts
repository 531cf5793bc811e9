import { expect, onTestFinished, test } from 'vitest'

import type { RepositoryConfig } from '../../src/config/config.ts'
import { secondaryLimit } from '../../src/demo/github/answers.ts'
import { startCatchUp } from '../../src/receive/catch-up.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { clientOf, shopAtGitHub } from '../support/doubles.ts'
import { environmentConfig } from '../support/samples.ts'
import { eventually } from '../support/running.ts'
import { emptyDatabase } from '../support/stores.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const MINUTE = 60_000

/** Catch-up over some repositories of one GitHub, whose clock and interval can be set. */
async function catchUpOf(...names: readonly string[]) {
  const { github } = await shopAtGitHub({ clock: () => NOW })
  for (const name of names) github.addRepository(name)
  const database = await emptyDatabase.sqlite()
  const store = await openStore(database.address)
  const world = {
    github,
    store,
    now: NOW,
    intervalMs: (5 * MINUTE) as number | undefined,
    deployOn: 'none' as 'none' | 'merge',
    said: [] as { event: string; fields: unknown }[],
    /** How often it has looked through a list of deployments. */
    looks: 0,
    /** Of which repository the store can make nothing. */
    brokenAt: undefined as string | undefined,
    asked: () => github.requests.map(({ path }) => path.replace(/\/repos\/|\/deployments/g, '')),
    start,
    stop: () => {},
    /** Resolves when it rests for the so-many-eth time. */
    rests: (times: number) =>
      eventually(
        'it rests',
        () => world.said.filter(({ event }) => event === 'catch-up:resting').length === times,
      ),
  }
  const say = (event: string, fields?: unknown): void => void world.said.push({ event, fields })
  const client = clientOf(github)
  function start() {
    const known: typeof store.known = (ids) => {
      world.looks += 1
      if (world.asked().at(-1) === world.brokenAt) return Promise.reject(new Error('value out of range'))
      return store.known(ids)
    }
    const catchUp = startCatchUp({
      store: { ...store, known },
      github: () => client,
      repositories: () =>
        names.map((name): RepositoryConfig => ({
          name,
          environments: new Map([['production', environmentConfig({ deployOn: world.deployOn })]]),
        })),
      intervalMs: () => world.intervalMs,
      configuredSince: () => NOW - MINUTE,
      maxAgeMs: () => 24 * 60 * MINUTE,
      concerns: () => true,
      take: () => Promise.resolve(),
      githubIdOf: () => undefined,
      configuredName: ({ name }) => name,
      clock: () => world.now,
      journal: { info: say, warn: say, error: say },
    })
    world.stop = catchUp.stop
    return catchUp
  }
  onTestFinished(async () => {
    world.stop()
    await store.close()
    await database.drop()
  })
  return world
}

const SHOPS = ['acme/one', 'acme/two', 'acme/three']
const of =
  (name: string) =>
  ({ path, answer }: { path: string; answer: unknown }) =>
    path.startsWith(`/repos/${name}/`) && answer !== undefined

test('it looks at every repository at the start, and again when it is woken', async () => {
  const world = await catchUpOf(...SHOPS)

  const catchUp = world.start()
  await world.github.waitFor(of('acme/three'))
  catchUp.wake()
  await world.github.waitFor(({ path, answer }) => path.includes('three') && answer?.status === 304)

  expect(world.asked()).toEqual([...SHOPS, ...SHOPS])
})

test('what is new in the configuration is looked at as if nothing were known', async () => {
  const world = await catchUpOf('acme/one')
  const catchUp = world.start()
  await eventually('it has looked', () => world.looks === 1)
  catchUp.wake()
  await world.github.waitFor(({ answer }) => answer?.status === 304)

  catchUp.startOver()
  catchUp.startOver()
  await eventually('it has looked again', () => world.looks > 1)

  expect(world.github.requests.length).toBeGreaterThan(2)
})

test('where it is switched off nothing is asked, until it is switched on', async () => {
  const world = await catchUpOf('acme/one')
  world.intervalMs = undefined
  const catchUp = world.start()
  catchUp.wake()
  expect(world.github.requests).toEqual([])

  world.intervalMs = 5 * MINUTE
  catchUp.startOver()
  await world.github.waitFor(of('acme/one'))

  expect(world.asked()).toEqual(['acme/one'])
})

test('it leaves a fifth of GitHub’s budget to others, and goes on from there when that is full again', async () => {
  const world = await catchUpOf(...SHOPS)
  world.github.setRateLimit('mona', { remaining: 1_001, resetAt: NOW + 30 * MINUTE })
  const catchUp = world.start()
  await world.rests(1)
  world.now += 5 * MINUTE
  catchUp.wake()
  await world.rests(2)

  world.now += 26 * MINUTE
  world.github.setRateLimit('mona', { remaining: 5_000, resetAt: NOW + 90 * MINUTE })
  catchUp.wake()
  await eventually('all were asked about', () => world.asked().length === 5)

  expect(world.asked()).toEqual(['acme/one', 'acme/two', 'acme/three', 'acme/one', 'acme/two'])
})

test('where the budget is never enough for a round every place has its turn, branches too', async () => {
  const world = await catchUpOf(...SHOPS)
  world.deployOn = 'merge'
  const spend = (hour: number) =>
    world.github.setRateLimit('mona', { remaining: 1_001, resetAt: NOW + hour * 60 * MINUTE })
  spend(1)
  const catchUp = world.start()
  const branches = () => world.github.requests.filter(({ path }) => /^\/repos\/[^/]+\/[^/]+$/.test(path))

  for (let hour = 1; hour <= 3; hour += 1) {
    await world.rests(hour)
    world.now = NOW + hour * 60 * MINUTE + 1_000
    spend(hour + 1)
    catchUp.wake()
  }
  await eventually('every branch was looked at', () => branches().length === SHOPS.length)

  expect(branches().map(({ path }) => path)).toEqual(SHOPS.map((name) => `/repos/${name}`))
})

test('a clock that is set back by years lets it rest no longer than GitHub asks for', async () => {
  const world = await catchUpOf(...SHOPS)
  world.github.setRateLimit('mona', { remaining: 1_001, resetAt: NOW + 30 * MINUTE })
  const catchUp = world.start()
  await world.rests(1)

  world.now -= 5_000_000 * MINUTE
  catchUp.wake()
  await eventually('all were asked about', () => world.asked().length === 5)

  expect(world.asked()).toEqual(['acme/one', 'acme/two', 'acme/three', 'acme/one', 'acme/two'])
})

test('a token that GitHub does not know is shown once in a round, and not once for every repository', async () => {
  const world = await catchUpOf(...SHOPS)
  world.github.fail({ times: 2, with: { status: 401, body: { message: 'Bad credentials' } } })
  const catchUp = world.start()
  await world.rests(1)
  expect(world.asked()).toEqual(['acme/one'])

  world.now += 5 * MINUTE
  catchUp.wake()
  await world.rests(2)
  expect(world.asked()).toEqual(['acme/one', 'acme/two'])

  catchUp.startOver()
  await eventually('all were asked about', () => world.asked().length === 5)
})

test('when GitHub asks for patience nothing more is asked before', async () => {
  const world = await catchUpOf(...SHOPS)
  world.github.fail({ path: /one/, with: secondaryLimit(600) })
  const catchUp = world.start()
  await world.rests(1)
  world.now += 9 * MINUTE
  catchUp.wake()
  await world.rests(2)

  world.now += 2 * MINUTE
  catchUp.wake()
  await eventually('all were asked about', () => world.asked().length === 4)

  expect(world.asked()).toEqual(['acme/one', 'acme/two', 'acme/three', 'acme/one'])
})

test('one repository that may not be looked at is told of once, and delays no other', async () => {
  const world = await catchUpOf(...SHOPS)
  world.github.fail({ path: /one/, times: 2, with: { status: 403, body: { message: 'No access' } } })
  const catchUp = world.start()
  await world.github.waitFor(of('acme/three'))
  catchUp.wake()
  await world.github.waitFor(({ path, answer }) => path.includes('three') && answer?.status === 304)

  expect(world.said).toEqual([
    {
      event: 'catch-up:postponed',
      fields: { repository: 'acme/one', error: 'GitHub answered 403: No access' },
    },
  ])
})

test.each(SHOPS)('what goes wrong with %s keeps no other from its turn', async (brokenAt) => {
  const world = await catchUpOf(...SHOPS)
  world.brokenAt = brokenAt
  const catchUp = world.start()

  for (const round of [1, 2, 3]) {
    await eventually(`all had their turn, round ${round}`, () => {
      catchUp.wake()
      return SHOPS.every((name) => world.asked().filter((one) => one === name).length >= round)
    })
  }
})

test('a webhook that may not be seen is told of once, with what is needed for it', async () => {
  const world = await catchUpOf('acme/one')
  world.github.addToken('mona-token', { login: 'mona', type: 'classic', scopes: ['repo_deployment'] })
  const catchUp = world.start()
  await world.github.waitFor(of('acme/one'))
  const headers = { 'x-github-hook-id': '42', 'x-github-hook-installation-target-type': 'repository' }
  catchUp.heard({ headers }, { repository: { id: 1, full_name: 'acme/one' } })
  await eventually('it is noted', async () => (await world.store.hooks.all()).length === 1)

  catchUp.startOver()
  await world.github.waitFor(({ path, answer }) => path.includes('/hooks/42/') && answer?.status === 404)
  await eventually('it is told', () => world.said.length === 1)
  const before = world.github.requests.length
  catchUp.wake()
  await world.github.waitFor(
    (one) => world.github.requests.indexOf(one) >= before && one.answer !== undefined,
  )

  expect(world.said).toEqual([
    {
      event: 'catch-up:postponed',
      fields: {
        hook: 42,
        repository: 'acme/one',
        error: 'GitHub answered 404: Not Found',
        needs: 'Webhooks: read and write (classic: admin:repo_hook)',
      },
    },
  ])
})

test('branches that may not be seen are told of once, with what is needed for them', async () => {
  const world = await catchUpOf('acme/one')
  world.deployOn = 'merge'
  world.github.addToken('mona-token', { login: 'mona', type: 'classic', scopes: ['repo_deployment'] })
  const catchUp = world.start()
  await eventually('it is told', () => world.said.length === 1)
  catchUp.wake()
  await world.github.waitFor(({ answer }) => answer?.status === 304)

  expect(world.said).toEqual([
    {
      event: 'catch-up:postponed',
      fields: {
        repository: 'acme/one',
        of: 'branches',
        error: 'GitHub shows no repository acme/one',
        needs: 'Contents: read, Pull requests: read (classic: repo)',
      },
    },
  ])
})

test('a webhook that may not be seen is left alone for an hour', async () => {
  const world = await catchUpOf('acme/one')
  world.github.addToken('mona-token', { login: 'mona', type: 'classic', scopes: ['repo_deployment'] })
  await world.store.hooks.heard({ id: 42, kind: 'repository', place: 'acme/one' })
  const asked = () => world.asked().filter((path) => path.includes('/hooks/'))
  const listed = () => world.asked().filter((path) => path === 'acme/one').length
  const catchUp = world.start()
  await eventually('it is told', () => world.said.length === 1)
  const aRound = async () => {
    const before = listed()
    catchUp.wake()
    await eventually('a round has begun', () => listed() > before)
  }

  for (const [minutes, times] of [
    [59, 1],
    [60, 2],
    [61, 2],
  ] as const) {
    world.now = NOW + minutes * MINUTE
    await aRound() // when the next one has begun this one is over
    await aRound()
    expect(asked()).toHaveLength(times)
  }
})

test('a GitHub that is away is not asked about every repository', async () => {
  const names = ['acme/one', 'acme/two', 'acme/three', 'acme/four']
  const world = await catchUpOf(...names)
  world.github.fail({ times: 3, with: { status: 502, body: '<html>Bad gateway</html>' } })
  const catchUp = world.start()
  await world.github.waitFor(of('acme/three'))
  catchUp.wake()
  await eventually('all were asked about', () => world.asked().length === 7)

  expect(world.asked()).toEqual([...names.slice(0, 3), 'acme/four', ...names.slice(0, 3)])
})

test('it stops at once, in the middle of a round', async () => {
  const world = await catchUpOf(...SHOPS)
  const held = world.github.hold({ path: /one/ })
  world.start()
  await held.arrived()

  world.stop()
  held.release()
  await world.github.waitFor(of('acme/one'))
  await new Promise((resolve) => setImmediate(resolve))

  expect(world.asked()).toEqual(['acme/one'])
  expect(world.said).toEqual([])
})
