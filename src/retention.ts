import { setImmediate as turn } from 'node:timers/promises'

import type { Retention } from './config/config.ts'
import type { Journal } from './logs/journal.ts'
import type { Logs } from './logs/logs.ts'
import { createPatientClock, type PatientClock } from './patient-clock.ts'
import type { Age, Retaining, Store } from './store/store.ts'
import { createWaker } from './waker.ts'

export interface RetentionParts {
  readonly retaining: Retaining
  readonly store: Pick<Store, 'note' | 'noted'>
  readonly logs: Pick<Logs, 'ids' | 'size' | 'remove'>
  policy(): Retention
  readonly clock: () => number
  /** Milliseconds by a clock that nobody sets. */
  readonly steady: () => number
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
/** An approval that has ended explains for so long why something waits again. */
const APPROVALS_MS = 30 * 24 * 60 * 60_000
/** How far time has come, as far as it counts here. */
const NOTE = 'retention_clock'

/**
 * Removes what nobody waits for any more, every hour: deliveries, ended deployments and logs that are too old or
 * too many, and locks that have ended. A little at a time, so that everything else goes on meanwhile.
 */
export function startRetention(parts: RetentionParts): RetentionWatch {
  const { journal, store, clock, steady } = parts
  /** Of logs that have ended: they do not change any more. */
  const sizes = new Map<number, number>()
  const toldOf = new Set<number>()
  /** A log that somebody else has closed to us keeps nothing else from being removed; that is said once. */
  const orSay =
    <Answer>(about: (id: number) => Promise<Answer>) =>
    (id: number): Promise<Answer | undefined> =>
      about(id).catch((thrown: unknown) => {
        if (!toldOf.has(id)) journal.warn('log:unreachable', { deployment: id, error: thrown })
        toldOf.add(id)
        return undefined
      })
  const removeLog = orSay(async (id) => {
    await parts.logs.remove(id)
    return true as const
  })
  let isStopped = false
  let patient: PatientClock | undefined
  const startClock = async (): Promise<PatientClock> => {
    const noted = await store.noted(NOTE)
    return createPatientClock({ clock, steady, earlier: noted === undefined ? undefined : Number(noted) })
  }
  const waker = createWaker(async () => {
    try {
      const goOn = async (): Promise<boolean> => {
        await turn()
        return !isStopped
      }
      patient ??= await startClock()
      const time = { now: clock(), aged: patient.now() }
      const removing = { time, sizes, removeLog, sizeOf: orSay(parts.logs.size) }
      const logs = await removeLogs(parts, removing, goOn) // first: on a full disk the others need the room
      const deliveries = await removeDeliveries(parts, time, goOn)
      const deployments = await removeDeployments(parts, { time, removeLog }, goOn)
      const locks = await parts.retaining.endedLocks(time.aged)
      const approvals = await parts.retaining.approvals(before(APPROVALS_MS, time))
      await store.note(NOTE, String(patient.furthest()))
      if (deliveries + deployments + logs + locks + approvals > 0)
        journal.info('retention:removed', { deliveries, deployments, logs, locks, approvals })
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

/** Answers whether the log is gone. */
type RemoveLog = (id: number) => Promise<true | undefined>

/** Answers false when the server stops. */
type GoOn = () => Promise<boolean>

/** What the clock says, and by which time things have grown old: they differ while the clock is wrong. */
interface Time {
  readonly now: number
  readonly aged: number
}

const before = (ageMs: number, { now, aged }: Time): Age => ({ before: aged - ageMs, now })

async function removeDeliveries(
  { retaining, policy }: RetentionParts,
  time: Time,
  goOn: GoOn,
): Promise<number> {
  const { deliveriesMs, deliveriesBytes } = policy()
  const over = {
    ...before(deliveriesMs, time),
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
  { retaining, policy }: RetentionParts,
  { time, removeLog }: { readonly time: Time; readonly removeLog: RemoveLog },
  goOn: GoOn,
): Promise<number> {
  const { historyMs, historyCount } = policy()
  let excess = Math.max(0, (await retaining.count()) - historyCount)
  let sum = 0
  for (let after: number | undefined = 0; after !== undefined && (await goOn());) {
    const { removed, next, ids } = await retaining.deployments(after, {
      ...before(historyMs, time),
      excess,
    })
    for (const id of ids) await removeLog(id)
    excess = Math.max(0, excess - removed)
    sum += removed
    after = next
  }
  return sum
}

interface RemovingLogs {
  readonly time: Time
  readonly sizes: Map<number, number>
  readonly removeLog: RemoveLog
  /** Undefined where it cannot be seen. */
  readonly sizeOf: (id: number) => Promise<number | undefined>
}

/** First those that are too old, then the oldest of those that are too many. */
async function removeLogs(
  { retaining, policy, logs }: RetentionParts,
  { time, sizes, removeLog, sizeOf }: RemovingLogs,
  goOn: GoOn,
): Promise<number> {
  const { logsMs, logsBytes } = policy()
  const ids = await logs.ids()
  const removed = new Set<number>()
  const remove = async (id: number): Promise<boolean> => {
    if ((await removeLog(id)) !== true) return false
    sizes.delete(id)
    removed.add(id)
    return true
  }
  const ended: number[] = []
  let isYoungFound = false
  for (let from = 0; from < ids.length && (await goOn()); from += AT_ONCE) {
    const some = ids.slice(from, from + AT_ONCE)
    const all = await retaining.endedBefore(some, { now: time.now, before: Infinity })
    const old: readonly number[] = isYoungFound ? [] : await retaining.endedBefore(some, before(logsMs, time))
    for (const id of old) await remove(id)
    isYoungFound ||= old.length < all.length
    ended.push(...all.filter((id) => !removed.has(id)))
  }
  for (const id of ended) {
    if (sizes.has(id)) continue
    const size = await sizeOf(id)
    if (size !== undefined) sizes.set(id, size)
  }
  let left = ended.reduce((sum, id) => sum + (sizes.get(id) ?? 0), 0)
  for (const id of ended) {
    if (left <= logsBytes || !(await goOn())) break
    const size = sizes.get(id) ?? 0
    if (await remove(id)) left -= size
  }
  return removed.size
}
