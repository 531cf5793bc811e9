import { setImmediate as turn } from 'node:timers/promises'

import { placeOf, type Deployment } from '../deployment/deployment.ts'
import type { ChecksSignal } from '../deployment/signal.ts'
import { createSeldom } from '../logs/seldom.ts'
import { createWaker } from '../waker.ts'
import type { Store } from '../store/store.ts'
import { EVERYWHERE, type GateFacts } from '../deployment/gates.ts'
import { createElapsed } from './elapsed.ts'
import { isOfGate } from './gates.ts'
import { createHistory } from './history.ts'
import { isAsked, look, stillClosed, type LookParts } from './look.ts'

export interface HoldParts extends Omit<LookParts, 'store' | 'history' | 'elapsed'> {
  /** After how many milliseconds GitHub may be asked again; 0: now. */
  asking(kind: LookKind): number
  readonly store: LookParts['store'] & Pick<Store, 'checksMoved' | 'gateFactsOf' | 'waiting'>
}

/** How often GitHub may be asked by looks: those that something has called for, and those that only their time has. */
type LookKind = 'event' | 'timer'

export interface Holds {
  /** Something new may be held: look at it now. */
  wake(): void
  /** A deployment has begun or ended: what waits for it is looked at. Undefined: several may have. */
  moved(deployment?: Goal): void
  /** More is known of a repository: look at what waits there. */
  lookAtRepository(configuredAs: string): void
  /** A gate may have opened there, at the place of a lock: look at what waits for it. */
  lookAtPlace(place: string): void
  /** Everything may have changed, the configuration for one: look at all of it now. */
  lookAtAll(): void
  /** The checks of a commit have moved: looks at what waits for them, and answers what that is, and what of it waits for its turn. */
  checksMoved(signal: ChecksSignal, configuredAs: string): readonly Deployment[]
  /** Looks no more. What is under way has the time to end; the next start goes on from what is written down. */
  stop(withinMs: number): Promise<void>
}

/** What waits to go to one environment: it is looked at together. */
interface Place {
  waiting: readonly Deployment[]
  /** On the monotonic clock. */
  dueAt: number
  /** When all of it is looked at, whatever was looked at between. */
  allDueAt: number
  endedAt: number
  failures: number
  /** Looks that events caused, one soon after the other. */
  swarm: number
  /**
   * What has happened since the last look began: of these commits the checks have moved, or anything, or something in
   * another environment of the repository, which only those at a gate wait for.
   */
  news: Set<string> | 'anything' | 'elsewhere' | undefined
  /** Somebody waits for the next look: it does not rest before that. */
  isUrgent: boolean
  /** Until when it is held back, since GitHub has been asked enough. */
  backUntil: number
}

/** Where a deployment goes. */
type Goal = Pick<Deployment, 'configuredAs' | 'environment'>

/** Places looked at side by side: one whose repository does not answer delays no other. */
const AT_ONCE = 8
/** Checks come in swarms: the more of them, the longer a place rests between two looks. */
const REST_MS = 1_000
const LONGEST_REST_MS = 15_000
const CALM_MS = 60_000
const BROKEN_MS = 5_000
const LOOK_AGAIN_MS = 60_000
/** So many places are judged in one turn. */
const JUDGED_AT_ONCE = 250
const TELL_AGAIN_MS = 60_000

