import { setTimeout as pause } from 'node:timers/promises'

import { sendBurst } from './burst.ts'
import type { Chance } from './chance.ts'
import { script } from './faults.ts'
import type { Observation, Violation } from './invariants.ts'
import { arrival } from './moments.ts'
import { planCycle, type Ending } from './plan.ts'
import { startServer, type Server, type StartOptions } from './server.ts'
import { settle } from './settle.ts'
import type { World } from './world.ts'

/** What a cycle came to. */
export interface Told {
  readonly seen: Observation
  readonly kills: number
  readonly violations: readonly Violation[]
}

interface CycleOptions extends StartOptions {
  /** Whether it can be ended at the n-th fsync. */
  readonly canCountSyncs: boolean
}

/** The grace for what runs, and what it takes to end it and to tell. */
const ENDS_WITHIN_MS = 45_000

/** One cycle: a burst, an end somewhere in it, perhaps others in the starts that follow, and a look at everything. */
export async function runCycle(
  world: World,
  chance: Chance,
  { canCountSyncs, ...options }: CycleOptions,
): Promise<Told> {
  const plan = planCycle(chance, { canCountSyncs })
  let burst: Promise<void> | undefined
  let kills = 0
  world.setHold(true)
  for (const fault of plan.faults) script(world, fault)
  for (const ending of plan.endings) {
    const { at } = ending
    const server = startServer(world, {
      ...options,
      killAtSync: at.kind === 'sync' ? at.count : undefined,
    })
    if (burst === undefined) {
      if (at.kind === 'sync') await Promise.race([server.listening, pause(2_000)])
      else await server.listening
      burst = sendBurst(world, plan.burst)
    }
    await arrival(at, world, server, ending === plan.endings[0] ? 1_000 : 500)
    kills += await end(world, server, ending)
    mend(world)
  }
  await burst
  world.setHold(false)
  for (const fault of plan.faultsAtLast) script(world, fault)
  const last = startServer(world, options)
  await last.listening
  return { ...(await settle(world, last, chance)), kills }
}

/** Ends a life; answers how many kills that took. */
async function end(world: World, server: Server, { how }: Ending): Promise<number> {
  if (how !== 'kill' && !server.hasEnded()) await stop(world, server, how)
  server.send('SIGKILL') // nothing where it has ended by itself
  return (await server.ended) === 'SIGKILL' ? 1 : 0
}

/** Asks it to end. What the doubles hold back comes a little later. */
async function stop(world: World, server: Server, how: Exclude<Ending['how'], 'kill'>): Promise<void> {
  server.send('SIGTERM')
  if (how === 'term') world.setHold(false)
  await Promise.race([pause(100), server.ended])
  if (how === 'term, then kill') return
  mend(world)
  if (how === 'term, then int') server.send('SIGINT')
  await Promise.race([server.ended, pause(ENDS_WITHIN_MS, undefined, { ref: false })])
}

const mend = ({ github, slack }: World): void => {
  github.mend()
  slack.mend()
}
