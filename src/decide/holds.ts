import { placeOf, type Deployment } from '../deployment/deployment.ts'
import type { ChecksSignal } from '../deployment/signal.ts'
import { createWaker } from '../waker.ts'
import type { Store } from '../store/store.ts'
import { EVERYWHERE } from '../deployment/gates.ts'
import { createElapsed } from './elapsed.ts'
import { isOfGate } from './gates.ts'
import { createHistory } from './history.ts'
import { look, type LookParts } from './look.ts'

export interface HoldParts extends Omit<LookParts, 'store' | 'history' | 'elapsed'> {
  readonly store: LookParts['store'] & Pick<Store, 'waiting'>
}

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
  /** The checks of a commit have moved: looks at what waits for them, and answers what that is. */
  checksMoved(signal: ChecksSignal, configuredAs: string): readonly Deployment[]
  /** Looks no more. What is under way has the time to end; the next start goes on from what is written down. */
  stop(withinMs: number): Promise<void>
}

/** What waits to go to one environment: it is looked at together. */
interface Place {
  readonly waiting: readonly Deployment[]
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
  let alarm: NodeJS.Timeout | undefined
  let ended = false

  /** Brings the places up to date with what the store holds. */
  const gather = async (): Promise<void> => {
    const grouped = Map.groupBy(await store.waiting(), placeOf)
    for (const key of places.keys()) if (!grouped.has(key) && !inFlight.has(key)) places.delete(key)
    for (const [key, waiting] of grouped) {
      const fresh = {
        dueAt: 0,
        allDueAt: 0,
        endedAt: -CALM_MS,
        failures: 0,
        swarm: 0,
        news: 'anything' as const,
      }
      const place = places.get(key) ?? fresh
      const isNew = waiting.some(({ id, hold }) => hold !== undefined && !known(place, id))
      const isHeld = waiting.some(({ hold }) => hold !== undefined)
      if (isNew) place.news = 'anything'
      // What was let through may have been stopped again, when its turn came.
      const dueAt = isNew || place.dueAt === Infinity ? 0 : place.dueAt
      places.set(key, Object.assign(place, { waiting, dueAt: isHeld ? dueAt : Infinity }))
    }
  }
  const begin = (key: string, place: Place): void => {
    const { waiting, failures, news } = place
    const isQuiet = news === undefined || news === 'elsewhere'
    place.news = undefined
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
      })
      .then(() => {
        place.endedAt = now()
        if (place.news !== undefined) place.dueAt = 0
        inFlight.delete(key)
        waker.wake()
      })
    inFlight.set(key, looking)
  }
  const waker = createWaker(async () => {
    try {
      await gather()
      for (const [key, place] of places) {
        if (inFlight.size >= AT_ONCE) break
        if (!ended && !inFlight.has(key) && momentOf(place, restUntil) <= now()) begin(key, place)
      }
    } catch (thrown) {
      journal.error('holds:broken', { error: thrown })
    }
    clearTimeout(alarm)
    const moments = [...places]
      .filter(([key]) => !inFlight.has(key))
      .map(([, place]) => momentOf(place, restUntil))
    const waitMs = Math.max(0, Math.min(LOOK_AGAIN_MS, ...moments.map((at) => at - now())))
    if (!ended && inFlight.size < AT_ONCE) alarm = setTimeout(waker.wake, waitMs)
  })
  const hurry = (place: Place, sha?: string): void => {
    place.dueAt = 0
    if (sha === undefined || place.news === 'anything') place.news = 'anything'
    else place.news = new Set([...(typeof place.news === 'object' ? place.news : []), sha])
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
    wake: waker.wake,
    moved(deployment) {
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
    },
    lookAtRepository(configuredAs) {
      for (const [key, place] of places) if (key.startsWith(`${configuredAs}/`)) hurry(place)
      waker.wake()
    },
    lookAtPlace(place) {
      const isMeant = (key: string): boolean =>
        place === EVERYWHERE || key === place || key.startsWith(`${place}/`)
      for (const [key, one] of places) if (isMeant(key)) hurry(one)
      waker.wake()
    },
    lookAtAll() {
      restUntil = 0 // the token may be another one
      for (const place of places.values()) hurry(place)
      waker.wake()
    },
    checksMoved({ sha }, configuredAs) {
      const isMeant = (one: Deployment): boolean =>
        one.sha === sha && one.configuredAs === configuredAs && one.hold !== undefined
      const meant = [...places.values()].filter(({ waiting }) => waiting.some(isMeant))
      for (const place of meant) hurry(place, sha)
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

/** Whether the deployment was there already when the place was looked at last. */
const known = ({ waiting }: Partial<Place>, id: number): boolean =>
  waiting?.some((one) => one.id === id) ?? false

/** When it may be looked at: when it is due, but not at once after the last look, nor before GitHub will listen. */
const momentOf = ({ dueAt, endedAt, swarm }: Place, restUntil: number): number =>
  Math.max(dueAt, endedAt + Math.min(REST_MS * 2 ** Math.min(swarm, 10), LONGEST_REST_MS), restUntil)
