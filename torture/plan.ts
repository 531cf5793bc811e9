import type { Chance } from './chance.ts'
import { barredAt, LASTING_LIMITS, needs, PASSING, refusedAt, type FaultKind } from './fault-kinds.ts'
import { BRANCHES, ENVIRONMENTS, REPOSITORIES, type Branch, type Environment } from './world.ts'

/** Everything that is decided about one cycle before it begins. */
export interface Plan {
  /** Slack takes a message a second, so only a small burst is told there. */
  readonly isToldToSlack: boolean
  readonly burst: readonly Act[]
  readonly faults: readonly Fault[]
  /** How the server's lives end, one after the other; the one after the last is left in peace. */
  readonly endings: readonly [Ending, ...Ending[]]
  /** Cancelled in the last life, before its dust settles. */
  readonly cancelsAtLast: readonly Cancel[]
  /** Faults that the last life meets while it makes good what was broken off. */
  readonly faultsAtLast: readonly Fault[]
  /** How somebody says that it is mended, where that is needed: to the whole server, or report by report. */
  readonly word: 'SIGHUP' | 'outbox send'
  /** What could not be delivered to earlier lives is left to the last one to fetch; else GitHub is asked to send it. */
  readonly leavesLost: boolean
}

/** Something that happens at GitHub and is told to the server, or something that somebody sends there. */
export type Act = { readonly afterMs: number } & (
  | {
      readonly kind: 'deploy'
      readonly environment: Environment
      readonly branch: Branch
      /** Sent once more under the same GUID, or under a new one. */
      readonly again: 'redelivered' | 'replayed' | undefined
    }
  | { readonly kind: 'push' | 'merge' | 'check' | 'ping' | 'forgery'; readonly repository: string }
  /** A person takes one back that waits; or one of which a command has just begun, or ended. */
  | Cancel
  /** The next delivery's connection is cut there. */
  | { readonly kind: 'cut'; readonly where: Cut }
)

export interface Cancel {
  readonly kind: 'cancel'
  readonly whom: 'waiting' | 'running' | 'ending'
  readonly by: 'socket' | 'command'
}

/** `instead of the server`: what stands in front of it answers 503. */
export type Cut = 'in the body' | 'before the answer' | 'in the answer' | 'instead of the server'

/** What goes wrong at GitHub or Slack, for so many of the requests that are meant. */
export interface Fault {
  readonly at: 'github' | 'slack'
  readonly path: RegExp
  readonly times: number
  readonly what: FaultKind
}

/** How one life of the server ends, and when. */
export interface Ending {
  readonly how: 'kill' | 'term' | 'term, then int' | 'term, then kill'
  readonly at: Moment
}

/** A moment in a life; when it does not come soon, that is the moment. */
export type Moment =
  | { readonly kind: 'time'; readonly ms: number }
  /** A delivery is in the server's hands, or its answer begins; the count-th of this life. */
  | { readonly kind: 'delivered' | 'answering'; readonly count: number }
  /** The server's log says so. */
  | { readonly kind: 'event'; readonly event: string; readonly count: number }
  /** A command has begun, or ended. */
  | { readonly kind: 'start' | 'end'; readonly count: number }
  /** A request to GitHub has arrived, or was done and is not answered yet. */
  | { readonly kind: 'asked' | 'done'; readonly path: RegExp; readonly afterMs: number }
  /** The disk is asked for the count-th time: by strace what is synced is counted, by the shim whatever is changed. */
  | { readonly kind: 'disk'; readonly count: number }

/** How often the disk is asked in a life, at most, that does all the work, or that a start ends; undefined: nobody counts. */
export type DiskCounts = { readonly first: number; readonly later: number } | undefined

type Branches = readonly [Branch, ...Branch[]]

export const STATUSES = /\/deployments\/\d+\/statuses$/
const DEPLOYMENTS = /\/deployments$/
const ANYTHING = /./

/** The others wait for TERM or KILL, which takes 5 or 15 s. */
const QUICK_TO_INTERRUPT = ['main', 'slow', 'fails', 'holds', 'loud'] as const

/** Decides everything about one cycle. Pure: the same chance makes the same plan. */
export function planCycle(chance: Chance, disk: DiskCounts): Plan {
  const first = ending(chance, disk)
  const branches = first.how === 'term, then int' ? QUICK_TO_INTERRUPT : BRANCHES
  const isToldToSlack = chance.happens(0.3)
  const faults = chance.happens(0.6) ? planFaults(chance, first.how === 'kill') : []
  const faultsAtLast = chance.happens(0.5)
    ? [planFaultAtLast(chance, isToldToSlack, !needs('another token', faults))]
    : []
  return {
    isToldToSlack,
    burst: planBurst(chance, branches, isToldToSlack ? [2, 5] : [6, 14]),
    faults,
    endings: [first, ...laterEndings(chance, disk)],
    cancelsAtLast: chance.happens(0.25) ? [planCancel(chance)] : [],
    faultsAtLast,
    word: chance.pick(['SIGHUP', 'outbox send']),
    leavesLost: faultsAtLast.length === 0 && chance.happens(0.7), // it looks every five minutes, and once at the start
  }
}

