import { setImmediate as turn } from 'node:timers/promises'

import { nameOf, type Deployment } from '../deployment/deployment.ts'
import type { Journal } from '../logs/journal.ts'
import type { ReportsFor, Store } from '../store/store.ts'
import { createWaker } from '../waker.ts'

export interface RemovalParts {
  readonly store: Pick<Store, 'inState' | 'moveAll'>
  /** Whether the environment is still in the configuration. */
  isConfigured(deployment: Deployment): boolean
  readonly reports: ReportsFor
  readonly clock: () => number
  readonly journal: Journal
  /** All of it has ended. */
  done(): void
}

export interface Removal {
  /** The configuration is another one: look at the whole queue. */
  wake(): void
  /** Something that is no longer configured may still be queued: nothing should be begun. */
  readonly isUnderWay: boolean
  /** Looks no more; resolves when the look that is under way is over. */
  stop(): Promise<void>
}

/** So many end in one transaction: the server answers between two of them. */
const AT_ONCE = 50
const RETRY_MS = 1_000

/** Ends the queue of environments that are no longer configured, however long the database takes to accept it. */
export function startRemoval(parts: RemovalParts): Removal {
  let asked = 1
  let answered = 0
  let isStopped = false
  let again: NodeJS.Timeout | undefined
  const waker = createWaker(async () => {
    const now = asked
    try {
      await endUnconfigured(parts, () => isStopped)
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

async function endUnconfigured(parts: RemovalParts, isStopped: () => boolean): Promise<void> {
  const { store, isConfigured } = parts
  const removed = (await store.inState('queued')).filter((deployment) => !isConfigured(deployment))
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
