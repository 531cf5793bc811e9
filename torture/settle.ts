import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { askForJson } from '../src/commands/client.ts'
import type { Delivered } from '../src/demo/github/delivery.ts'
import { deploy } from './burst.ts'
import type { Chance } from './chance.ts'
import { mend } from './faults.ts'
import { INVARIANTS, violationsOf, type Observation, type Violation } from './invariants.ts'
import type { Living } from './living.ts'
import { deploymentsAt, observe } from './observe.ts'
import { readRecords } from './records.ts'
import type { Server } from './server.ts'
import { ENVIRONMENTS, type World } from './world.ts'

interface Settled {
  readonly seen: Observation
  readonly violations: readonly Violation[]
}

interface Given {
  readonly chance: Chance
  readonly survivors: readonly Living[]
  /** Nothing goes wrong at GitHub in this life: what it asks for once it gets. */
  readonly isCalm: boolean
}

const SETTLES_WITHIN_MS = 40_000
/** The grace for what runs, and what it takes to end it and to tell. */
export const ENDS_WITHIN_MS = 45_000

/**
 * Lets the dust settle: hands over what was not acknowledged, deploys once more everywhere, waits until
 * everything has its end, ends the server, and holds the invariants against what there is to see.
 */
export async function settle(
  world: World,
  server: Server,
  { chance, survivors, isCalm }: Given,
): Promise<Settled> {
  const hasForgotten = forgotten(world) > 0 // waiting would not bring it back
  await redeliverLost(world, isCalm && chance.happens(0.7))
  const probes = await Promise.all(
    ENVIRONMENTS.map(({ repository, name }) => deploy(world, repository, name, 'main')),
  )
  const until = hasForgotten ? 0 : performance.now() + SETTLES_WITHIN_MS
  const rest = async (): Promise<void> => {
    for (let looks = 1; !hasSettled(world) && !server.hasEnded() && performance.now() < until; looks += 1) {
      if (looks % LOOKS_UNTIL_MENDED === 0) await mendAndSay(world, server)
      await pause(20)
    }
  }
  await rest()
  await world.github.idle()
  const repeats = await repeatSome(world, chance)
  await rest()
  server.send('SIGTERM')
  await Promise.race([server.ended, pause(ENDS_WITHIN_MS, undefined, { ref: false })])
  server.send('SIGKILL') // nothing where it has ended, as it should
  const exit = await server.ended
  const seen = observe(world, { probes: probes.map(({ deployment }) => deployment.id), repeats, survivors })
  const unasked =
    exit === 0 ? [] : [{ invariant: 'the server ends when it is asked to', what: `it ended with ${exit}` }]
  return { seen, violations: [...unasked, ...violationsOf(seen)] }
}

/** How much of what was acknowledged is not recorded. */
function forgotten({ github, dataDirectory }: World): number {
  const sent = github.deliveries.map(({ guid, answer: { status } }) => ({ guid, status }))
  const records = readRecords(join(dataDirectory, 'ferryman.sqlite'))
  return INVARIANTS['every delivery answered 2xx is recorded once']({ sent, records }).length
}

/** Somebody looks after two seconds. */
const LOOKS_UNTIL_MENDED = 100

/** As a person does who mends what was refused: all that is owed is tried again, and what was given up is sent. */
async function mendAndSay(world: World, server: Server): Promise<void> {
  mend(world)
  server.send('SIGHUP')
  const question = { method: 'POST', path: '/api/outbox/send-refused' } as const
  await askForJson({ config: undefined, dataDir: world.dataDirectory }, question).catch(() => {}) // told by others
}

/**
 * As a person does who sees red deliveries at GitHub: each once more. What was forged stays refused. What the server
 * has to find by itself is left to it, where that is wanted: deployments of earlier lives, of which GitHub tells the
 * second.
 */
async function redeliverLost({ github, times }: World, leavesDeployments: boolean): Promise<void> {
  const wall = (steady: number): number => Date.now() - performance.now() + steady
  const [seenAt, startedAt] = [wall(times.firstSeen), wall(times.begun)]
  const done = new Set(
    github.deliveries
      .filter(({ answer: { status } }) => (status >= 200 && status < 300) || status === 401)
      .map(({ guid }) => guid),
  )
  const isLeft = ({ event, at }: { readonly event: string; readonly at: number }): boolean =>
    leavesDeployments &&
    event === 'deployment' &&
    at > seenAt && // what was made before the server has first looked is none of its business
    Math.floor(at / 1000) < Math.floor(startedAt / 1000)
  const lost = new Set(
    github.deliveries.filter((one) => !done.has(one.guid) && !isLeft(one)).map(({ guid }) => guid),
  )
  for (const guid of lost) await github.redeliver(guid)
}

/** Some of what was acknowledged, once more: under the same GUID it is known, whatever happened since. */
async function repeatSome({ github }: World, chance: Chance): Promise<readonly Delivered[]> {
  const acknowledged = github.deliveries.filter(
    ({ answer: { status }, event }) => [200, 202].includes(status) && event !== 'ping',
  )
  const some = acknowledged.filter(() => chance.happens(3 / acknowledged.length))
  return Promise.all(some.map(({ guid }) => github.redeliver(guid)))
}

const FINAL = ['success', 'failure', 'error', 'inactive']

function hasSettled(world: World): boolean {
  const isFinal = deploymentsAt(world).every(({ statuses }) => FINAL.includes(statuses.at(-1)?.state ?? ''))
  if (!isFinal) return false
  const { deployments, owed } = readRecords(join(world.dataDirectory, 'ferryman.sqlite'))
  return owed === 0 && deployments.every(({ state }) => ['succeeded', 'failed', 'cancelled'].includes(state))
}
