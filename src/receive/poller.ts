import { around } from '../schedule/cron.ts'
import type { EnvironmentConfig, Poll } from '../config/config.ts'
import type { SourceVersion } from '../deployment/source.ts'
import type { Journal } from '../logs/journal.ts'

export interface PollerParts {
  /** Those whose sources are to be asked. */
  environments(): Iterable<Polled>
  /** What the source holds now, or why it does not tell. Has a time limit of its own; never rejects. */
  ask(environment: Polled, signal: AbortSignal): Promise<SourceVersion | Untold>
  /** Writes down what was seen, where it is new; it may be told again what it knows. */
  take(environment: Polled, version: SourceVersion): Promise<void>
  readonly clock: () => number
  /** Goes on however the clock is set. */
  readonly steady: () => number
  readonly random: () => number
  /** Calls later; answers how to take that back. */
  after(ms: number, call: () => void): () => void
  readonly journal: Journal
}

type Polled = EnvironmentConfig

interface Untold {
  readonly why: string
}

export interface Poller {
  /** The configuration may be another one, or somebody has mended something: asks every source now. */
  startOver(): void
  /** Why a source did not tell its version when it was asked last; undefined where it did, or was not asked yet. */
  problemOf(environment: Pick<EnvironmentConfig, 'repository' | 'name'>): string | undefined
  /** Asks no more, and ends what is under way. */
  stop(): Promise<void>
}

interface Place {
  environment: Polled
  /** On the steady clock; of a cron expression when to look at it again. */
  dueAt: number
  /** By the clock: what a cron expression has brought up to here was asked. */
  askedAt: number
  problem: string | undefined
  /** What was written down last. */
  takenSha: string | undefined
  /** What is being asked for may have changed since: it is asked once more. */
  isStale: boolean
}

/** Sources asked side by side. */
const AT_ONCE = 4
/** Of these such as did not tell last time: however many hang, the others are asked when it is time. */
const FAILING_AT_ONCE = 2
/** At a start, and where many have one cron expression, they are asked one soon after the other. */
const APART_MS = 100
/** Of its interval each takes a little less, so that they do not stay in step. */
const JITTER = 0.1
const LONGEST_MS = 60_000
/** A source that is slow to answer rests so many times as long: else a few that hang would keep the others from being asked. */
const RESTS = 9
const LONGEST_REST_MS = 10 * 60_000

/**
 * Asks sources of their versions, each as often as the configuration says, few at a time. What is not told is no version:
 * it is said once, and asked for again when it is time.
 */
