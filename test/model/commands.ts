import { randomUUID } from 'node:crypto'

import fc from 'fast-check'

import type { Doom } from './mortal.ts'
import { FerrymanError } from '../../src/errors.ts'
import { DAY, HOUR, SHOP, type Model } from './model.ts'
import { assertPromises } from './promises.ts'
import type { World } from './world.ts'

type Act = (world: World) => Promise<void>
interface Command extends fc.AsyncCommand<Model, World> {
  readonly act: Act
}

const ENVIRONMENTS = ['production', 'preview', 'staging', 'release'] as const
/** The first two write what is deployed. */
const PEOPLE = ['ann', 'octo', 'carol'] as const
const PLACES = ['*', SHOP, ...ENVIRONMENTS.map((name) => `${SHOP}/${name}`)]
const MINUTE = 60_000

/** One thing that happens. After it every promise is looked at. */
const command = (said: string, act: Act, check: (model: Model) => boolean = () => true): Command => ({
  act,
  check,
  async run(_, world) {
    await world.act(() => act(world))
    await assertPromises(world)
  },
  toString: () => said,
})

/** One of those that are there; whichever, the number says it. */
const pick = <One>(from: readonly One[], which: number): One | undefined => from[which % from.length]

const queued = ({ seen }: Model) => seen.filter(({ state }) => state === 'queued')
const active = ({ seen }: Model) => seen.filter(({ state }) => state === 'running' || state === 'cancelling')

/** Sends an event, as GitHub does: what it was about is known before, whether it was heard after the answer. */
async function deliver(
  { model, life }: World,
  event: string,
  payload: object,
  { guid = randomUUID(), sha = '' }: { readonly guid?: string; readonly sha?: string } = {},
): Promise<void> {
  model.deliveries.push({ event, payload, guid })
  const { deployments = [] } = await life.take(event, payload, guid)
  for (const { id } of deployments) if (sha !== '') model.pinned.set(id, sha)
}

const newCommits = ({ model, github }: World, count: number): string => {
  const made = github.addCommits(
    SHOP,
    Array.from({ length: count }, (_, index) => ({ message: 'Change', login: PEOPLE[index % 2] })),
  )
  model.commits.push(...made.map(({ sha }) => sha))
  for (const [index, { sha }] of made.entries()) model.authors.set(sha, PEOPLE[index % 2] ?? '')
  return model.commits.at(-1) ?? ''
}

/** The branch has moved, here or a while ago: the server hears of that commit. */
async function tellBranch(world: World, kind: 'merge' | 'push', sha: string): Promise<void> {
  const { model, github } = world
  const goals = kind === 'merge' ? ['production', 'preview'] : ['staging']
  for (const goal of goals) model.sent.add(`${goal} ${sha}`)
  if (kind === 'push') {
    const before = 'b'.repeat(40)
    const payload = github.events.push(SHOP, { ref: 'refs/heads/main', before, after: sha, pusher: 'mona' })
    await deliver(world, 'push', payload, { sha })
  } else {
    const payload = github.events.pullRequest(SHOP, {
      action: 'closed',
      number: model.commits.indexOf(sha),
      title: 'Change',
      base: { branch: 'main', sha: 'b'.repeat(40) },
      head: { branch: 'topic', sha: 'c'.repeat(40) },
      author: 'octo',
      merged: { sha, by: 'mona' },
    })
    await deliver(world, 'pull_request', payload, { sha })
  }
  for (const goal of goals) model.told.add(`${goal} ${sha}`)
}

/** GitHub says that there is this deployment. */
export async function tellDeployment(world: World, which: number): Promise<void> {
  const { model, github, published } = world
  const one = pick(published, which)
  if (one === undefined) return
  if (model.now - one.createdAt > 10 * MINUTE) model.late.add(one.id)
  await deliver(world, 'deployment', github.events.deployment(one), { sha: one.sha })
}

async function publish(world: World, environment: string, which: number, isTold: boolean): Promise<void> {
  const { model, github, published } = world
  const sha = pick(model.commits, which)
  const ref = which % 3 === 0 ? 'main' : sha
  await github.createDeployment(SHOP, { ref, environment, auto_merge: false, required_contexts: [] })
  if (isTold) await tellDeployment(world, published.length - 1)
}

function report({ model, github }: World, which: number, state: 'success' | 'failure' | 'pending'): void {
  const sha = pick(model.commits, which) ?? ''
  github.addCommitStatus(SHOP, sha, { context: 'ci/test', state })
  if (state === 'failure') model.red.add(sha)
  if (model.checks.get(sha) !== state) model.checksSince.set(sha, model.now)
  model.checks.set(sha, state)
}

