import type { Journal } from '../logs/journal.ts'
import { createSeldom } from '../logs/seldom.ts'
import type { Pace } from '../pace.ts'
import { placeOf } from '../deployment/deployment.ts'
import type { Outbox, OwedReport, Places, SentOn, Store } from '../store/store.ts'
import { createWaker } from '../waker.ts'
import { attempt } from './attempt.ts'
import { keepLimits, recallLimits } from './kept-limits.ts'
import { createAllRests, EVERYTHING } from './rests.ts'
import type { SendFailure } from './rules.ts'
import { closedRepositories, freeSlots, inTurn } from './slots.ts'

/** One way to the outside world. Rejects with a `SendFailure` when it did not work. */
export interface Channel {
  /** `again`: an earlier attempt may have arrived; look before sending a second time. */
  send(report: OwedReport, again: boolean): Promise<void>
  failureOf(thrown: unknown): SendFailure
  /** How much it takes; others may use it up with us. */
  readonly pace: Pace<Urgency>
}

/** Who takes the reports of a channel: all of them, or those about some places. One that fails rests alone. */
export interface Recipient extends Channel {
  /** By what it is known, also after a restart: who is reached otherwise has another name. Nothing secret. */
  readonly name: string
  readonly channel: string
  /** Undefined: wherever they go. Of every report there is exactly one recipient. */
  readonly places?: Places | undefined
  /**
   * How long a word may have waited to be said all the same when there is a later one about its deployment. One that
   * was tried in vain gives way, too, and so does any while nothing is taken. Undefined: as long as there is room.
   */
  readonly freshMs?: number
  /** The name of another one behind which the same stands: what that asks for in patience is asked of this, too. */
  readonly limitsOf?: string
  /** What it takes leaves room to the rest, ends as well as beginnings. */
  readonly isMinor?: boolean
}

/** The end of a deployment, or something on its way there. */
export type Urgency = 'final' | 'progress'

export interface OutboxParts {
  readonly outbox: Outbox
  readonly store: Pick<Store, 'note' | 'noted'>
  /** Who there is at this moment. */
  recipients(): readonly Recipient[]
  readonly clock: () => number
  readonly random: () => number
  /** Calls back after so long; answers how to call that off. */
  readonly after: (ms: number, call: () => void) => () => void
  /** Ends what is being sent, at once and without an answer. */
  abort(): void
  readonly journal: Journal
}

export interface OutboxSender {
  /** Something may be owed: look now. */
  wake(): void
  /**
   * Somebody may have mended what was broken: all that is owed is tried now. To the `renewed` recipients we go by
   * another name, so that a limit on the earlier one is none of ours.
   */
  again(renewed: readonly string[]): void
  /** Somebody wants this one to go now: whoever gets it is not left alone any longer, unless they asked for it. */
  hurry(report: Pick<SentOn, 'channel' | 'deployment'>): void
  /** What holds up a report whose time has come, and until when at least. */
  heldUp(report: OwedReport): HeldUp | undefined
  /** Sends what it can within the time, then ends; what is left stays owed. */
  stop(withinMs: number): Promise<void>
}

interface HeldUp {
  readonly until: number
  readonly why: string
}

const SOON_MS = 20
/** A look at a long list takes long; the rest of the server has work to do, too, and the other side takes little. */
const LOOKS_TAKE_A_TWENTIETH = 19
/** A look may have waited for the database: that has kept nobody from anything. */
const LONGEST_QUIET_MS = 5_000
const LOOK_AGAIN_MS = 30_000
const MOST_LOOKED_AT = 100
const REST_MS = 5_000
const OUT_OF_TURN = 'Others go first, and no more is sent than the other side takes'

interface Flight {
  readonly report: OwedReport
  /** The name of the recipient. */
  readonly to: string
  readonly sending: Promise<void>
}

/**
 * Sends what is owed, one after the other per deployment and channel, several deployments side by side, so
 * that one that cannot be reached delays nobody else. What fails waits by its rule; nothing is ever lost. Where
 * more is owed than a recipient takes, ends go first, and of each deployment only the newest.
 */
