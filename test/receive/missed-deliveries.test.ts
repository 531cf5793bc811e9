import { expect, onTestFinished, test } from 'vitest'

import type { EnvironmentConfig, RepositoryConfig } from '../../src/config/config.ts'
import { createMissedDeliveries, type MissedDeliveries } from '../../src/receive/missed-deliveries.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { appClientOf } from '../support/apps.ts'
import { clientOf, refusalOf, shopAtGitHub } from '../support/doubles.ts'
import { freePort } from '../support/needs.ts'
import { environmentConfig } from '../support/samples.ts'
import { emptyDatabase } from '../support/stores.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** The environment has been configured for two days then. */
const START = Date.parse('2026-11-21T12:00:00Z')

/** A hook of GitHub's to which nobody answers, and what asks for its deliveries again. */
async function shop(
  given: Partial<EnvironmentConfig> & {
    readonly kind?: 'repository' | 'organization'
    readonly scopes?: string[]
    readonly configuredAt?: number
  } = {},
) {
  const {
    kind = 'repository',
    scopes = ['repo', 'admin:org_hook'],
    configuredAt = START - 48 * HOUR,
    ...environment
  } = given
  let now = START
  const { github, sha } = await shopAtGitHub({ clock: () => now })
  github.addToken('robot', { type: 'classic', login: 'robot', scopes })
  const url = `http://127.0.0.1:${await freePort()}/webhooks/github`
  const there = github.addHook('acme/shop', { url, events: ['*'], contentType: 'json', kind })
  const database = await emptyDatabase.sqlite()
  const store = await openStore(database.address)
  onTestFinished(async () => {
    await store.close()
    await database.drop()
  })
  const repository: RepositoryConfig = {
    name: 'Acme/Shop',
    environments: new Map([['production', environmentConfig(environment)]]),
  }
  const said: string[] = []
  const say = (event: string): void => void said.push(event)
  const make = (): MissedDeliveries =>
    createMissedDeliveries({
      github: () => client,
      store,
      repositories: () => [repository],
      configuredSince: () => configuredAt,
      maxAgeMs: () => 24 * HOUR,
      githubIdOf: () => 17,
      configuredName: ({ name }) => (name === 'acme/shop' ? 'Acme/Shop' : undefined),
      pause: () => Promise.resolve(),
      clock: () => now,
      journal: { info: say, warn: say, error: say },
    })
  let client = clientOf(github, 'robot')
  let missed = make()
  const world = {
    github,
    said,
    there,
    hook: { id: there.id, kind, place: kind === 'repository' ? 'Acme/Shop' : 'acme' },
    /** An event that does not arrive, at that moment; answers its GUID. */
    async lose(event: string, at = now, payload?: unknown): Promise<string> {
      const before = now
      now = at
      const { guid } = await github.deliver(event, payload ?? payloads[event]?.(), { hook: there })
      now = before
      return guid
    },
    /** GitHub's clock goes on; every GUID that was asked for again since the last look. */
    async look(at = now): Promise<{ asked: string[]; again: number | undefined }> {
      now = at
      const since = github.requests.length
      const again = await missed.lookAt(world.hook)
      await github.idle()
      const ids = github.requests
        .slice(since)
        .flatMap(({ path }) => /deliveries\/(\d+)\/attempts$/.exec(path)?.[1] ?? [])
      const guidOf = (id: string) => there.deliveries.find((one) => String(one.id) === id)?.guid ?? id
      return { asked: ids.map(guidOf), again }
    },
    becomeApp(id: string) {
      client = appClientOf(github, { id: Number(id) })
    },
    startAgain() {
      missed = make()
    },
    heard: (headers: Record<string, string>, body: unknown) => missed.heard({ headers }, body),
    hooks: () => missed.hooks(),
  }
  const payloads: Readonly<Record<string, () => unknown>> = {
    pull_request: () => mergeOf('closed'),
    push: () =>
      github.events.push('acme/shop', {
        ref: 'refs/heads/main',
        before: 'b'.repeat(40),
        after: sha,
        pusher: 'mona',
      }),
    ping: () => github.events.ping(there),
  }
  const mergeOf = (action: 'closed' | 'opened') =>
    github.events.pullRequest('acme/shop', {
      action,
      number: 1,
      title: 'Faster',
      base: { branch: 'main', sha: 'b'.repeat(40) },
      head: { branch: 'topic', sha: 'c'.repeat(40) },
      author: 'octo',
      ...(action === 'closed' ? { merged: { sha, by: 'mona' } } : {}),
    })
  return Object.assign(world, { mergeOf })
}