export function startPoller(parts: PollerParts): Poller {
  const { clock, steady, random, journal } = parts
  const places = new Map<string, Place>()
  const asking = new Map<string, Promise<void>>()
  const ended = new AbortController()
  let takeBack = (): void => {}

  /** Takes the environments as they are configured now, and lets all of them be asked. */
  function gather(): void {
    const now = steady()
    const before = new Map(places)
    places.clear()
    let place = 0
    for (const environment of parts.environments()) {
      const key = keyOf(environment)
      const known = before.get(key)
      places.set(key, {
        environment,
        dueAt: now + Math.floor(place++ / AT_ONCE) * APART_MS,
        askedAt: -Infinity,
        problem: known?.problem,
        takenSha: undefined,
        isStale: asking.has(key),
      })
    }
    look()
  }

  function look(): void {
    takeBack()
    if (ended.signal.aborted) return
    const now = steady()
    const free = [...places].filter(([key]) => !asking.has(key)).toSorted(([, a], [, b]) => a.dueAt - b.dueAt)
    const mayBegin = ({ problem }: Place): boolean =>
      problem === undefined ||
      [...asking.keys()].filter((key) => places.get(key)?.problem !== undefined).length < FAILING_AT_ONCE
    for (const [key, place] of free) {
      if (place.dueAt > now || asking.size >= AT_ONCE) break
      if (!mayBegin(place)) continue
      if (isToAsk(place)) begin(key, place)
      else place.dueAt = now + restOf(place)
    }
    if (asking.size >= AT_ONCE) return // the next one that ends looks again
    const next = free
      .filter(([key, place]) => !asking.has(key) && mayBegin(place))
      .map(([, { dueAt }]) => dueAt - now)
    takeBack = parts.after(Math.min(Math.max(Math.min(...next), 0), LONGEST_MS), look)
  }

  /** Whether a cron expression has come since it was asked last; an interval has when it is due. */
  function isToAsk(place: Place): boolean {
    const { poll } = place.environment
    if (!isCron(poll)) return true
    place.askedAt = Math.min(place.askedAt, clock()) // the clock may have been set back
    return place.askedAt === -Infinity || (around(poll, clock()).last ?? -Infinity) > place.askedAt
  }

  /** How long until it is looked at again. */
  function restOf({ environment: { poll } }: Place): number {
    if (poll === undefined) return LONGEST_MS
    if (!isCron(poll)) return poll.everySeconds * 1000 * (1 - JITTER * random())
    const { next } = around(poll, clock())
    const waitMs = next === undefined ? LONGEST_MS : next - clock()
    return Math.min(waitMs, LONGEST_MS) + random() * APART_MS * AT_ONCE
  }

  function begin(key: string, place: Place): void {
    const { environment } = place
    const askedAt = clock()
    const begunAt = steady()
    const work = askOne(key, environment)
      .catch((thrown: unknown) => {
        if (!ended.signal.aborted) journal.error('source:not-taken', { environment: key, error: thrown })
      })
      .then(() => {
        asking.delete(key)
        const now = places.get(key)
        if (now?.isStale === true) now.isStale = false
        else if (now !== undefined) {
          const slowMs = Math.min(RESTS * (steady() - begunAt), LONGEST_REST_MS)
          Object.assign(now, { askedAt, dueAt: steady() + Math.max(restOf(now), slowMs) })
        }
        look()
      })
    asking.set(key, work)
  }

  async function askOne(key: string, environment: Polled): Promise<void> {
    const answer = await askTwice(key, environment)
    const place = placeOf(key, environment)
    if (place === undefined) return
    if ('why' in answer) {
      if (place.problem !== answer.why)
        journal.warn('source:unavailable', { environment: key, why: answer.why })
      place.problem = answer.why
      return
    }
    if (place.problem !== undefined) {
      journal.info('source:available', { environment: key })
      place.problem = undefined
    }
    await parts.take(environment, answer) // also what it knows: it may not have been to be fetched
    place.takenSha = answer.sha
  }

  /** What is new counts when it is told once more: what has another version each time would be deployed without end. */
  async function askTwice(key: string, environment: Polled): Promise<SourceVersion | Untold> {
    const first = await parts.ask(environment, ended.signal)
    const place = placeOf(key, environment)
    if (place === undefined || 'why' in first || place.takenSha === first.sha) return first
    const second = await parts.ask(environment, ended.signal)
    if ('why' in second || second.sha === first.sha) return second
    return { why: 'It told another version a moment later, and none counts that it does not tell twice.' }
  }

  /** Where the answer of what was asked belongs; undefined when that may not be what the configuration means any more. */
  function placeOf(key: string, asked: Polled): Place | undefined {
    const place = places.get(key)
    const isOver = ended.signal.aborted || place?.isStale === true
    return isOver || ![...parts.environments()].includes(asked) ? undefined : place
  }

  gather()
  return {
    startOver: gather,
    problemOf: (environment) => places.get(keyOf(environment))?.problem,
    async stop() {
      ended.abort()
      takeBack()
      await Promise.allSettled(asking.values())
    },
  }
}

const keyOf = ({ repository, name }: Pick<EnvironmentConfig, 'repository' | 'name'>): string =>
  `${repository}/${name}`.toLowerCase()

const isCron = (poll: Poll | undefined): poll is Extract<Poll, { readonly cron: string }> =>
  poll !== undefined && 'cron' in poll
