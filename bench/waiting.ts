import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import type { EnvironmentConfig } from '../src/config/config.ts'
import { createGate } from '../src/decide/gates.ts'
import { startHolds } from '../src/decide/holds.ts'
import type { Deployment } from '../src/deployment/deployment.ts'
import type { HoldReason } from '../src/deployment/reasons.ts'
import { createGitHub } from '../src/github/client.ts'
import { createGitHubPace } from '../src/github/pace.ts'
import { openStore } from '../src/store/sql-store.ts'
import type { NewDeployment, Store } from '../src/store/store.ts'
import {
  environmentConfig,
  newDelivery,
  newDeployment,
  newMerge,
  queuedIntake,
} from '../test/support/samples.ts'
import type { Place } from './place.ts'
import { rate, type Findings } from './report.ts'

const REPOSITORIES = 10_000
const MINUTE_MS = 60_000

/** What a merge in every repository waits for. */
interface Wait {
  readonly what: string
  readonly reason: HoldReason
  /** As the gate says it, so that nothing has to be written down anew. */
  readonly detail: string
  readonly demands: Partial<EnvironmentConfig>
  /** What is there before the merge. */
  before?(repository: Partial<NewDeployment>): NewDeployment
  prepare?(store: Store, merges: readonly Deployment[]): Promise<void>
}

const WAITS: readonly Wait[] = [
  {
    what: 'a lock',
    reason: 'locked',
    detail: 'Everything is locked by ann: a freeze',
    demands: {},
    async prepare(store) {
      const freeze = { place: '*', reason: 'a freeze', by: 'ann', since: Date.now(), until: undefined }
      await store.locks.take(freeze)
    },
  },
  {
    what: 'another environment',
    reason: 'earlier_environment',
    detail: 'staging #1 failed with a84d88e',
    demands: { after: { environment: 'staging', bakeSeconds: 0 } },
    before: (repository) =>
      newDeployment({
        ...repository,
        environment: 'staging',
        lane: `${repository.configuredAs}/staging`,
        failure: { reason: 'task_unknown', detail: 'It failed.' },
      }),
  },
  {
    what: 'a second person',
    reason: 'approval_pending',
    detail: 'Waiting for approval by somebody other than mona and octo',
    demands: { approval: { by: undefined, expiresSeconds: 86_400, allowsAuthor: false } },
    async prepare(store, merges) {
      for (const { id } of merges) await store.noteAuthors(id, ['octo'])
    },
  },
]

/** The processor's time that it takes to decide again and again about many repositories, all of which are held. */
export async function measureWaiting(place: Place): Promise<Findings> {
  const measured: { readonly what: string; readonly seconds: number }[] = []
  for (const wait of place.quick ? WAITS.slice(0, 1) : WAITS)
    measured.push({ what: wait.what, seconds: await measure(wait, place) })
  return {
    title: `A minute in which ${rate(REPOSITORIES)} repositories are held`,
    head: ['by', 'processor, to decide about all of them on the timer'],
    rows: measured.map(({ what, seconds }) => [what, `${seconds.toFixed(2)} s`]),
    goals: measured.map(({ what, seconds }) => ({
      what: `processor, of a minute, held by ${what}`,
      ratio: seconds * 1000,
      most: 1000,
      unit: 'ms',
    })),
  }
}

async function measure(wait: Wait, place: Place): Promise<number> {
  place.say(`waiting: making a merge in each of ${rate(REPOSITORIES)} repositories, held by ${wait.what}`)
  const store = await openStore(join(place.folder('waiting'), 'ferryman.sqlite'))
  const environments = await hold(store, wait)
  let asked = 0
  const environmentOf = ({ configuredAs }: Deployment) => environments.get(configuredAs)
  const github = createGitHub({
    token: 'none',
    apiUrl: 'http://127.0.0.1:9',
    version: 'bench',
    asked: () => (asked += 1),
  })
  let broken: unknown
  const holds = startHolds({
    store,
    gate: createGate(environmentOf),
    github: () => github,
    environmentOf,
    isSightOwed: () => false,
    asking: () => 0,
    pace: () => createGitHubPace(480),
    reports: () => [],
    mask: (text) => text,
    clock: Date.now,
    journal: { info() {}, warn() {}, error: (event, fields) => (broken ??= [event, fields]) },
    moved: ({ id }) => (broken ??= `${id} is not held as it was`),
  })
  await pause(10_000) // the start is over
  place.say('waiting: a minute of looking')
  const from = process.cpuUsage()
  await pause(MINUTE_MS)
  const { user, system } = process.cpuUsage(from)
  await holds.stop(1_000)
  await store.close()
  if (broken !== undefined) throw new Error(`It went wrong: ${JSON.stringify(broken)}`)
  if (asked > 0) throw new Error(`GitHub was asked ${asked} times about what is held by ${wait.what}`)
  return (user + system) / 1_000_000
}

/** Queues a merge in each repository, held. */
async function hold(store: Store, wait: Wait): Promise<ReadonlyMap<string, EnvironmentConfig>> {
  const environments = new Map<string, EnvironmentConfig>()
  const { reason, detail, demands, before } = wait
  const held = { reason, detail, since: Date.now(), until: undefined } as const
  const all: Deployment[] = []
  for (let first = 0; first < REPOSITORIES; first += 100) {
    const names = Array.from({ length: 100 }, (_, index) => `acme/shop${first + index}`)
    const merges = names.flatMap((name) => {
      const repository = { repository: name, repositoryGithubId: 0, configuredAs: name }
      const merge = newMerge({ ...repository, lane: `${name}/production`, hold: held })
      return before === undefined ? [merge] : [before(repository), merge]
    })
    for (const name of names)
      environments.set(name, environmentConfig({ repository: name, lane: `${name}/production`, ...demands }))
    const delivery = newDelivery({ receivedAt: Date.now() })
    const [accepted] = await store.accept([{ ...queuedIntake(...merges), delivery }])
    all.push(...(accepted?.deployments ?? []).filter((one) => one.hold !== undefined))
  }
  if (all.length !== REPOSITORIES) throw new Error(`Only ${all.length} of the merges are held.`)
  await wait.prepare?.(store, all)
  return environments
}
