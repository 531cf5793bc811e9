import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import type { Delivered } from '../src/demo/github/delivery.ts'
import { deploy } from './burst.ts'
import type { Chance } from './chance.ts'
import { needs } from './fault-kinds.ts'
import { mend, refusedReports } from './faults.ts'
import { INVARIANTS, violationsOf, type Observation, type Violation } from './invariants.ts'
import type { Living } from './living.ts'
import { NOTHING_LEFT, redeliverLost, type Left } from './lost.ts'
import { deploymentsAt, observe } from './observe.ts'
import { mendWhatWaits, sendRefused, shownAsRefused } from './outbox.ts'
import type { Plan } from './plan.ts'
import { readRecords, type Records } from './records.ts'
import type { Server } from './server.ts'
import { ENVIRONMENTS, type World } from './world.ts'

interface Settled {
  readonly seen: Observation
  readonly violations: readonly Violation[]
}

interface Given {
  readonly plan: Pick<Plan, 'faultsAtLast' | 'word'>
  readonly chance: Chance
  readonly survivors: readonly Living[]
  /** What the server has to fetch by itself. */
  readonly left: Left
  /** How many reports the server has given up in this life so far. */
  givenUp(): number
  /** What the doubles had refused for good before this life. */
  readonly refusedBefore: ReturnType<typeof refusedReports>
}

const NOTHING_REFUSED: Observation['refused'] = { atLeast: 0, givenUp: 0, atMost: 0, shown: [], recorded: [] }
const SETTLES_WITHIN_MS = 40_000
/** The grace for what runs, and what it takes to end it and to tell. */
export const ENDS_WITHIN_MS = 45_000

/**
 * Lets the dust settle: hands over what was not acknowledged, deploys once more everywhere, waits until
 * everything has its end, ends the server, and holds the invariants against what there is to see.
 */
export async function settle(world: World, server: Server, given: Given): Promise<Settled> {
  const { plan, chance, survivors, left } = given
  const hasForgotten = forgotten(world) > 0 // waiting would not bring it back
  await redeliverLost(world, left)
  const probes = await Promise.all(
    ENVIRONMENTS.map(({ repository, name }) => deploy(world, repository, name, 'main')),
  )
  const until = hasForgotten ? 0 : performance.now() + SETTLES_WITHIN_MS
  const isUp = (): boolean => !server.hasEnded() && performance.now() < until
  let look = (): Promise<void> => Promise.resolve()
  if (isUp() && needs('a word', plan.faultsAtLast)) look = await mendWhatWaits(world, server, plan.word)
  const rest = async (): Promise<void> => {
    for (; isUp() && !(hasSettled(world) && left.isFetched()); await pause(20)) await look()
  }
  await rest()
  const unfetched = left.isFetched() ? [] : left.deliveries.map(({ guid }) => guid)
  await world.github.idle()
  const refused = isUp() ? await sendWhatWasRefused(world, given) : NOTHING_REFUSED
  await rest()
  const unheard = await redeliverLost(world, NOTHING_LEFT) // the server has fetched it meanwhile
  const repeats = [...unheard, ...(await repeatSome(world, chance))]
  await rest()
  server.send('SIGTERM')
  await Promise.race([server.ended, pause(ENDS_WITHIN_MS, undefined, { ref: false })])
  server.send('SIGKILL') // nothing where it has ended, as it should
  const exit = await server.ended
  const seen = observe(world, {
    probes: probes.map(({ deployment }) => deployment.id),
    repeats,
    survivors,
    refused,
    unfetched,
  })
  const unasked =
    exit === 0 ? [] : [{ invariant: 'the server ends when it is asked to', what: `it ended with ${exit}` }]
  return { seen, violations: [...unasked, ...violationsOf(seen)] }
}

/** As a person does who looks at what was refused, mends it, and has it sent again. */
async function sendWhatWasRefused(
  world: World,
  { plan, givenUp, refusedBefore }: Given,
): Promise<Observation['refused']> {
  const now = refusedReports(world)
  const recorded = recordsOf(world).refused
  const seen = {
    atLeast: needs('sending again', plan.faultsAtLast) ? now.sent - refusedBefore.sent : 0,
    givenUp: givenUp(),
    atMost: now.atMost - refusedBefore.atMost,
    shown: await shownAsRefused(world),
    recorded: recorded.map(({ id }) => id),
  }
  mend(world)
  if (recorded.some(({ isNewest }) => isNewest)) await sendRefused(world)
  return seen
}

export const recordsOf = ({ dataDirectory }: World): Records =>
  readRecords(join(dataDirectory, 'ferryman.sqlite'))

/** How much of what was acknowledged is not recorded. */
function forgotten(world: World): number {
  const sent = world.github.deliveries.map(({ guid, answer: { status } }) => ({ guid, status }))
  return INVARIANTS['every delivery answered 2xx is recorded once']({ sent, records: recordsOf(world) })
    .length
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

/** But for what was refused for good. */
function hasSettled(world: World): boolean {
  const open = deploymentsAt(world).filter(({ statuses }) => !FINAL.includes(statuses.at(-1)?.state ?? ''))
  const { deployments, owed, refused } = recordsOf(world)
  const given = refused.filter(({ channel, isNewest }) => channel === 'github' && isNewest)
  const isRefused = (id: number): boolean => given.some(({ githubId }) => githubId === id)
  return (
    open.every(({ id }) => isRefused(id)) &&
    owed === 0 &&
    deployments.every(({ state }) => ['succeeded', 'failed', 'cancelled'].includes(state))
  )
}
