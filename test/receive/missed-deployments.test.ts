import { expect, onTestFinished, test } from 'vitest'

import type { EnvironmentConfig, RepositoryConfig } from '../../src/config/config.ts'
import { decide } from '../../src/decide/decide.ts'
import { createMissedDeployments, type MissedDeployments } from '../../src/receive/missed-deployments.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { NewDelivery } from '../../src/store/store.ts'
import { clientOf, post, shopAtGitHub } from '../support/doubles.ts'
import { environmentConfig, newDeployment, queuedIntake } from '../support/samples.ts'
import { emptyDatabase } from '../support/stores.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
/** The server starts then; the environment has been configured for two days. */
const START = Date.parse('2026-11-21T12:00:00.500Z')

interface Taken {
  readonly githubId: number
  readonly overtaken: string | undefined
  readonly delivery: NewDelivery
  readonly body: unknown
}

/** A shop at GitHub, and a server that was away for a while. */
async function shop(given: Partial<EnvironmentConfig> = {}) {
  let now = START - HOUR
  const { github, sha } = await shopAtGitHub({ clock: () => now })
  const database = await emptyDatabase.sqlite()
  const store = await openStore(database.address)
  onTestFinished(async () => {
    await store.close()
    await database.drop()
  })
  const repository: RepositoryConfig = {
    name: 'Acme/Shop',
    environments: new Map([['production', environmentConfig(given)]]),
  }
  const taken: Taken[] = []
  const said: string[] = []
  const say = (event: string): void => void said.push(event)
  let missed: MissedDeployments | undefined
  /** What GitHub makes at that moment; of nobody's webhook is anything heard. */
  const make = async (at: number, body: object = {}, by = 'mona'): Promise<number> => {
    now = at
    const { deployment } = await github.createDeployment('acme/shop', { ref: 'main', ...body }, by)
    return deployment.id
  }
  const write = (id: number, state: string, more: object = {}) =>
    post(github, `/repos/acme/shop/deployments/${id}/statuses`, { state, auto_inactive: false, ...more })
  /** A look at that moment; the first one starts the server. */
  const look = async (at = START, token = 'mona-token') => {
    now = at
    missed ??= createMissedDeployments({
      github: () => clientOf(github, token),
      store,
      configuredSince: (place) => (place === 'acme/shop/production' ? START - 48 * HOUR : undefined),
      maxAgeMs: () => 24 * HOUR,
      concerns: (signal) =>
        decide(signal, { repositories: new Map([['acme/shop', repository]]), knownAs: new Map() }).verdict !==
        'skip',
      async take(delivery, body, { overtaken }) {
        const githubId = Number(delivery.guid.replace('catch-up-', ''))
        taken.push({ githubId, overtaken, delivery, body })
        await store.accept([{ ...queuedIntake(newDeployment({ githubId })), delivery }])
      },
      githubIdOf: () => undefined,
      clock: () => now,
      journal: { info: say, warn: say, error: say },
    })
    const again = await missed.lookAt(repository)
    return { again, ids: taken.map(({ githubId }) => githubId) }
  }
  return { github, sha, make, write, look, taken, said }
}

/** What was asked of GitHub: the path below the repository, and the status of the answer. */
const questions = ({ github }: Awaited<ReturnType<typeof shop>>, since: number): string[] =>
  github.requests
    .slice(since)
    .map(
      ({ path, answer }) => `${path.replace('/repos/Acme/Shop', '').replace(/\d+/, 'ID')} ${answer?.status}`,
    )

test('what waits at GitHub is taken up in the order in which it was made, as its webhook would have been', async () => {
  const world = await shop()
  const first = await world.make(START - HOUR, { description: 'First', payload: { deploy_user: 'octo' } })
  const second = await world.make(START - MINUTE)
  await world.write(second, 'queued')

  expect((await world.look()).ids).toEqual([first, second])
  const [taken] = world.taken
  expect(taken?.delivery).toMatchObject({
    guid: `catch-up-${first}`,
    event: 'deployment',
    action: 'created',
    receivedAt: START,
    headers: { 'x-ferryman-origin': 'catch-up' },
  })
  expect(JSON.parse(String(taken?.delivery.body))).toEqual(taken?.body)
  expect(taken?.body).toMatchObject({
    action: 'created',
    deployment: { id: first, sha: world.sha, ref: 'main', description: 'First' },
    repository: { id: 17, full_name: 'acme/shop', private: true },
    sender: { login: 'mona' },
    workflow_run: null,
  })
})

test.each(['success', 'failure', 'error', 'inactive'])(
  'one that ended as %s is left alone',
  async (state) => {
    const world = await shop()
    await world.write(await world.make(START - HOUR), state)

    expect((await world.look()).ids).toEqual([])
  },
)

test('of a state that is not ours to judge nothing is done', async () => {
  const world = await shop()
  await world.make(START - HOUR)
  world.github.fail({ path: /statuses/, with: { status: 200, body: [{ state: 'waiting', log_url: '' }] } })

  expect((await world.look()).ids).toEqual([])
})

test('what is nobody’s, or another tool’s, is not even asked about', async () => {
  const world = await shop()
  await world.make(START - HOUR, { environment: 'review-7' })
  await world.make(START - HOUR, {}, 'github-actions[bot]')
  const before = world.github.requests.length

  expect((await world.look()).ids).toEqual([])
  expect(questions(world, before)).toEqual(['/deployments 200', ' 200'])
})

test('an unknown task is ours, to be refused', async () => {
  const world = await shop()
  const id = await world.make(START - HOUR, { task: 'migrate' })

  expect((await world.look()).ids).toEqual([id])
})

