import { expect, test } from 'vitest'

import type { Deployment } from '../../src/deployment/deployment.ts'
import type { NewDeployment } from '../../src/store/store.ts'
import { openLooks } from '../support/looking.ts'
import { newDeployment, newMerge } from '../support/samples.ts'

const LOCK = { place: 'acme/shop', reason: 'a release', by: 'ann', since: 1_000, until: undefined }
const HELD = {
  reason: 'locked',
  detail: 'acme/shop is locked by ann: a release',
  since: 1_000,
  until: undefined,
} as const

/** An environment with the first of some commits in place, whose next one has been asked for and is held by a lock. */
async function shop() {
  const looks = await openLooks()
  const made = looks.github.addCommits(
    'acme/shop',
    ['Tea', 'Coffee', 'Milk'].map((message) => ({ message })),
  )
  const [tea, coffee, milk] = made.map(({ sha }) => sha) as [string, string, string]
  const begin = async (sha: string, given: Partial<NewDeployment> = {}): Promise<Deployment> => {
    const one = await looks.take(newDeployment({ sha, ...given }))
    await looks.claim(2_000)
    return one
  }
  const deploy = async (sha: string): Promise<Deployment> => {
    const one = await begin(sha)
    await looks.succeed(one.id, 3_000)
    return one
  }
  const hold = async (sha: string, given: Partial<NewDeployment> = {}) => {
    const one = await looks.take(newDeployment({ sha, hold: HELD, ...given }))
    return async (at: number) => {
      await looks.lookAt(at)
      const { state, hold: held, reason, detail } = (await looks.store.deployment(one.id)) ?? {}
      return held === undefined ? [state, reason, detail] : [state, held.reason, held.detail]
    }
  }
  return { ...looks, tea, coffee, milk, begin, deploy, hold }
}

test('what was asked for and held ends when a newer commit has been deployed meanwhile, its lock freed or not', async () => {
  const { store, tea, coffee, milk, deploy, hold } = await shop()
  await deploy(tea)
  const look = await hold(coffee)
  await deploy(milk)
  await store.locks.take(LOCK)

  expect(await look(4_000)).toEqual([
    'cancelled',
    'overtaken',
    `#3 has deployed ${milk.slice(0, 7)}, which is newer, already.`,
  ])
})

test('it waits for a newer one that runs, and goes when that has failed', async () => {
  const { store, tea, coffee, milk, deploy, begin, hold } = await shop()
  await deploy(tea)
  const look = await hold(coffee)
  const newer = await begin(milk)

  expect(await look(4_000)).toEqual(['queued', 'newer_first', 'Waiting for #3, which deploys a newer one'])
  await store.move(newer.id, 'running', 'failed', { at: 5_000, reason: 'command_failed', reports: () => [] })
  expect(await look(6_000)).toEqual(['queued', undefined, undefined])
})

test('it waits for a newer one that came before it, and begins while it is held', async () => {
  const { store, tea, coffee, milk, deploy, take, claim, hold } = await shop()
  await deploy(tea)
  const newer = await take(newDeployment({ sha: milk, hold: HELD }))
  const look = await hold(coffee)
  await store.release(newer.id, { at: 3_000, reports: () => [] })
  await claim(3_000)

  expect(await look(4_000)).toEqual(['queued', 'newer_first', 'Waiting for #2, which deploys a newer one'])
})

test.each(['person', 'merge'] as const)(
  'a newer one that begins while GitHub is asked about the checks of a %s is waited for',
  async (origin) => {
    const { environment, client, github, tea, coffee, milk, deploy, begin, take, lookAt, store } =
      await shop()
    await deploy(tea)
    const own = { origin, branch: 'main', payload: '{}', githubId: undefined, nonce: 'a'.repeat(32) } as const
    const { id } = await take(newDeployment({ sha: coffee, hold: HELD, ...own }))
    github.addCommitStatus('acme/shop', coffee, { context: 'ci/test', state: 'success' })
    const reportedChecks: typeof client.reportedChecks = async (...asked) => {
      await begin(milk)
      return client.reportedChecks(...asked)
    }

    await lookAt(4_000, {
      environmentOf: () => ({ ...environment, requiredContexts: ['ci/test'] }),
      github: () => ({ ...client, reportedChecks }),
    })

    expect(await store.deployment(id)).toMatchObject({ state: 'queued', hold: { reason: 'newer_first' } })
  },
)

test('a newer one that begins while GitHub makes the deployment of a merge is waited for, too', async () => {
  const { client, tea, coffee, milk, deploy, begin, take, lookAt, claim, succeed, store } = await shop()
  await deploy(tea)
  const nonce = 'a'.repeat(32)
  const payload = JSON.stringify({ ferryman: nonce })
  const { id } = await take(newMerge({ sha: coffee, nonce, payload }))
  const createDeployment: typeof client.createDeployment = async (...asked) => {
    await begin(milk)
    const made = await client.createDeployment(...asked)
    return made === 'auto_merged' ? made : { ...made, githubId: 77 }
  }

  const { lookAgainMs } = await lookAt(4_000, { github: () => ({ ...client, createDeployment }) })
  expect(lookAgainMs).toBeLessThan(1_000)
  await lookAt(5_000)
  expect(await store.deployment(id)).toMatchObject({ githubId: 77, hold: { reason: 'newer_first' } })
  await succeed(3, 6_000)
  expect(await claim(7_000)).toBeUndefined()
  await lookAt(7_000)

  expect(await store.deployment(id)).toMatchObject({ state: 'cancelled', reason: 'overtaken' })
})