test('merges and pushes that did not arrive are asked for again, oldest first', async () => {
  const world = await shop()
  const merge = await world.lose('pull_request', START - 2 * HOUR)
  const push = await world.lose('push', START - HOUR)
  await world.lose('ping')
  await world.lose('pull_request', START - MINUTE, world.mergeOf('opened'))

  expect(await world.look()).toEqual({ asked: [merge, push], again: undefined })
  expect(world.there.deliveries.filter(({ isRedelivery }) => isRedelivery)).toHaveLength(2)
  expect(world.said).toEqual(['catch-up:asked-again', 'catch-up:asked-again'])
})

test('one is asked for once in six hours, also after a restart', async () => {
  const world = await shop()
  const merge = await world.lose('pull_request', START - HOUR)
  await world.look()

  expect((await world.look(START + 5 * MINUTE)).asked).toEqual([])
  world.startAgain()
  expect((await world.look(START + 5 * HOUR)).asked).toEqual([])
  expect((await world.look(START + 6 * HOUR)).asked).toEqual([merge])
})

test('one that has arrived meanwhile is not asked for', async () => {
  const world = await shop()
  const merge = await world.lose('pull_request', START - HOUR)
  const taken = world.there.deliveries.find(({ guid }) => guid === merge)
  if (taken === undefined) throw new Error('GitHub lost it.')
  const answer = { ...taken.answer, status: 202 }
  world.there.deliveries.push({ ...taken, id: taken.id + 1_000, isRedelivery: true, answer })
  world.there.deliveries.push({ ...taken, id: taken.id + 1_001, isRedelivery: true })

  expect((await world.look()).asked).toEqual([])
})

test('what is too old is left alone, and so is what came before the environment was configured', async () => {
  const world = await shop()
  await world.lose('pull_request', START - 25 * HOUR)
  const young = await world.lose('pull_request', START - 23 * HOUR)

  expect((await world.look()).asked).toEqual([young])
})

test('GitHub writes no milliseconds, so what came in the second of the configuration counts', async () => {
  const world = await shop({ configuredAt: START + 400 })
  await world.lose('pull_request', START - 1)
  const lost = await world.lose('pull_request', START + 700)

  expect((await world.look(START + MINUTE)).asked).toEqual([lost])
})

test('where nothing deploys by itself nothing is asked for', async () => {
  const world = await shop({ deployOn: 'none' })
  await world.lose('pull_request')

  expect((await world.look()).asked).toEqual([])
})

test('a list without news costs nothing, and of one with news only the new part is read', async () => {
  const world = await shop()
  for (let count = 0; count < 101; count += 1) await world.lose('ping', START - 2 * HOUR)
  await world.look()
  const first = world.github.requests.length
  await world.look()
  const second = world.github.requests.length
  await world.lose('ping')
  await world.look()

  expect(first).toBe(2)
  expect(world.github.requests.slice(first, second).map(({ answer }) => answer?.status)).toEqual([304])
  expect(world.github.requests.length - second).toBe(1)
})

test('of many, twenty are asked for at once, and the others a minute later', async () => {
  const world = await shop()
  const guids: string[] = []
  for (let count = 0; count < 22; count += 1)
    guids.push(await world.lose('push', START - HOUR + count * 1_000))

  expect(await world.look()).toEqual({ asked: guids.slice(0, 20), again: START + MINUTE })
  expect(await world.look(START + MINUTE)).toEqual({ asked: guids.slice(20), again: undefined })
})

test('what GitHub refuses counts as not asked, and what may have reached it as asked', async () => {
  const world = await shop()
  const merge = await world.lose('pull_request', START - HOUR)
  world.github.fail({ path: /attempts$/, with: { status: 429, body: { message: 'Slower' } } })
  await refusalOf(world.look())

  world.github.fail({ path: /attempts$/, with: { status: 200, body: '<html>Sign in</html>' } })
  expect((await refusalOf(world.look(START + 1))).message).toContain('not that it delivers again')

  world.github.fail({ path: /attempts$/, with: 'reset-after-applying' })
  await refusalOf(world.look(START + MINUTE))

  expect((await world.look(START + 2 * MINUTE)).asked).toEqual([])
  expect(world.there.deliveries.filter(({ guid }) => guid === merge)).toHaveLength(2)
})

