import { setImmediate as turn } from 'node:timers/promises'

import { nameOf, type Deployment } from '../deployment/deployment.ts'
import type { Journal } from '../logs/journal.ts'
import type { ReportsFor, Store } from '../store/store.ts'
import { createWaker } from '../waker.ts'

export interface RemovalParts {
  readonly store: Pick<Store, 'changeLanes' | 'inState' | 'moveAll'>
  /** The lane of the environment; undefined where that is not in the configuration any more. */
  laneOf(deployment: Deployment): string | undefined
  readonly reports: ReportsFor
  readonly clock: () => number
  readonly journal: Journal
  /** All of it has ended. */
  done(): void
}

export interface Removal {
  /** The configuration is another one: look at the whole queue. */
  wake(): void
  /** Something that is no longer configured may still be queued, or in the lane of before: nothing should be begun. */
  readonly isUnderWay: boolean
  /** Looks no more; resolves when the look that is under way is over. */
  stop(): Promise<void>
}

/** So many end in one transaction: the server answers between two of them. */
const AT_ONCE = 50
const RETRY_MS = 1_000

/**
 * Ends the queue of environments that are no longer configured, and puts into its lane what goes to one that has another
 * now, however long the database takes to accept it.
 */
export function startRemoval(parts: RemovalParts): Removal {
  let asked = 1
  let answered = 0
  let isStopped = false
  let again: NodeJS.Timeout | undefined
  const waker = createWaker(async () => {
    const now = asked
    try {
      const queued = await parts.store.inState('queued')
      await endUnconfigured(queued, parts, () => isStopped)
      await changeLanes(queued, parts, () => isStopped)
      answered = now
      parts.done()
    } catch (thrown) {
      parts.journal.error('queue:not-removed', { error: thrown })
      if (!isStopped) again = setTimeout(waker.wake, RETRY_MS)
    }
  })
  waker.wake()
  return {
    wake() {
      asked += 1
      waker.wake()
    },
    get isUnderWay() {
      return answered < asked
    },
    async stop() {
      isStopped = true
      clearTimeout(again)
      waker.stop()
      await waker.looking
    },
  }
}

async function endUnconfigured(
  queued: readonly Deployment[],
  parts: RemovalParts,
  isStopped: () => boolean,
): Promise<void> {
  const removed = queued.filter((deployment) => parts.laneOf(deployment) === undefined)
  for (let from = 0; from < removed.length && !isStopped(); from += AT_ONCE) {
    await endRemoved(removed.slice(from, from + AT_ONCE), parts)
    await turn() // SQLite has answered within the same one
  }
}

async function endRemoved(
  removed: readonly Deployment[],
  { store, clock, journal, reports }: RemovalParts,
): Promise<void> {
  const changes = removed.map(({ id, repository, environment }) => {
    const detail = `${repository} ${environment} was removed from the configuration.`
    return [id, { at: clock(), reason: 'config_removed', detail, reports }] as const
  })
  for (const ended of await store.moveAll('queued', 'failed', new Map(changes)))
    journal.warn('deployment:ended', { deployment: nameOf(ended), id: ended.id, reason: ended.reason })
}

/** What runs comes first: what waits for its end must not begin beside it. */
async function changeLanes(
  queued: readonly Deployment[],
  { store, laneOf, journal }: RemovalParts,
  isStopped: () => boolean,
): Promise<void> {
  const all = [...(await store.inState('running', 'cancelling')), ...queued]
  const elsewhere = all.flatMap((one) => {
    const lane = laneOf(one)
    return lane === undefined || lane === one.lane ? [] : [{ one, lane }]
  })
  for (let from = 0; from < elsewhere.length && !isStopped(); from += AT_ONCE) {
    const some = new Map(elsewhere.slice(from, from + AT_ONCE).map(({ one, lane }) => [one.id, lane]))
    const moved = new Set(await store.changeLanes(some))
    for (const { one, lane } of elsewhere)
      if (moved.has(one.id)) journal.info('deployment:lane-changed', { deployment: nameOf(one), lane })
    await turn()
  }
}