async function lock(world: World, place: string, minutes: number | undefined): Promise<void> {
  const { model, life } = world
  const until = minutes === undefined ? undefined : model.now + minutes * MINUTE
  await life.store.locks.take({ place, reason: 'a freeze', by: 'mona', since: model.now, until })
  model.locks = await life.store.locks.all(model.now)
}

async function free({ model, life }: World, which: number): Promise<void> {
  const id = pick(model.locks, which)?.id
  if (id === undefined) return
  model.locks = model.locks.filter((one) => one.id !== id)
  await life.store.locks.free(id)
}

async function wish(world: World, environment: string, which: number, isForced: boolean): Promise<void> {
  const { model, life } = world
  const sha = pick(model.commits, which) ?? ''
  if (isForced) model.forcedWishes.add(`${environment} ${sha}`)
  const granted = await unlessRefused(
    life.wish({
      by: 'mona',
      repository: SHOP,
      environment,
      ref: sha,
      reason: 'because',
      force: isForced,
      task: undefined,
      key: undefined,
    }),
  )
  if (granted === undefined) return
  model.pinned.set(granted.deployment.id, sha)
  model.asked(granted.deployment)
  if (isForced) model.forced.add(granted.deployment.id)
}

/** A no that people are given; undefined then. */
const unlessRefused = <T>(work: Promise<T>): Promise<T | undefined> =>
  work.catch((thrown: unknown) => {
    if (!(thrown instanceof FerrymanError)) throw thrown
    return undefined
  })

/** Somebody agrees to one of those that wait to go to `release`. */
export async function agree(world: World, by: string, number: number): Promise<void> {
  const { model, life } = world
  const one = pick(
    queued(model).filter(({ environment }) => environment === 'release'),
    number,
  )
  if (one === undefined) return
  const approval = { environment: one.environment, sha: one.sha, by, until: model.now + DAY }
  model.approvals.push(approval) // it may be written down before the server dies
  const given = await unlessRefused(life.approve(one.id, by))
  if (given === undefined) model.approvals.splice(model.approvals.indexOf(approval), 1)
}

const which = fc.nat(11)
const environment = fc.constantFrom(...ENVIRONMENTS)
/** Checks and branches are mostly about what is new. */
const newest = fc.oneof({ weight: 3, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: which })
const chosen = (number: number, { commits }: Model): number => (number < 0 ? commits.length - 1 : number)
const hasCommits = ({ commits }: Model): boolean => commits.length > 1

const branches = fc
  .record({ kind: fc.constantFrom('merge' as const, 'push' as const), count: fc.integer({ min: 1, max: 2 }) })
  .map(({ kind, count }) =>
    command(`${kind} of ${count}`, (world) => tellBranch(world, kind, newCommits(world, count))),
  )
const lateBranches = fc
  .record({ kind: fc.constantFrom('merge' as const, 'push' as const), number: which })
  .map(({ kind, number }) =>
    command(
      `${kind} of an earlier commit (${number})`,
      (world) => tellBranch(world, kind, pick(world.model.commits.slice(1), number) ?? ''),
      hasCommits,
    ),
  )
const checks = fc
  .record({ number: newest, state: fc.constantFrom('success', 'success', 'success', 'failure', 'pending') })
  .map(({ number, state }) =>
    command(`checks of ${number} are ${state}`, (world) =>
      Promise.resolve(report(world, chosen(number, world.model), state as 'success')),
    ),
  )
const publications = fc
  .record({ environment, number: newest, isTold: fc.boolean() })
  .map(({ environment, number, isTold }) =>
    command(`GitHub’s deployment of ${number} to ${environment}${isTold ? '' : ', not told'}`, (world) =>
      publish(world, environment, chosen(number, world.model), isTold),
    ),
  )
const wishes = fc
  .record({ environment, number: newest, isForced: fc.boolean() })
  .map(({ environment, number, isForced }) =>
    command(`a person deploys ${number} to ${environment}${isForced ? ', forced' : ''}`, (world) =>
      wish(world, environment, chosen(number, world.model), isForced),
    ),
  )
const publicationsTold = which.map((number) =>
  command(`GitHub tells of deployment ${number}`, (world) => tellDeployment(world, number)),
)
const redeliveries = which.map((number) =>
  command(
    `delivery ${number} again`,
    async (world) => {
      const one = pick(world.model.deliveries, number)
      if (one !== undefined) await world.life.take(one.event, one.payload, one.guid)
    },
    ({ deliveries }) => deliveries.length > 0,
  ),
)
const locks = fc
  .record({ place: fc.constantFrom(...PLACES), minutes: fc.constantFrom(undefined, 1, 30) })
  .map(({ place, minutes }) =>
    command(`lock ${place} for ${minutes ?? 'ever'}`, (world) => lock(world, place, minutes)),
  )