test('what is too old is left alone, and so is what was made before the environment was configured', async () => {
  const world = await shop()
  await world.make(START - 24 * HOUR - MINUTE)
  const young = await world.make(START - 24 * HOUR + MINUTE)

  expect((await world.look()).ids).toEqual([young])
})

test('a list that has not changed costs nothing, and one that has is not asked about twice', async () => {
  const world = await shop()
  await world.write(await world.make(START - HOUR), 'success')
  const { github } = world
  const budget = () => Number(github.requests.at(-1)?.answer?.headers?.['x-ratelimit-remaining'])
  await world.look()

  const [before, left] = [github.requests.length, budget()]
  await world.look(START + 10 * SECOND)
  await world.look(START + 20 * SECOND)
  expect(questions(world, before)).toEqual(['/deployments 304', '/deployments 304'])
  expect(budget()).toBe(left)

  const fresh = await world.make(START + 30 * SECOND)
  await world.write(fresh, 'success')
  const then = github.requests.length
  await world.look(START + 5 * MINUTE)
  expect(questions(world, then)).toEqual(['/deployments 200', ' 200', `/deployments/ID/statuses 200`])
})

test('the webhook of what was just made has two minutes to come', async () => {
  const world = await shop()
  await world.look()
  const id = await world.make(START + MINUTE)

  const early = await world.look(START + 2 * MINUTE)
  expect(early).toEqual({ again: id && Math.floor((START + MINUTE) / 1000) * 1000 + 2 * MINUTE, ids: [] })
  expect(await world.look(START + 3 * MINUTE)).toEqual({ again: undefined, ids: [id] })
})

test('a job of Actions is known by the pages that its statuses link to', async () => {
  const world = await shop()
  const id = await world.make(START - HOUR)
  await world.write(id, 'in_progress', { log_url: 'https://github.com/acme/shop/actions/runs/7/job/9' })

  expect((await world.look()).ids).toEqual([])
})

test('where deployments of Actions are accepted they are taken up too', async () => {
  const world = await shop({ acceptActionsDeployments: true })
  const linked = await world.make(START - HOUR)
  await world.write(linked, 'in_progress', { log_url: 'https://github.com/acme/shop/actions/runs/7/job/9' })
  const named = await world.make(START - HOUR, {}, 'github-actions[bot]')

  expect((await world.look()).ids).toEqual([linked, named])
})

test.each(['success', 'failure', 'error'])('one is closed when a newer one ended as %s', async (state) => {
  const world = await shop()
  const old = await world.make(START - 2 * HOUR)
  await world.write(await world.make(START - HOUR), state)
  const newest = await world.make(START - MINUTE)

  await world.look()

  expect(world.taken.map(({ githubId, overtaken }) => [githubId, overtaken])).toEqual([
    [old, 'Not deployed: it was missed, and GitHub has a newer one that has ended since.'],
    [newest, undefined],
  ])
})

test('one is not closed by a newer one that was withdrawn, that a job of Actions made, or of another task', async () => {
  const world = await shop()
  const old = await world.make(START - 2 * HOUR)
  await world.write(await world.make(START - HOUR), 'inactive')
  await world.write(await world.make(START - HOUR), 'success', {
    log_url: 'https://github.com/acme/shop/actions/runs/7',
  })
  await world.write(await world.make(START - HOUR, { task: 'migrate' }), 'error')

  await world.look()

  expect(world.taken.map(({ githubId, overtaken }) => [githubId, overtaken])).toEqual([[old, undefined]])
})

test('more than a page of them are taken up in order, and what is known already is not', async () => {
  const world = await shop()
  const ids: number[] = []
  for (let count = 0; count < 130; count += 1) ids.push(await world.make(START - HOUR + count * SECOND))

  expect((await world.look()).ids).toEqual(ids)
  await world.look(START + MINUTE)
  expect(world.taken).toHaveLength(130)
})

test('one that cannot be read does not stand in the way of the others', async () => {
  const world = await shop()
  const id = await world.make(START - HOUR)
  const [good] = (await post(world.github, '/repos/acme/shop/deployments', undefined, { method: 'GET' }))
    .body as object[]
  const others = [{ ...good, id: 5, sha: 'HEAD' }, { ...good, id: 'five' }, null]
  world.github.fail({ path: /deployments$/, with: { status: 200, body: [...others, good] } })

  expect((await world.look()).ids).toEqual([id])
  expect(world.said).toEqual(['catch-up:unreadable'])
})

test('numbers too large for JavaScript are read as a webhook’s are', async () => {
  const world = await shop()
  await world.make(START - HOUR, { payload: { build: 'BUILD' } })
  const { body } = await post(world.github, '/repos/acme/shop/deployments', undefined, { method: 'GET' })
  const text = JSON.stringify(body).replace('"BUILD"', '12345678901234567890')
  world.github.fail({
    path: /deployments$/,
    with: { status: 200, headers: { 'content-type': 'application/json' }, body: text },
  })

  await world.look()

  expect(world.taken[0]?.body).toMatchObject({ deployment: { payload: { build: 12345678901234567000 } } })
})

test('a token that sees the deployments and not the repository is enough', async () => {
  const world = await shop()
  world.github.addToken('robot', { type: 'classic', login: 'robot', scopes: ['repo_deployment'] })
  const id = await world.make(START - HOUR)

  expect((await world.look(START, 'robot')).ids).toEqual([id])
  expect(world.taken[0]?.body).toMatchObject({
    repository: { id: 0, full_name: 'Acme/Shop', private: true },
  })
})
