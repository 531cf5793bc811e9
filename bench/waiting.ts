import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import type { EnvironmentConfig } from '../src/config/config.ts'
import { createGate } from '../src/decide/gates.ts'
import { startHolds } from '../src/decide/holds.ts'
import type { Deployment } from '../src/deployment/deployment.ts'
import { createGitHub } from '../src/github/client.ts'
import { createGitHubPace } from '../src/github/pace.ts'
import { openStore } from '../src/store/sql-store.ts'
import type { Store } from '../src/store/store.ts'
import { environmentConfig, newMerge, queuedIntake } from '../test/support/samples.ts'
import type { Place } from './place.ts'
import { rate, type Findings } from './report.ts'

const REPOSITORIES = 10_000
const MINUTE_MS = 60_000
/** The processor's time that it takes to decide again and again about many repositories, all of which are held. */
export async function measureWaiting(place: Place): Promise<Findings> {
  place.say(`waiting: making a held merge in each of ${rate(REPOSITORIES)} repositories`)
  const store = await openStore(join(place.folder('waiting'), 'ferryman.sqlite'))
  await store.locks.take({ place: '*', reason: 'a freeze', by: 'ann', since: Date.now(), until: undefined })
  const environments = await hold(store)
  let asked = 0
  const environmentOf = ({ configuredAs }: Deployment) => environments.get(configuredAs)
  const github = createGitHub({
    token: 'none',
    apiUrl: 'http://127.0.0.1:9',
    version: 'bench',
    asked: () => (asked += 1),
  })
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
    journal: { info() {}, warn() {}, error() {} },
    moved() {},
  })
  await pause(10_000) // the start is over
  place.say('waiting: a minute of looking')
  const from = process.cpuUsage()
  await pause(MINUTE_MS)
  const { user, system } = process.cpuUsage(from)
  await holds.stop(1_000)
  await store.close()
  const seconds = (user + system) / 1_000_000
  if (asked > 0) throw new Error(`GitHub was asked ${asked} times about what a lock holds`)
  return {
    title: `A minute in which ${rate(REPOSITORIES)} repositories are held by a lock`,
    head: ['', 'processor'],
    rows: [['to decide about all of them on the timer', `${seconds.toFixed(2)} s`]],
    goals: [{ what: 'processor, of a minute', ratio: seconds * 1000, most: 1000, unit: 'ms' }],
  }
}

/** Queues a merge in each repository, held by the lock. */
async function hold(store: Store): Promise<ReadonlyMap<string, EnvironmentConfig>> {
  const environments = new Map<string, EnvironmentConfig>()
  const held = {
    reason: 'locked',
    detail: 'Everything is locked by ann: a freeze',
    since: Date.now(),
    until: undefined,
  } as const
  for (let first = 0; first < REPOSITORIES; first += 100) {
    const names = Array.from({ length: 100 }, (_, index) => `acme/shop${first + index}`)
    const merges = names.map((name) =>
      newMerge({
        repository: name,
        repositoryGithubId: 0,
        configuredAs: name,
        lane: `${name}/production`,
        hold: held,
      }),
    )
    for (const name of names)
      environments.set(name, environmentConfig({ repository: name, lane: `${name}/production` }))
    await store.accept([queuedIntake(...merges)])
  }
  return environments
}
