import type { Delivered } from '../src/demo/github/delivery.ts'
import type { HookDelivery } from '../src/demo/github/state.ts'
import type { Records } from './records.ts'
import type { World } from './world.ts'

/** What came to nobody, or nobody heard that it did, and is left to the server to fetch. */
export interface Left {
  readonly deliveries: readonly HookDelivery[]
  /** Whether the server has done all it has to about them. */
  isFetched(): boolean
}

const isTaken = ({ answer: { status } }: HookDelivery): boolean => status >= 200 && status < 300
/** What was forged stays refused. */
const isDone = (one: HookDelivery): boolean => isTaken(one) || one.answer.status === 401

/** Deliveries of which no attempt was answered as it should be, each once. */
export function lostDeliveries({ github }: World): HookDelivery[] {
  const done = new Set(github.deliveries.filter(isDone).map(({ guid }) => guid))
  const lost = github.deliveries.filter(({ guid }) => !done.has(guid))
  return [...new Map(lost.map((one) => [one.guid, one])).values()]
}

/**
 * What of the lost the server can find by itself at its start: deployments, and merges and pushes of hooks that it
 * has heard of, once each. GitHub tells the second; what was made in that of the start may still be on its way, and
 * what was made before the first start is none of its business.
 */
export function leftToServer(world: World, { hooks, asked }: Pick<Records, 'hooks' | 'asked'>): Left {
  const { github, times, repositories } = world
  const wall = (steady: number): number => Date.now() - performance.now() + steady
  const [seenAt, startedAt] = [wall(times.firstSeen), wall(times.begun)]
  const [known, before] = [new Set(hooks), new Set(asked)]
  const ofKnownHooks = new Set(
    repositories
      .flatMap((repository) => repository.hooks)
      .filter(({ id }) => known.has(id))
      .flatMap(({ deliveries }) => deliveries.map(({ guid }) => guid)),
  )
  const speaksOfBranch = ({ event, action }: HookDelivery): boolean =>
    event === 'push' || (event === 'pull_request' && action === 'closed')
  const deliveries = lostDeliveries(world).filter(
    (one) =>
      one.at > seenAt &&
      Math.floor(one.at / 1000) < Math.floor(startedAt / 1000) &&
      (one.event === 'deployment' ||
        (speaksOfBranch(one) && ofKnownHooks.has(one.guid) && !before.has(one.guid))),
  )
  const asking = deliveries.filter(speaksOfBranch).map(({ guid }) => guid)
  return {
    deliveries,
    isFetched() {
      const taken = new Set(github.deliveries.filter(isTaken).map(({ guid }) => guid))
      return asking.every((guid) => taken.has(guid)) // deployments are final when it has them
    },
  }
}

export const NOTHING_LEFT: Left = { deliveries: [], isFetched: () => true }

/** As a person does who sees red deliveries at GitHub: each once more, except those. */
export async function redeliverLost(world: World, except: Left): Promise<Delivered[]> {
  const left = new Set(except.deliveries.map(({ guid }) => guid))
  const again: Delivered[] = []
  for (const { guid } of lostDeliveries(world))
    if (!left.has(guid)) again.push(await world.github.redeliver(guid))
  return again
}
