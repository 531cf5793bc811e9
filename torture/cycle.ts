import { setTimeout as pause } from 'node:timers/promises'

import { sendBurst } from './burst.ts'
import { cancel } from './cancel.ts'
import type { Chance } from './chance.ts'
import { needs } from './fault-kinds.ts'
import { mend, refusedReports, script } from './faults.ts'
import type { Observation, Violation } from './invariants.ts'
import { killAll, livingIn, survivorsOf, type Living } from './living.ts'
import { leftToServer, lostDeliveries, NOTHING_LEFT } from './lost.ts'
import { arrival } from './moments.ts'
import { planCycle, type DiskCounts, type Ending } from './plan.ts'
import { startServer, type Server, type StartOptions } from './server.ts'
import { ENDS_WITHIN_MS, recordsOf, settle } from './settle.ts'
import type { World } from './world.ts'

/** What a cycle came to. */
export interface Told {
  readonly seen: Observation
  readonly kills: number
  /** How often the power failed. */
  readonly losses: number
  readonly violations: readonly Violation[]
}

interface CycleOptions extends StartOptions {
  readonly disk: DiskCounts
}

/** A machine with much to do takes its time. */
const STARTS_WITHIN_MS = 30_000
/** What earlier lives have started, whatever it does about that. */
const ENDS_EARLIER_WITHIN_MS = 20_000

/** One cycle: a burst, an end somewhere in it, perhaps others in the starts that follow, and a look at everything. */
export async function runCycle(
  world: World,
  chance: Chance,
  { disk, ...options }: CycleOptions,
): Promise<Told> {
  const plan = planCycle(chance, disk)
  let burst: Promise<void> | undefined
  const earlier: Living[] = []
  let [kills, losses] = [0, 0]
  const cutPower = async (why: string): Promise<void> => {
    if (options.power === undefined) return
    await killAll(world) // nobody survives it
    options.power.cut(chance.derive(why))
    losses += 1
  }
  world.setSlack(plan.isToldToSlack)
  world.setHold(true)
  for (const fault of plan.faults) script(world, fault)
  for (const [life, ending] of plan.endings.entries()) {
    const { at } = ending
    const killAtDisk = at.kind === 'disk' ? at.count : undefined
    const server = startServer(world, { ...options, killAtDisk })
    if (burst === undefined) {
      await up(server, at.kind === 'disk' ? 2_000 : STARTS_WITHIN_MS)
      burst = sendBurst(world, plan.burst)
    }
    await arrival(at, world, server, life === 0 ? 1_000 : 500)
    kills += await end(world, server, ending)
    earlier.push(...livingIn(world))
    mend(world)
    await cutPower(`power after life ${life}`)
  }
  await burst
  for (const fault of plan.faultsAtLast) script(world, fault)
  if (plan.leavesLost && lostDeliveries(world).length > 0) await nextSecond()
  const refusedBefore = refusedReports(world)
  const last = startServer(world, options)
  let givenUp = 0
  last.onEvent((event) => void (givenUp += event === 'report:refused' ? 1 : 0))
  await up(last, STARTS_WITHIN_MS)
  const left = plan.leavesLost ? leftToServer(world, recordsOf(world)) : NOTHING_LEFT
  if (needs('another token', plan.faults)) {
    world.changeToken()
    last.send('SIGHUP')
  }
  const survivors = await survivorsOf(earlier, world, ENDS_EARLIER_WITHIN_MS)
  await Promise.all(plan.cancelsAtLast.map((wish) => cancel(world, wish)))
  world.setHold(false) // not before: what waits for it would have ended by itself
  const settled = await settle(world, last, {
    plan,
    chance: chance.derive('settle'),
    survivors,
    left,
    givenUp: () => givenUp,
    refusedBefore,
  })
  await cutPower('power at last') // after a clean end it must not matter
  return { ...settled, kills, losses }
}

/** GitHub tells when something was made by the second. */
const nextSecond = (): Promise<unknown> => pause(1_010 - (Date.now() % 1_000))

const up = (server: Server, withinMs: number): Promise<unknown> =>
  Promise.race([server.listening, pause(withinMs, undefined, { ref: false })])

/** Ends a life; answers how many kills that took. */
async function end(world: World, server: Server, { how }: Ending): Promise<number> {
  if (how !== 'kill' && !server.hasEnded()) await stop(world, server, how)
  server.send('SIGKILL') // nothing where it has ended by itself
  return (await server.ended) === 'SIGKILL' ? 1 : 0
}

/** Asks it to end. What the doubles hold back comes a little later. */
async function stop(world: World, server: Server, how: Exclude<Ending['how'], 'kill'>): Promise<void> {
  world.times.stopAsked = performance.now()
  server.send('SIGTERM')
  if (how === 'term') world.setHold(false)
  await Promise.race([pause(100), server.ended])
  if (how === 'term, then kill') return
  mend(world)
  if (how === 'term, then int') server.send('SIGINT')
  await Promise.race([server.ended, pause(ENDS_WITHIN_MS, undefined, { ref: false })])
}