/** Looks at what is held, when something happens and when its time has come. */
export function startHolds(parts: HoldParts): Holds {
  const { store, journal } = parts
  const history = createHistory(parts.github)
  const now = (): number => performance.now()
  const elapsed = createElapsed({ clock: parts.clock, steady: now })
  const lookParts: LookParts = {
    ...parts,
    history,
    elapsed,
    moved(deployment) {
      parts.moved(deployment)
      hearElsewhere(deployment)
    },
  }
  const places = new Map<string, Place>()
  const inFlight = new Map<string, Promise<void>>()
  /** GitHub's patience is for all places together; what happens meanwhile does not shorten it. */
  let restUntil = 0
  /** What is not at GitHub does not wait for its patience. */
  const isAtGitHub = ({ waiting }: Place): boolean =>
    waiting.some((one) => parts.environmentOf(one)?.via !== 'none')
  const lookedAtFrom = (place: Place): number => momentOf(place, isAtGitHub(place) ? restUntil : 0)
  let alarm: NodeJS.Timeout | undefined
  let ended = false
  /** The store may hold what the places do not know. */
  let isStale = true
  let isGathering = false
  let gatheredAt = 0
  /** Where something has begun or ended while the places did not know all that waits there; undefined: somewhere. */
  const unheard: (Goal | undefined)[] = []
  let toldAt = -TELL_AGAIN_MS

  /** Brings the places up to date with what the store holds. */
  const gather = async (): Promise<void> => {
    isStale = false
    isGathering = true
    gatheredAt = now()
    const before = unheard.length
    const waits = await store.waiting().finally(() => (isGathering = false))
    const late = unheard.splice(0, before)
    const grouped = Map.groupBy(waits, placeOf)
    for (const key of places.keys()) if (!grouped.has(key) && !inFlight.has(key)) places.delete(key)
    for (const [key, waiting] of grouped) {
      const fresh = {
        dueAt: 0,
        allDueAt: 0,
        endedAt: -CALM_MS,
        failures: 0,
        swarm: 0,
        news: undefined,
        isUrgent: false,
        backUntil: 0,
      }
      const place = places.get(key) ?? fresh
      const unknown = waiting.filter(({ id, hold }) => hold !== undefined && !wasHeld(place, id))
      // What stands at a gate, as after a start, is judged without asking GitHub.
      const isNew = unknown.some(({ hold }) => hold !== undefined && !isOfGate(hold.reason))
      const isHeld = waiting.some(({ hold }) => hold !== undefined)
      if (isNew) place.news = 'anything'
      if (isNew && unknown.some(isAsked)) place.isUrgent = true
      // A look that is under way knows nothing of these.
      if (unknown.length > 0) place.news ??= 'elsewhere'
      // What was let through may have been stopped again, when its turn came.
      const dueAt = unknown.length > 0 || place.dueAt === Infinity ? 0 : place.dueAt
      places.set(key, Object.assign(place, { waiting, dueAt: isHeld ? dueAt : Infinity }))
    }
    for (const one of late) hearMove(one)
  }
  /** Reads again what a look may have changed. */
  const refresh = async (place: Place): Promise<void> => {
    try {
      const before = place.waiting
      const waiting = await store.waiting(before.map(({ id }) => id))
      if (place.waiting !== before) isStale = true // more was gathered meanwhile
      if (isStale) return
      // What is let through, or has ended, is waited for no longer.
      place.waiting = waiting
      if (waiting.every(({ hold }) => hold === undefined)) place.dueAt = Infinity
    } catch {
      isStale = true
    }
  }
  /** Judges the places where all that waits stands at gates, without asking GitHub or the store for each of them. */
  const judgeQuietly = async (quiet: readonly Place[]): Promise<void> => {
    if (quiet.length === 0) return
    const asked = quiet.flatMap(({ waiting }) =>
      waiting.map((deployment) => ({ deployment, ...parts.gate.wanted(deployment) })),
    )
    // What happens from now on may not be in what is read.
    for (const place of quiet) place.news = undefined
    const at = parts.clock()
    const from = now() // of all of them, so that they are due together again
    const facts = await store.gateFactsOf(asked, at)
    const factsOf = async (one: Deployment): Promise<GateFacts> =>
      facts.get(one.id) ?? store.gateFacts(one, { ...parts.gate.wanted(one), at })
    for (const [index, place] of quiet.entries()) {
      if (index % JUDGED_AT_ONCE === JUDGED_AT_ONCE - 1) await turn()
      if (ended) return
      try {
        const still = await stillClosed(place.waiting, lookParts, factsOf)
        if (still === undefined) place.news = 'anything'
        else if (place.news === undefined) place.dueAt = from + (still.lookAgainMs ?? LOOK_AGAIN_MS)
        if (still?.isSame === false) isStale = true
      } catch (thrown) {
        place.dueAt = now() + BROKEN_MS // and the others are judged all the same
        tellBroken(thrown)
      }
    }
  }
  const isToTell = createSeldom()
  const tellBroken = (thrown: unknown): void => {
    if (!ended && isToTell()) journal.error('holds:broken', { error: thrown })
  }
  const begin = (key: string, place: Place): void => {
    const { waiting, failures, news } = place
    const isQuiet = news === undefined || news === 'elsewhere'
    place.news = undefined
    place.isUrgent = false
    // GitHub is mostly asked nothing in a quiet look.
    if (now() - place.endedAt > CALM_MS) place.swarm = 0
    else if (!isQuiet) place.swarm += 1
    const moved = typeof news === 'object' && now() < place.allDueAt ? news : undefined
    const looking = look({ waiting, failures, moved, isQuiet }, lookParts)
      .then(({ lookAgainMs = LOOK_AGAIN_MS, vain }) => {
        place.failures = vain === undefined ? 0 : place.failures + 1
        if (moved === undefined) place.allDueAt = now() + lookAgainMs
        place.dueAt = Math.min(now() + lookAgainMs, Math.max(place.allDueAt, now()))
        if (vain === 'limited') restUntil = Math.max(restUntil, now() + lookAgainMs)
      })
      .catch((thrown: unknown) => {
        // The store is away; asking again at once would only keep it busy.
        if (!ended) journal.error('holds:broken', { place: key, error: thrown })
        place.dueAt = now() + BROKEN_MS
        isStale = true
      })
      .then(() => refresh(place))
      .then(() => {
        place.endedAt = now()
        if (place.news !== undefined) place.dueAt = 0
        inFlight.delete(key)
        waker.wake()
      })
    inFlight.set(key, looking)
  }
  const waker = createWaker(async () => {
    let restMs = 0
    try {
      // Nothing that waits is forgotten, whoever should have told of it.
      if (isStale || now() - gatheredAt >= LOOK_AGAIN_MS) await gather()
      const due = [...places].filter(([key, place]) => !inFlight.has(key) && lookedAtFrom(place) <= now())
      await judgeQuietly(due.map(([, place]) => place).filter(isAtGatesQuietly))
      let heldBack = 0
      for (const [key, place] of due) {
        if (ended || inFlight.size >= AT_ONCE) break
        if (lookedAtFrom(place) > now()) continue // judged just now, and still closed
        const kind = place.news === undefined ? 'timer' : 'event'
        const waitMs = isAtGitHub(place) ? parts.asking(kind) : 0
        if (waitMs === 0) begin(key, place)
        else {
          place.backUntil = now() + waitMs
          heldBack += 1
        }
      }
      if (heldBack > 0) tellHeldBack(heldBack)
      if (isStale) waker.wake()
    } catch (thrown) {
      tellBroken(thrown)
      isStale = true
      restMs = BROKEN_MS
    }
    clearTimeout(alarm)
    const moments = [...places].filter(([key]) => !inFlight.has(key)).map(([, place]) => lookedAtFrom(place))
    const soonest = moments.reduce((first, at) => Math.min(first, at - now()), LOOK_AGAIN_MS)
    const waitMs = restMs > 0 ? restMs : Math.max(0, soonest)
    if (!ended && inFlight.size < AT_ONCE) alarm = setTimeout(waker.wake, waitMs)
  })
  const tellHeldBack = (places: number): void => {
    if (now() - toldAt < TELL_AGAIN_MS) return
    toldAt = now()
    journal.info('holds:held-back', { places, why: 'GitHub has been asked as often as it may be' })
  }
  const hurry = (place: Place, sha?: string): void => {
    place.dueAt = 0
    if (sha === undefined || place.news === 'anything') place.news = 'anything'
    else place.news = new Set([...(typeof place.news === 'object' ? place.news : []), sha])
  }
  const isAnythingBeside = (deployment: Goal | undefined): boolean =>
    [...places.keys()].some(
      (key) => deployment === undefined || key.startsWith(`${deployment.configuredAs}/`),
    )
  /** Something has begun or ended there, or at several places: what waits for that is to be looked at. */
  const hearMove = (deployment: Goal | undefined): void => {
    const here = deployment === undefined ? undefined : placeOf(deployment)
    // What stands at a gate may be overtaken now.
    const isMeant = ({ hold }: Deployment): boolean =>
      hold !== undefined && (hold.reason === 'newer_first' || isOfGate(hold.reason))
    // What is being looked at now may come to wait for just this one.
    const meant = [...places].filter(
      ([key, { waiting }]) =>
        (here === undefined || key === here) && (inFlight.has(key) || waiting.some(isMeant)),
    )
    for (const [, place] of meant) hurry(place)
    if (meant.length > 0) waker.wake()
    if (deployment !== undefined) hearElsewhere(deployment)
  }
  /** What stands at a gate in another environment of the repository may have been waiting for just this. */
  const hearElsewhere = (deployment: Goal): void => {
    const here = placeOf(deployment)
    const isMeant = ([key, { waiting }]: readonly [string, Place]): boolean =>
      key !== here &&
      key.startsWith(`${deployment.configuredAs}/`) &&
      (inFlight.has(key) || waiting.some(({ hold }) => hold !== undefined && isOfGate(hold.reason)))
    const meant = [...places].filter(isMeant)
    for (const [, place] of meant) {
      place.dueAt = 0
      place.news ??= 'elsewhere'
    }
    if (meant.length > 0) waker.wake()
  }
  waker.wake()
  return {
    wake() {
      isStale = true
      waker.wake()
    },
    moved(deployment) {
      const isKnown = !isStale && !isGathering
      isStale = true
      hearMove(deployment)
      if (isKnown || !isAnythingBeside(deployment)) return
      unheard.push(deployment)
      waker.wake()
    },
    lookAtRepository(configuredAs) {
      isStale = true
      for (const [key, place] of places) if (key.startsWith(`${configuredAs}/`)) hurry(place)
      waker.wake()
    },
    lookAtPlace(place) {
      isStale = true
      const isMeant = (key: string): boolean =>
        place === EVERYWHERE || key === place || key.startsWith(`${place}/`)
      for (const [key, one] of places)
        if (isMeant(key)) {
          hurry(one)
          one.isUrgent = true
        }
      waker.wake()
    },
    lookAtAll() {
      isStale = true
      restUntil = 0 // the token may be another one
      for (const place of places.values()) hurry(place)
      waker.wake()
    },
    checksMoved({ sha }, configuredAs) {
      // What waits for its turn alone is looked at again when that comes.
      store.checksMoved(configuredAs, sha).catch(tellBroken)
      const isMeant = (one: Deployment): boolean => one.sha === sha && one.configuredAs === configuredAs
      const meant = [...places.values()].filter(({ waiting }) => waiting.some(isMeant))
      for (const place of meant)
        if (place.waiting.some((one) => isMeant(one) && one.hold !== undefined)) hurry(place, sha)
      if (meant.length > 0) waker.wake()
      return meant.flatMap(({ waiting }) => waiting.filter(isMeant))
    },
    async stop(withinMs) {
      ended = true
      waker.stop()
      clearTimeout(alarm)
      const limit = new Promise((resolve) => setTimeout(resolve, withinMs).unref())
      await Promise.race([Promise.allSettled([waker.looking, ...inFlight.values()]), limit])
    },
  }
}

/** Whether the deployment was held there already when that was read last: what was let through may be stopped again. */
const wasHeld = ({ waiting }: Partial<Place>, id: number): boolean =>
  waiting?.some((one) => one.id === id && one.hold !== undefined) ?? false

/**
 * When it may be looked at: when it is due, but not at once after the last look unless that is urgent, nor before GitHub
 * will listen.
 */
function momentOf({ dueAt, endedAt, swarm, isUrgent, backUntil }: Place, restUntil: number): number {
  const restMs = isUrgent ? 0 : Math.min(REST_MS * 2 ** Math.min(swarm, 10), LONGEST_REST_MS)
  return Math.max(dueAt, endedAt + restMs, restUntil, backUntil)
}

/** Whether nothing has happened but that time has passed, or that something was deployed elsewhere. */
const isAtGatesQuietly = ({ waiting, news }: Place): boolean =>
  (news === undefined || news === 'elsewhere') &&
  waiting.every(({ hold }) => hold !== undefined && isOfGate(hold.reason))