const frees = which.map((number) =>
  command(
    `free lock ${number}`,
    (world) => free(world, number),
    (model) => model.locks.length > 0,
  ),
)
const times = fc
  .constantFrom(1_000, 6_000, MINUTE, 11 * MINUTE, 2 * HOUR, 4 * HOUR)
  .map((ms) => command(`${ms / 1000} s pass`, ({ model }) => Promise.resolve(void (model.now += ms))))
const ends = fc
  .record({ number: which, how: fc.constantFrom('well' as const, 'well' as const, 'badly' as const) })
  .map(({ number, how }) =>
    command(
      `run ${number} ends ${how}`,
      async ({ model, life }) => {
        const id = pick([...life.running.keys()], number)
        if (id === undefined) return
        model.ends.set(id, how)
        await life.end(id, how)
      },
      (model) => active(model).length > 0,
    ),
  )
const cancels = which.map((number) =>
  command(
    `cancel ${number}`,
    async ({ model, life }) => {
      const id = pick([...queued(model), ...active(model)], number)?.id
      if (id === undefined) return
      model.cancelled.add(id)
      await life.cancel(id)
    },
    (model) => queued(model).length + active(model).length > 0,
  ),
)
const forces = which.map((number) =>
  command(
    `force ${number}`,
    async ({ model, life }) => {
      const id = pick(queued(model), number)?.id
      if (id === undefined) return
      model.forced.add(id)
      await life.force(id)
    },
    (model) => queued(model).length > 0,
  ),
)
/** Somebody has a commit deployed to staging with success, and asks for it on release. */
const promotions = newest.map((number) =>
  command(`a person takes ${number} from staging to release`, async (world) => {
    const { model } = world
    const commit = chosen(number, model)
    await wish(world, 'staging', commit, false)
    await world.life.look()
    await world.life.claim()
    for (const id of world.life.running.keys())
      if ((await world.life.store.deployment(id))?.environment === 'staging') {
        model.ends.set(id, 'well')
        await world.life.end(id, 'well')
      }
    await wish(world, 'release', commit, false)
    await world.life.look()
  }),
)
const approvals = fc.record({ number: which, by: fc.constantFrom(...PEOPLE) }).map(({ number, by }) =>
  command(
    `${by} approves ${number}`,
    (world) => agree(world, by, number),
    (model) => queued(model).some(({ environment }) => environment === 'release'),
  ),
)
const failures = fc
  .integer({ min: 1, max: 8 })
  .map((times) =>
    command(`GitHub fails ${times} times`, ({ github }) =>
      Promise.resolve(github.fail({ times, with: { status: 502, body: '<html>Bad gateway</html>' } })),
    ),
  )
const looks = fc
  .constantFrom('all', 'all', 'moved', 'quiet')
  .map((kind) =>
    command(`look ${kind}`, ({ model, life }) =>
      life.look(
        kind === 'moved' ? { moved: new Set(model.commits.slice(-1)) } : { isQuiet: kind === 'quiet' },
      ),
    ),
  )
const claims = fc.constant('claim').map((said) => command(said, ({ life }) => life.claim()))
const crashes = fc.constant('crash').map((said) =>
  command(said, ({ life }) => {
    life.death.die()
    return Promise.resolve()
  }),
)
const dooms = fc
  .record({ after: fc.nat(6), moment: fc.constantFrom('before' as const, 'answer' as const) })
  .map((doom: Doom) =>
    command(`crash after ${doom.after} calls, ${doom.moment}`, ({ life }) =>
      Promise.resolve(life.death.dieAt(doom)),
    ),
  )

/** Something happens while the holds are looked at. What came of it is looked at when both are done. */
const together = fc
  .oneof(
    branches,
    lateBranches,
    checks,
    publications,
    publicationsTold,
    locks,
    ends,
    cancels,
    forces,
    approvals,
    claims,
  )
  .map((other) =>
    command(
      `look while: ${other.toString()}`,
      async (world) => void (await Promise.all([world.life.look(), other.act(world)])),
      (model) => other.check(model),
    ),
  )

const often = <One>(weight: number, arbitrary: fc.Arbitrary<One>) => ({ weight, arbitrary })

/** Everything that happens to lanes. */
export const commands = fc.oneof(
  often(4, branches),
  often(1, lateBranches),
  often(4, checks),
  often(3, publications),
  often(1, publicationsTold),
  often(2, wishes),
  often(1, redeliveries),
  often(2, locks),
  often(2, frees),
  often(3, times),
  often(5, ends),
  often(2, cancels),
  often(1, forces),
  often(2, promotions),
  often(3, approvals),
  often(1, failures),
  often(6, looks),
  often(5, claims),
  often(1, crashes),
  often(1, dooms),
  often(3, together),
)
