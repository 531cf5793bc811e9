import { setImmediate as turn } from 'node:timers/promises'

import type { Retention } from './config/config.ts'
import type { Journal } from './logs/journal.ts'
import type { Logs } from './logs/logs.ts'
import type { Retaining } from './store/store.ts'
import { createWaker } from './waker.ts'

export interface RetentionParts {
  readonly retaining: Retaining
  readonly logs: Pick<Logs, 'ids' | 'size' | 'remove'>
  policy(): Retention
  readonly clock: () => number
  readonly journal: Journal
}

export interface RetentionWatch {
  /** Looks now; resolves when it has looked. */
  look(): Promise<void>
  /** Looks no more; resolves when the look that is under way is over. */
  stop(): Promise<void>
}

const LOOK_AGAIN_MS = 60 * 60_000
const AT_ONCE = 500

/**
 * Removes what nobody waits for any more, every hour: deliveries, ended deployments and logs that are too old or
 * too many. A little at a time, so that everything else goes on meanwhile.
 */
export function startRetention(parts: RetentionParts): RetentionWatch {
  const { journal } = parts
  /** Of logs that have ended: they do not change any more. */
  const sizes = new Map<number, number>()
  let isStopped = false
  const waker = createWaker(async () => {
    try {
      const goOn = async (): Promise<boolean> => {
        await turn()
        return !isStopped
      }
      const deliveries = await removeDeliveries(parts, goOn)
      const deployments = await removeDeployments(parts, goOn)
      const logs = await removeLogs(parts, sizes, goOn)
      if (deliveries + deployments + logs > 0)
        journal.info('retention:removed', { deliveries, deployments, logs })
    } catch (thrown) {
      journal.error('retention:broken', { error: thrown })
    }
  })
  const timer = setInterval(waker.wake, LOOK_AGAIN_MS)
  waker.wake()
  return {
    async look() {
      waker.wake()
      await waker.looking
    },
    async stop() {
      isStopped = true
      clearInterval(timer)
      waker.stop()
      await waker.looking
    },
  }
}

/** Answers false when the server stops. */
type GoOn = () => Promise<boolean>

async function removeDeliveries({ retaining, policy, clock }: RetentionParts, goOn: GoOn): Promise<number> {
  const { deliveriesMs, deliveriesBytes } = policy()
  const over = {
    before: clock() - deliveriesMs,
    throughBody: await retaining.bodiesBeyond(deliveriesBytes),
  }
  let sum = 0
  for (let after: number | undefined = 0; after !== undefined && (await goOn());) {
    const { removed, next } = await retaining.deliveries(after, over)
    sum += removed
    after = next
  }
  return sum
}

async function removeDeployments(
  { retaining, policy, clock, logs }: RetentionParts,
  goOn: GoOn,
): Promise<number> {
  const { historyMs, historyCount } = policy()
  let excess = Math.max(0, (await retaining.count()) - historyCount)
  let sum = 0
  for (let after: number | undefined = 0; after !== undefined && (await goOn());) {
    const { removed, next, ids } = await retaining.deployments(after, { before: clock() - historyMs, excess })
    for (const id of ids) await logs.remove(id)
    excess = Math.max(0, excess - removed)
    sum += removed
    after = next
  }
  return sum
}

/** First those that are too old, then the oldest of those that are too many. */
async function removeLogs(
  { retaining, policy, clock, logs }: RetentionParts,
  sizes: Map<number, number>,
  goOn: GoOn,
): Promise<number> {
  const { logsMs, logsBytes } = policy()
  const ids = await logs.ids()
  const removed = new Set<number>()
  const remove = async (id: number): Promise<void> => {
    await logs.remove(id)
    sizes.delete(id)
    removed.add(id)
  }
  const ended: number[] = []
  for (let from = 0; from < ids.length && (await goOn()); from += AT_ONCE) {
    const some = ids.slice(from, from + AT_ONCE)
    for (const id of await retaining.endedBefore(some, clock() - logsMs)) await remove(id)
    ended.push(...(await retaining.endedBefore(some, Infinity)).filter((id) => !removed.has(id)))
  }
  for (const id of ended) if (!sizes.has(id)) sizes.set(id, await logs.size(id))
  let left = ended.reduce((sum, id) => sum + (sizes.get(id) ?? 0), 0)
  for (const id of ended) {
    if (left <= logsBytes || !(await goOn())) break
    left -= sizes.get(id) ?? 0
    await remove(id)
  }
  return removed.size
}