test('the hook of an organization is asked for what concerns our repositories', async () => {
  const world = await shop({ kind: 'organization' })
  const merge = await world.lose('pull_request', START - HOUR)
  Object.assign(world.there, { repository: { ...world.there.repository, id: 17 } })

  expect((await world.look()).asked).toEqual([merge])
  expect(world.github.requests.map(({ path }) => path.replaceAll(/\d+/g, 'ID'))).toEqual([
    '/orgs/acme/hooks/ID/deliveries',
    '/orgs/acme/hooks/ID/deliveries/ID/attempts',
  ])
  Object.assign(world.there, { repository: { ...world.there.repository, id: 18 } })
  world.startAgain()
  expect((await world.look(START + 7 * HOUR)).asked).toEqual([])
})

test('of a list without end the newest three thousand are read, and the log says so', async () => {
  const world = await shop()
  const merge = { guid: 'g-1', delivered_at: '2026-11-21T11:00:00Z', status: 'timed out', repository_id: 17 }
  const body = [{ ...merge, id: 1, event: 'push', action: null }]
  const link = `<${world.github.url}/more?cursor=1>; rel="next"`
  const headers = { 'content-type': 'application/json', link }
  world.github.fail({ path: /deliveries$/, times: 30, with: { status: 200, headers, body } })
  world.github.fail({ path: /attempts$/, with: { status: 202, body: {} } })

  await world.look()

  expect(world.github.requests).toHaveLength(31)
  expect(world.github.requests[29]?.query).toMatchObject({ cursor: '1', per_page: '100' })
  expect(world.said).toEqual(['catch-up:too-many-deliveries', 'catch-up:asked-again'])
})

test('an id that is too large for a number is asked for digit by digit', async () => {
  const world = await shop()
  world.github.fail({
    path: /deliveries$/,
    with: {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: `[{"id":144960932384608257,"guid":"g-1","delivered_at":"2026-11-21T11:00:00Z","status":"Service Unavailable","event":"push","action":null,"repository_id":17},{"odd":true}]`,
    },
  })
  world.github.fail({ path: /attempts$/, with: { status: 202, body: {} } })

  await world.look()

  expect(world.github.requests.at(-1)?.path).toMatch(/\/deliveries\/144960932384608257\/attempts$/)
})

test('the hook of a delivery is noted where its repository is configured', async () => {
  const world = await shop()
  const body = { repository: { id: 17, full_name: 'acme/shop' } }
  const headers = { 'x-github-hook-id': '42', 'x-github-hook-installation-target-type': 'repository' }
  await world.heard(headers, body)
  await world.heard(
    { ...headers, 'x-github-hook-id': '43' },
    { repository: { id: 18, full_name: 'acme/blog' } },
  )
  await world.heard({ ...headers, 'x-github-hook-id': '../44' }, body)
  await world.heard(
    { ...headers, 'x-github-hook-id': '45', 'x-github-hook-installation-target-type': 'x' },
    body,
  )
  await world.heard({ 'x-github-hook-id': '46' }, body)
  await world.heard(
    { 'x-github-hook-id': '47', 'x-github-hook-installation-target-type': 'organization' },
    body,
  )
  await world.heard(headers, 'text')
  world.startAgain()

  expect(await world.hooks()).toEqual([
    { id: 42, kind: 'repository', place: 'Acme/Shop' },
    { id: 47, kind: 'organization', place: 'acme' },
  ])
})

test('the hook of an App is noted under its id, and only the App itself asks for its deliveries', async () => {
  const world = await shop()
  const headers = {
    'x-github-hook-id': '48',
    'x-github-hook-installation-target-type': 'integration',
    'x-github-hook-installation-target-id': '4711',
  }
  await world.heard(headers, { repository: { id: 17, full_name: 'acme/shop' } })
  await world.heard(
    { ...headers, 'x-github-hook-id': '49', 'x-github-hook-installation-target-id': '../1' },
    { repository: { id: 17, full_name: 'acme/shop' } },
  )
  expect(await world.hooks()).toEqual([])

  world.becomeApp('4711')
  expect(await world.hooks()).toEqual([{ id: 48, kind: 'app', place: '4711' }])
  world.becomeApp('4712')
  expect(await world.hooks()).toEqual([])
})