function planBurst(chance: Chance, branches: Branches, [least, most]: readonly [number, number]): Act[] {
  const acts: Act[] = []
  for (let left = chance.integer(least, most); left > 0; left -= 1) {
    const afterMs = chance.happens(0.5) ? 0 : chance.integer(1, 60)
    if (chance.happens(0.2))
      acts.push({
        afterMs,
        kind: 'cut',
        where: chance.pick(['in the body', 'before the answer', 'in the answer', 'instead of the server']),
      })
    acts.push(act(chance, branches, afterMs))
    if (chance.happens(0.15)) acts.push({ afterMs: chance.integer(0, 60), ...planCancel(chance) })
  }
  return acts
}

const planCancel = (chance: Chance): Cancel => ({
  kind: 'cancel',
  whom: chance.pick(['waiting', 'running', 'running', 'ending']),
  by: chance.pick(['socket', 'socket', 'socket', 'command']),
})

function act(chance: Chance, branches: Branches, afterMs: number): Act {
  const kind = chance.pick([
    'deploy',
    'deploy',
    'deploy',
    'deploy',
    'push',
    'push',
    'merge',
    'merge',
    'other',
  ])
  if (kind === 'push') return { afterMs, kind, repository: 'acme/web' }
  if (kind === 'merge')
    return { afterMs, kind, repository: chance.pick(['acme/shop', 'acme/api', 'acme/site']) }
  if (kind === 'other')
    return { afterMs, kind: chance.pick(['check', 'ping', 'forgery']), repository: chance.pick(REPOSITORIES) }
  return {
    afterMs,
    kind,
    environment: chance.pick(ENVIRONMENTS),
    branch: chance.pick(branches),
    again: chance.pick([undefined, undefined, undefined, 'redelivered', 'replayed']),
  }
}

function planFaults(chance: Chance, isKilled: boolean): Fault[] {
  return Array.from({ length: chance.integer(1, 3) }, (): Fault => {
    const at = chance.pick(['github', 'github', 'github', 'slack'])
    const what = chance.happens(0.7)
      ? oneOf(chance, PASSING)
      : oneOf(chance, at === 'slack' ? refusedAt(at) : [...barredAt(at), ...refusedAt(at), ...LASTING_LIMITS])
    return {
      at,
      path: chance.pick([STATUSES, STATUSES, DEPLOYMENTS, ANYTHING]),
      times: chance.integer(1, 2),
      what: what === 'hang' && !isKilled ? 'slow' : what, // a stop would wait for it
    }
  })
}

/** One where the server tries again soon; or more until somebody mends it and says so. */
function planFaultAtLast(chance: Chance, isToldToSlack: boolean, mayRefuse: boolean): Fault {
  const at = isToldToSlack ? chance.pick(['github', 'slack']) : 'github'
  if (mayRefuse && chance.happens(0.6))
    return {
      at,
      path: STATUSES,
      times: chance.integer(1, 12),
      what: oneOf(chance, chance.happens(0.5) ? barredAt(at) : refusedAt(at)),
    }
  const passing = PASSING.filter((what) => what !== 'hang')
  return { at, path: STATUSES, times: 1, what: oneOf(chance, passing) }
}

const oneOf = (chance: Chance, kinds: readonly FaultKind[]): FaultKind =>
  kinds[chance.integer(0, kinds.length - 1)] ?? 'error 500'

function ending(chance: Chance, disk: DiskCounts): Ending {
  const how = chance.pick([
    'kill',
    'kill',
    'kill',
    'kill',
    'kill',
    'term',
    'term, then int',
    'term, then kill',
  ])
  return { how, at: moment(chance, disk) }
}

function moment(chance: Chance, disk: DiskCounts): Moment {
  const kind = chance.pick([
    'time',
    'delivered',
    'answering',
    'event',
    'start',
    'end',
    'asked',
    'done',
    'disk',
    'disk',
  ])
  switch (kind) {
    case 'disk':
      return disk
        ? { kind, count: chance.integer(1, disk.first) }
        : { kind: 'time', ms: chance.integer(0, 700) }
    case 'time':
      return { kind, ms: chance.integer(0, 700) }
    case 'event':
      return {
        kind,
        event: chance.pick([
          'delivery:queued',
          'delivery:deciding',
          'deployment:claimed',
          'deployment:ended',
          'deployment:released',
          'report:delivered',
        ]),
        count: chance.integer(1, 3),
      }
    case 'asked':
    case 'done':
      return { kind, path: chance.pick([STATUSES, DEPLOYMENTS]), afterMs: chance.integer(0, 300) }
    default:
      return { kind, count: chance.integer(1, kind === 'start' || kind === 'end' ? 5 : 10) }
  }
}

/** A kill during the recovery of a kill, and perhaps another. */
function laterEndings(chance: Chance, disk: DiskCounts): Ending[] {
  const count = chance.pick([0, 0, 0, 1, 1, 2])
  return Array.from({ length: count }, () => ({
    how: chance.happens(0.85) ? 'kill' : 'term',
    at: chance.pick<() => Moment>([
      () => ({ kind: 'time', ms: chance.integer(0, 500) }),
      () => ({
        kind: 'event',
        event: chance.pick(['server:listening', 'deployment:interrupted', 'deployment:claimed']),
        count: 1,
      }),
      () => ({ kind: 'asked', path: STATUSES, afterMs: 0 }),
      () =>
        disk
          ? { kind: 'disk', count: chance.integer(1, disk.later) }
          : { kind: 'time', ms: chance.integer(150, 400) },
    ])(),
  }))
}