test.each(['waits for its turn', 'runs', 'has succeeded'] as const)(
  'what was made on GitHub first and delivered last takes away nothing newer, which %s by then',
  async (what) => {
    const { store, tea, coffee, milk, deploy, take, claim, succeed, lookAt } = await shop()
    await deploy(tea)
    const newer = await take(newDeployment({ sha: milk, githubId: 9_000 }))
    if (what !== 'waits for its turn') await claim(2_000)
    if (what === 'has succeeded') await succeed(newer.id, 3_000)
    const { id } = await take(newDeployment({ sha: coffee, githubId: 8_000 }))

    await lookAt(4_000)
    if (what !== 'has succeeded')
      expect(await store.deployment(id)).toMatchObject({ hold: { reason: 'newer_first' } })
    if (what === 'waits for its turn') await claim(4_000)
    if (what !== 'has succeeded') await succeed(newer.id, 5_000)
    await lookAt(5_000)

    expect(await store.deployment(id)).toMatchObject({ state: 'cancelled', reason: 'overtaken' })
  },
)

test('the newer one that runs is waited for, whatever else waits behind it', async () => {
  const { tea, coffee, milk, deploy, begin, take, hold } = await shop()
  await deploy(tea)
  const look = await hold(coffee)
  await begin(milk)
  await take(newDeployment({ sha: tea }))

  expect((await look(4_000)).slice(0, 2)).toEqual(['queued', 'newer_first'])
})

test('of another branch, or of the same commit, it goes all the same', async () => {
  const { store, github, milk, take, lookAt } = await shop()
  const [aside] = github.addCommits('acme/shop', [{ message: 'Cocoa' }], 'aside')
  await take(newDeployment({ sha: milk, githubId: 9_000 }))
  const other = await take(newDeployment({ sha: aside?.sha ?? '', githubId: 8_000 }))
  const same = await take(newDeployment({ sha: milk, githubId: 8_001 }))
  expect([other.hold?.reason, same.hold]).toEqual(['deciding', undefined])

  await lookAt(4_000)

  expect(await store.deployment(other.id)).toMatchObject({ state: 'queued', hold: undefined })
})

test('a merge that is ready is judged anew where something newer in front of it is let through later', async () => {
  const { store, tea, coffee, milk, begin, take, lookAt, claim, succeed } = await shop()
  const running = await begin(tea)
  const asked = await take(newDeployment({ sha: milk, hold: HELD }))
  const { id } = await take(newMerge({ sha: coffee }))
  await store.release(id, { at: 3_000, reports: () => [] })

  await lookAt(4_000)
  expect(await store.deployment(id)).toMatchObject({ hold: { reason: 'newer_first' } })
  await succeed(running.id, 5_000)
  expect(await claim(6_000)).toMatchObject({ id: asked.id })
  await succeed(asked.id, 7_000)
  await lookAt(8_000)

  expect(await store.deployment(id)).toMatchObject({ state: 'cancelled', reason: 'overtaken' })
})

test('who asks for something older than what is there wants to go back, whatever comes meanwhile', async () => {
  const { tea, coffee, milk, deploy, hold } = await shop()
  await deploy(coffee)
  const look = await hold(tea)
  await deploy(milk)

  expect(await look(4_000)).toEqual(['queued', undefined, undefined])
})

test.each([':previous', '#1'])(
  'who asks for %s gets it, also where going back is going forward',
  async (ref) => {
    const { tea, coffee, milk, deploy, hold } = await shop()
    await deploy(coffee)
    await deploy(tea)
    const payload = JSON.stringify({ asked_for: ref })
    const person = { origin: 'person', payload, githubId: undefined, nonce: 'a'.repeat(32) } as const
    const look = await hold(coffee, person)
    await deploy(milk)

    expect((await look(4_000)).slice(0, 2)).toEqual(['queued', undefined])
  },
)

test('another task than deploying is overtaken by nothing', async () => {
  const { tea, coffee, milk, deploy, hold } = await shop()
  await deploy(tea)
  const look = await hold(coffee, { task: 'migrate' })
  await deploy(milk)

  expect((await look(4_000)).slice(0, 2)).toEqual(['queued', undefined])
})

test('what began before it was asked for was known to whoever asked', async () => {
  const { tea, coffee, milk, deploy, begin, hold, succeed } = await shop()
  await deploy(tea)
  const running = await begin(milk)
  const look = await hold(coffee)
  await succeed(running.id, 3_000)

  expect(await look(4_000)).toEqual(['queued', undefined, undefined])
})

test('the same commit again, and one of another branch, are nothing newer', async () => {
  const { github, tea, coffee, deploy, hold } = await shop()
  const [aside] = github.addCommits('acme/shop', [{ message: 'Cocoa' }], 'aside')
  await deploy(tea)
  const same = await hold(coffee)
  await deploy(coffee)
  const other = await hold(coffee)
  await deploy(aside?.sha ?? '')

  expect((await same(4_000)).slice(0, 2)).toEqual(['queued', undefined])
  expect((await other(4_000)).slice(0, 2)).toEqual(['queued', undefined])
})
