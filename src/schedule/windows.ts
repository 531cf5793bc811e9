import { around } from './cron.ts'

/** A stretch of time that comes again and again, or once. Its beginning belongs to it, its end does not. */
export type Window = RecurringWindow | SingleWindow

interface RecurringWindow {
  readonly kind: 'recurring'
  /** When it begins, by the clock of its zone. */
  readonly cron: string
  /** How long it lasts from then on: time that passes, whatever the clock shows meanwhile. */
  readonly durationSeconds: number
  /** An IANA time zone. */
  readonly zone: string
  /** What people call it. */
  readonly name: string | undefined
}

interface SingleWindow {
  readonly kind: 'single'
  /** Milliseconds since 1970, as `until`. */
  readonly from: number
  readonly until: number
  readonly zone: string
  readonly name: string | undefined
}

/** When deployments may begin: inside one of `allow` (where it is empty: always), and never inside one of `deny`. */
export interface Windows {
  readonly allow: readonly Window[]
  readonly deny: readonly Window[]
}

/** A moment at which windows begin to say something else, and the window whose beginning or end it is. */
export interface Edge {
  readonly at: number
  readonly window: Window
}

export interface Opening {
  /** The first moment at which deployments may begin; where none was found, how far was looked. */
  readonly at: number
  readonly isFound: boolean
  /** The window that begins or ends there; undefined: none does. */
  readonly window: Window | undefined
  /** The time zone by whose clock people are told of it. */
  readonly zone: string
}

/** No window is looked for further ahead. */
const FURTHEST_MS = 400 * 86_400_000
/** Nor over more edges than that: a window of one minute that comes every minute has no end. */
const MOST_EDGES = 1_500

/** The first moment from this one on at which deployments may begin. */
export function findOpening(windows: Windows, now: number): Opening {
  const { zone = 'UTC' } = windows.allow[0] ?? windows.deny[0] ?? {}
  const furthest = now + FURTHEST_MS
  let found: Opening = { at: now, isFound: false, window: undefined, zone }
  for (let edges = 0; edges < MOST_EDGES && found.at < furthest; edges += 1) {
    const obstacle = obstacleAt(windows, found.at)
    if (obstacle === 'none') return { ...found, isFound: true }
    if (obstacle === 'endless') return { at: furthest, isFound: false, window: undefined, zone }
    found = { ...obstacle, isFound: false, zone: obstacle.window.zone }
  }
  return found
}

/** Where windows are open at this moment: the first at which they no longer are; undefined: none within sight. */
export function findClosing({ allow, deny }: Windows, now: number): number | undefined {
  const furthest = now + FURTHEST_MS
  const limit = Math.min(firstStart(deny, now)?.at ?? furthest, furthest)
  let at: number | undefined = allow.length === 0 ? limit : now
  for (let edges = 0; at !== undefined && at < limit; edges += 1) {
    if (edges === MOST_EDGES) return undefined
    const end: number | undefined = lastEnd(allow, at)?.at
    if (end === undefined) return at
    at = end
  }
  return limit < furthest ? limit : undefined
}

/** Of the windows that cover this moment the one that ends last, and its end. */
export const lastEnd = (windows: readonly Window[], at: number): Edge | undefined =>
  extreme(
    windows,
    (window) => endOf(window, at),
    (end, other) => end > other,
  )

/** Of the windows that begin after this moment the one that begins first, and its beginning. */
export const firstStart = (windows: readonly Window[], after: number): Edge | undefined =>
  extreme(
    windows,
    (window) => startOf(window, after),
    (start, other) => start < other,
  )

/** What keeps deployments back at this moment, and until when. */
function obstacleAt({ allow, deny }: Windows, at: number): Edge | 'none' | 'endless' {
  const denied = lastEnd(deny, at)
  if (denied !== undefined) return denied
  if (allow.length === 0 || lastEnd(allow, at) !== undefined) return 'none'
  return firstStart(allow, at) ?? 'endless'
}

function endOf(window: Window, at: number): number | undefined {
  if (window.kind === 'single') return window.from <= at && at < window.until ? window.until : undefined
  const start = around(window, at).last
  if (start === undefined) return undefined
  const end = start + window.durationSeconds * 1000
  return at < end ? end : undefined
}

function startOf(window: Window, after: number): number | undefined {
  if (window.kind === 'single') return window.from > after ? window.from : undefined
  return around(window, after).next
}

function extreme(
  windows: readonly Window[],
  edgeOf: (window: Window) => number | undefined,
  isBetter: (at: number, other: number) => boolean,
): Edge | undefined {
  let best: Edge | undefined
  for (const window of windows) {
    const at = edgeOf(window)
    if (at !== undefined && (best === undefined || isBetter(at, best.at))) best = { at, window }
  }
  return best
}
