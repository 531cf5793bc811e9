import { setTimeout as pause } from 'node:timers/promises'

import type { Journal } from '../logs/journal.ts'
import type { Outbox, OwedReport } from '../store/store.ts'
import { createWaker } from '../waker.ts'
import { ruleFor, type SendFailure } from './rules.ts'

/** One way to the outside world. Rejects with a `SendFailure` when it did not work. */
export interface Channel {
  /** `again`: an earlier attempt may have arrived; look before sending a second time. */
  send(report: OwedReport, again: boolean): Promise<void>
  failureOf(thrown: unknown): SendFailure
}

export interface OutboxParts {
  readonly outbox: Outbox
  readonly channels: Readonly<Record<string, Channel>>
  readonly clock: () => number
  readonly random: () => number
  /** Ends what is being sent, at once and without an answer. */
  abort(): void
  readonly journal: Journal
}

export interface OutboxSender {
  /** Something may be owed: look now. */
  wake(): void
  /** Sends what it can within the time, then ends; what is left stays owed. */
  stop(withinMs: number): Promise<void>
}

/** Sent side by side in one channel. */
const AT_ONCE = 4
const SOON_MS = 20
const LOOK_AGAIN_MS = 30_000
const REST_MS = 5_000

/**
 * Sends what is owed, one after the other per deployment and channel, several deployments side by side, so
 * that one that cannot be reached delays nobody else. What fails waits by its rule; nothing is ever lost.
 */
export function startOutbox(parts: OutboxParts): OutboxSender {
  const { outbox, clock, journal } = parts
  const inFlight = new Map<number, { channel: string; sending: Promise<void> }>()
  const pausedUntil = new Map<string, number>()
  let alarm: NodeJS.Timeout | undefined
  let ended = false

  const begin = (report: OwedReport): void => {
    const { id, channel } = report
    const sending = attempt(report, parts)
      .then((pause) => pause !== undefined && pausedUntil.set(channel, pause))
      .catch((thrown: unknown) => {
        // The store is away; asking again at once would only keep it busy.
        journal.error('outbox:broken', { report: id, error: thrown })
        pausedUntil.set(channel, clock() + REST_MS)
      })
      .then(() => {
        inFlight.delete(id)
        waker.wake()
      })
    inFlight.set(id, { channel, sending })
  }
  const look = async (): Promise<void> => {
    await pause(SOON_MS) // what was just begun goes first, and what comes together is looked at together
    const now = clock()
    for (const channel of Object.keys(parts.channels)) {
      if ((pausedUntil.get(channel) ?? 0) > now) continue
      const busy = [...inFlight.values()].filter((one) => one.channel === channel).length
      const due = busy < AT_ONCE ? await outbox.due(channel, now, AT_ONCE * 2) : []
      const ready = due.filter(({ id }) => !inFlight.has(id))
      for (const report of ready.slice(0, AT_ONCE - busy)) begin(report)
    }
    const moments = [await outbox.nextDueAfter(now), ...pausedUntil.values()].filter(
      (at) => at !== undefined && at > now,
    )
    clearTimeout(alarm)
    if (!ended)
      alarm = setTimeout(waker.wake, Math.min(LOOK_AGAIN_MS, ...moments.map((at) => Number(at) - now)))
  }
  const waker = createWaker(() =>
    look().catch((thrown: unknown) => journal.error('outbox:broken', { error: thrown })),
  )
  waker.wake()
  return {
    wake: waker.wake,
    async stop(withinMs) {
      const limit = AbortSignal.timeout(withinMs)
      const timeUp = new Promise<void>((resolve) =>
        limit.addEventListener('abort', () => resolve(), { once: true }),
      )
      const busy = (): Promise<unknown>[] => [
        ...(waker.looking === undefined ? [] : [waker.looking]),
        ...[...inFlight.values()].map(({ sending }) => sending),
      ]
      while (busy().length > 0 && !limit.aborted) await Promise.race([timeUp, ...busy()])
      ended = true
      waker.stop()
      clearTimeout(alarm)
      parts.abort()
      await Promise.all(busy())
    },
  }
}

/** One attempt, from counting it to its end; answers until when the whole channel must rest, if it must. */
async function attempt(
  report: OwedReport,
  { outbox, channels, clock, random, journal }: OutboxParts,
): Promise<number | undefined> {
  const { id, deployment } = report
  const about = {
    report: id,
    channel: report.channel,
    deployment: deployment.id,
    attempt: report.attempts + 1,
  }
  const channel = channels[report.channel]
  if (channel === undefined) {
    await outbox.settle(id, 'refused', clock(), `${report.channel} is not configured any more`)
    return undefined
  }
  await outbox.attempt(id)
  const sent = await channel.send(report, report.attempts > 0).then(
    () => ({ failed: false as const }),
    (thrown: unknown) => ({ failed: true as const, thrown }),
  )
  if (!sent.failed) {
    await outbox.settle(id, 'delivered', clock())
    journal.info('report:delivered', about)
    return undefined
  }
  const failure = channel.failureOf(sent.thrown)
  const rule = ruleFor(failure, {
    now: clock(),
    createdAt: report.createdAt,
    attempts: report.attempts + 1,
    random: random(),
  })
  if (rule.settled) await outbox.settle(id, 'refused', clock(), failure.message)
  else await outbox.postpone(id, rule.dueAt, failure.message)
  journal.warn(rule.settled ? 'report:refused' : 'report:postponed', { ...about, error: failure.message })
  return rule.settled ? undefined : rule.channelPausedUntil
}
