import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import type { Chance } from './chance.ts'
import { violationsOf, type Violation } from './invariants.ts'
import { deploymentsAt, observe } from './observe.ts'
import { readRecords } from './records.ts'
import { startServer, type Server, type StartOptions } from './server.ts'
import { BRANCHES, ENVIRONMENTS, type World } from './world.ts'

/** What a cycle came to. */
export interface Told {
  readonly acknowledged: number
  readonly kills: number
  readonly violations: readonly Violation[]
}

const SETTLES_WITHIN_MS = 40_000

/** One cycle: a burst, a kill somewhere in it, a start, and a look at everything when the dust has settled. */
export async function runCycle(world: World, chance: Chance, options: StartOptions): Promise<Told> {
  const before = acknowledgedIn(world)
  world.setHold(true)
  const first = startServer(world, options)
  await first.listening
  const burst = sendBurst(world, chance)
  await pause(chance.integer(0, 600))
  first.send('SIGKILL')
  await first.ended
  await burst
  world.setHold(false)

  const second = startServer(world, options)
  await second.listening
  const violations = await settle(world, second)
  return { acknowledged: acknowledgedIn(world) - before, kills: 1, violations }
}

const acknowledgedIn = ({ github }: World): number =>
  github.deliveries.filter(({ answer }) => answer.status >= 200 && answer.status < 300).length

async function sendBurst(world: World, chance: Chance): Promise<void> {
  const sending: Promise<unknown>[] = []
  for (let count = chance.integer(5, 12); count > 0; count -= 1) {
    const { repository, name } = chance.pick(ENVIRONMENTS)
    sending.push(deploy(world, repository, name, chance.pick(BRANCHES)))
    await pause(chance.integer(0, 60))
  }
  await Promise.all(sending)
}

const deploy = (world: World, repository: string, environment: string, ref: string) =>
  world.github.createDeployment(repository, { ref, environment, auto_merge: false, required_contexts: [] })

/** Hands over what was not acknowledged, deploys once more everywhere, waits, ends the server, and looks. */
async function settle(world: World, server: Server): Promise<readonly Violation[]> {
  await redeliverLost(world)
  const probes = await Promise.all(
    ENVIRONMENTS.map(({ repository, name }) => deploy(world, repository, name, 'main')),
  )
  const until = performance.now() + SETTLES_WITHIN_MS
  while (!hasSettled(world) && !server.hasEnded() && performance.now() < until) await pause(20)
  await world.github.idle()
  server.send('SIGTERM')
  const exit = await server.ended
  const ids = probes.map(({ deployment }) => deployment.id)
  const broken = violationsOf(observe(world, ids))
  return exit === 0
    ? broken
    : [
        ...broken,
        { invariant: 'the server ends by itself when it is asked to', what: `it ended with ${exit}` },
      ]
}

/** As a person does who sees red deliveries at GitHub: the same delivery once more, until it is taken. */
async function redeliverLost({ github }: World): Promise<void> {
  const taken = new Set(
    github.deliveries
      .filter(({ answer }) => answer.status === 200 || answer.status === 202)
      .map(({ guid }) => guid),
  )
  const lost = new Set(github.deliveries.map(({ guid }) => guid).filter((guid) => !taken.has(guid)))
  await Promise.all([...lost].map((guid) => github.redeliver(guid)))
}

const FINAL = ['success', 'failure', 'error', 'inactive']

function hasSettled(world: World): boolean {
  const atGitHub = deploymentsAt(world).every(({ statuses }) => FINAL.includes(statuses.at(-1)?.state ?? ''))
  if (!atGitHub) return false
  const { deployments, owed } = readRecords(join(world.dataDirectory, 'ferryman.sqlite'))
  return owed === 0 && deployments.every(({ state }) => ['succeeded', 'failed', 'cancelled'].includes(state))
}
