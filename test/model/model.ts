import type { Deployment } from '../../src/deployment/deployment.ts'

export const SHOP = 'acme/shop'
export const HOUR = 60 * 60_000
export const DAY = 24 * HOUR

/** A run that has begun, and what stood in its way at that moment. */
interface Begun {
  readonly id: number
  readonly environment: string
  readonly sha: string
  readonly byItself: boolean
  readonly closed: string | undefined
}

interface ApprovalGiven {
  readonly environment: string
  readonly sha: string
  readonly by: string
  readonly until: number
}

interface LockTaken {
  readonly id: number
  readonly place: string
  readonly until: number | undefined
}

/** What has happened to the lanes, known from outside alone. */
export interface Model {
  now: number
  /** Of `main`, oldest first. */
  readonly commits: string[]
  /** `environment sha` of every merge and push that was sent, and of those that were answered. */
  readonly sent: Set<string>
  readonly told: Set<string>
  locks: readonly LockTaken[]
  /** Commits whose checks have been red at some time, and how checks stand now where anything was reported. */
  readonly red: Set<string>
  readonly checks: Map<string, string>
  /** Since when the check of a commit stands as it does. */
  readonly checksSince: Map<string, number>
  /** Which commit was asked for, of the deployments of which we were told. */
  readonly pinned: Map<number, string>
  /** Who wrote a commit. */
  readonly authors: Map<string, string>
  /** What was approved, or may have been when the server died. */
  readonly approvals: ApprovalGiven[]
  readonly forced: Set<number>
  /** `environment sha` of what people have asked for with force: of a wish that died they were told nothing. */
  readonly forcedWishes: Set<string>
  readonly cancelled: Set<number>
  readonly interrupted: Set<number>
  /** Runs that were to end well, or badly. */
  readonly ends: Map<number, 'well' | 'badly'>
  /** What was there when a deployment was asked for of which we were told: its place on the branch; -1: nothing. */
  readonly before: Map<number, number>
  /** GitHub's deployments that were delivered late. */
  readonly late: Set<number>
  readonly begun: Begun[]
  /** What was there at the last look: to choose from. */
  seen: readonly Deployment[]
  /** Deliveries that were sent, to be sent again. */
  readonly deliveries: { readonly event: string; readonly payload: object; readonly guid: string }[]
  begin(deployment: Deployment): void
  /** Somebody has asked for this one now. */
  asked(deployment: Pick<Deployment, 'id' | 'environment'>): void
}

export function createModel(): Model {
  const model: Model = {
    now: Date.UTC(2026, 10, 2, 9),
    commits: [],
    sent: new Set(),
    told: new Set(),
    locks: [],
    red: new Set(),
    checks: new Map(),
    checksSince: new Map(),
    pinned: new Map(),
    authors: new Map(),
    approvals: [],
    forced: new Set(),
    forcedWishes: new Set(),
    cancelled: new Set(),
    interrupted: new Set(),
    ends: new Map(),
    before: new Map(),
    late: new Set(),
    begun: [],
    seen: [],
    deliveries: [],
    asked({ id, environment }) {
      const live = model.begun.findLast(
        (one) => one.environment === environment && model.ends.get(one.id) === 'well',
      )
      if (!model.before.has(id))
        model.before.set(id, live === undefined ? -1 : model.commits.indexOf(live.sha))
    },
    begin(one) {
      const { id, environment, sha, origin } = one
      const isForced =
        model.forced.has(id) || (origin === 'person' && model.forcedWishes.has(`${environment} ${sha}`))
      const passable = isForced
        ? undefined
        : (closedFor(environment, model) ?? checksOf(model, one) ?? unproved(model, one))
      const closed = passable ?? unapproved(model, one)
      model.begun.push({ id, environment, sha, byItself: origin === 'merge' || origin === 'push', closed })
    },
  }
  return model
}

/** What stands in the way of an environment now. */
function closedFor(environment: string, { now, locks }: Model): string | undefined {
  const places = ['*', SHOP, `${SHOP}/${environment}`]
  const lock = locks.find(({ place, until = Infinity }) => places.includes(place) && until > now)
  if (lock !== undefined) return `the lock of ${lock.place}`
  return environment === 'production' && isMidday(now) ? 'the window' : undefined
}

/** A check that was not green for longer than what is seen of it may be old. GitHub looks itself at what others make there. */
function checksOf(
  { now, checks, checksSince }: Model,
  { environment, sha, origin }: Deployment,
): string | undefined {
  const isOld = now - (checksSince.get(sha) ?? -Infinity) > 60_000
  const stands = checks.get(sha) ?? 'missing'
  return environment === 'production' && origin !== 'deployment' && stands !== 'success' && isOld
    ? `a check that is ${stands}`
    : undefined
}

/** What goes to `release` has to have succeeded on `staging`. */
function unproved({ begun, ends }: Model, { environment, sha }: Deployment): string | undefined {
  const isProved = begun.some(
    (one) => one.environment === 'staging' && one.sha === sha && ends.get(one.id) === 'well',
  )
  return environment === 'release' && !isProved ? 'staging, which has not had it' : undefined
}

/** Somebody other than whoever wrote it or asked for it has to agree to what goes to `release`, forced or not. */
function unapproved(
  { now, authors, approvals }: Model,
  { environment, sha, actor, creator }: Deployment,
): string | undefined {
  const own = [authors.get(sha), actor, creator]
  const isApproved = approvals.some(
    (one) => one.environment === environment && one.sha === sha && one.until > now && !own.includes(one.by),
  )
  return environment === 'release' && !isApproved ? 'a missing approval' : undefined
}

export const isMidday = (now: number): boolean => {
  const hour = new Date(now).getUTCHours()
  return hour >= 12 && hour < 18
}