export function startOutbox(parts: OutboxParts): OutboxSender {
  const { outbox, store, clock, journal, recipients } = parts
  const inFlight = new Map<number, Flight>()
  const rests = createAllRests()
  /** When each repository had its turn, counted in turns. */
  const served = new Map<string, number>()
  let servings = 0
  let callOff = (): void => {}
  let quietMs = SOON_MS
  let endQuiet = (): void => {}
  let lookedAt = -Infinity
  let mended: ReadonlySet<string> | undefined = new Set()
  /** How often somebody has said that what was broken may be mended. */
  let mendings = 0
  const isToBeTold = createSeldom()
  let isFirst = true
  let ended = false
  let aborted = false

  const begin = (report: OwedReport, recipient: Recipient): void => {
    const mine = rests.of(recipient.name)
    const turn = recipient.pace.begin(urgencyOf(report, recipient), clock())
    const mendingsBefore = mendings
    const mayBeMended = (): boolean => mendings > mendingsBefore
    const means = { channel: recipient, rests: mine, turn, mayBeMended }
    const sending = attempt(report, means, { ...parts, isAborted: () => aborted })
      .then(async (rest) => {
        if (rest?.isLimit !== true) return
        const limit = mine.resting(EVERYTHING, clock())
        for (const { name } of recipients().filter((one) => sharesLimits(one, recipient)))
          if (limit !== undefined) rests.of(name).failed(EVERYTHING, limit)
        await keepLimits(rests, store, clock())
      })
      .catch((thrown: unknown) => {
        turn.end(clock())
        // The store is away; asking again at once would only keep it busy.
        const why = 'The database did not take what became of a report'
        mine.failed(EVERYTHING, { until: clock() + REST_MS, why, isLimit: false })
        if (isToBeTold()) journal.error('outbox:broken', { report: report.id, error: thrown })
      })
      .then(() => {
        inFlight.delete(report.id)
        waker.wake()
      })
    inFlight.set(report.id, { report, to: recipient.name, sending })
  }

  /** Begins what may begin with one recipient; answers the moments at which more may. */
  const lookAt = async (recipient: Recipient, now: number): Promise<readonly number[]> => {
    const { name, channel, places, freshMs, pace } = recipient
    const mine = rests.of(name)
    const whole = mine.resting(EVERYTHING, now)
    if (whole !== undefined) return [whole.until]
    const wait = Math.min(pace.waitMs('final', now), pace.waitMs('progress', now))
    if (wait > 0) return [now + wait]
    const flights = [...inFlight.values()].filter(({ report }) => report.channel === channel)
    const flying = flights.flatMap(({ report, to }) => (to === name ? report : []))
    const free = freeSlots(mine, flying)
    if (ended || free <= 0) return []
    // What is under way is still owed.
    const room = pace.room('progress', now) + flying.length
    const dueCount = await outbox.countDue(channel, { at: now, most: room + 1, places })
    if (dueCount <= flying.length) return []

    const isLate = freshMs !== undefined && mine.failures(EVERYTHING) > 0
    const closed = closedRepositories(mine, flying, now)
    const due = await outbox.due(channel, {
      at: now,
      limit: MOST_LOOKED_AT,
      take: dueCount > room || isLate ? 'newest' : 'oldest',
      staleBefore: freshMs === undefined ? undefined : now - freshMs,
      exceptDeployments: flights.map(({ report }) => report.deployment.id),
      exceptRepositories: closed,
      places,
    })
    const moments = closed.flatMap((repository) => mine.resting(repository, now)?.until ?? [])
    for (const report of inTurn(due, served)) {
      if (ended || freeSlots(mine, flying) <= 0) break
      if (closedRepositories(mine, flying, now).includes(report.deployment.repository)) continue
      const waitMs = pace.waitMs(urgencyOf(report, recipient), now)
      if (waitMs > 0) moments.push(now + waitMs)
      else {
        flying.push(report)
        served.set(report.deployment.repository, (servings += 1))
        begin(report, recipient)
      }
    }
    return moments
  }

  const quiet = (): Promise<void> =>
    new Promise((resolve) => {
      const callOffQuiet = parts.after(quietMs, resolve)
      endQuiet = () => {
        callOffQuiet()
        resolve()
      }
    })

  const look = async (): Promise<void> => {
    // What was just begun goes first, and what comes together is looked at together.
    await quiet()
    if (ended) return
    const began = performance.now()
    const now = clock()
    await takeUp(now)
    const moments = [now + LOOK_AGAIN_MS]
    for (const recipient of recipients()) moments.push(...(await lookAt(recipient, now)))
    moments.push((await outbox.nextDueAfter(now)) ?? Infinity)
    const restMs = LOOKS_TAKE_A_TWENTIETH * (performance.now() - began)
    quietMs = Math.min(Math.max(SOON_MS, restMs), LONGEST_QUIET_MS)
    callOff()
    if (!ended) callOff = parts.after(Math.max(0, Math.min(...moments) - now), waker.wake)
  }

  /** What has changed since the last look, other than what is owed. */
  const takeUp = async (now: number): Promise<void> => {
    if (isFirst) {
      await recallLimits(rests, store, now)
      isFirst = false
    }
    // A clock that was set back would have everything wait for as long.
    if (now < lookedAt) {
      for (const [, mine] of rests.all()) mine.shift(now - lookedAt)
      mended ??= new Set()
    }
    lookedAt = now
    if (mended === undefined) return
    const renewed = mended
    await outbox.hurry(now)
    for (const [name, mine] of rests.all()) mine.clear({ limitsToo: renewed.has(name) })
    if (renewed.size > 0) await keepLimits(rests, store, now)
    if (mended === renewed) mended = undefined
  }

  const recipientOf = ({
    channel,
    deployment,
  }: Pick<SentOn, 'channel' | 'deployment'>): Recipient | undefined =>
    recipients().find((one) => one.channel === channel && isAmong(placeOf(deployment), one.places))

  const waker = createWaker(() =>
    look().catch((thrown: unknown) => {
      if (isToBeTold()) journal.error('outbox:broken', { error: thrown })
      callOff()
      if (!ended) callOff = parts.after(REST_MS, waker.wake)
    }),
  )
  waker.wake()
  return {
    wake: waker.wake,
    again(renewed) {
      mended = new Set([...(mended ?? []), ...renewed])
      mendings += 1
      waker.wake()
    },
    hurry(report) {
      const recipient = recipientOf(report)
      if (recipient !== undefined) rests.of(recipient.name).worked(report.deployment.repository, clock())
      waker.wake()
    },
    heldUp: (report) => {
      const [recipient, now] = [recipientOf(report), clock()]
      if (recipient === undefined) return undefined
      const mine = rests.of(recipient.name)
      const resting = mine.resting(EVERYTHING, now) ?? mine.resting(report.deployment.repository, now)
      if (resting !== undefined) return resting
      const waitMs = recipient.pace.waitMs(urgencyOf(report, recipient), now)
      return waitMs > 0 ? { until: now + waitMs, why: OUT_OF_TURN } : undefined
    },
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
      callOff()
      endQuiet()
      aborted = true
      parts.abort()
      while (busy().length > 0) await Promise.all(busy())
    },
  }
}

const urgencyOf = ({ isFinal }: OwedReport, { isMinor = false }: Recipient): Urgency =>
  isFinal && !isMinor ? 'final' : 'progress'

const sharesLimits = (one: Recipient, other: Recipient): boolean =>
  one.name !== other.name && (one.limitsOf === other.name || other.limitsOf === one.name)

const isAmong = (place: string, places: Places | undefined): boolean => {
  if (places === undefined) return true
  return 'only' in places ? places.only.includes(place) : !places.except.includes(place)
}
