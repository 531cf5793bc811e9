import type { FerrymanError, ProblemCode } from '../errors.ts'
import type { Journal } from '../logs/journal.ts'

const QUIET_MS = 10_000

export interface RefusalCount {
  count(cause: FerrymanError): void
  /** How many there were since the start, by code. */
  totals(): ReadonlyMap<ProblemCode, number>
  stop(): void
}

/** Says in the log that requests were refused and why: the first at once, a flood in one line per ten seconds and code. */
export function createRefusalCount(journal: Journal, clock: () => number): RefusalCount {
  const totals = new Map<ProblemCode, number>()
  let counts = new Map<ProblemCode, number>()
  let lastSaid = -Infinity
  let timer: NodeJS.Timeout | undefined

  const say = (): void => {
    timer = undefined
    lastSaid = clock()
    for (const [reason, count] of counts) journal.warn('delivery:refused', { reason, count })
    counts = new Map()
  }
  return {
    count({ code }) {
      for (const map of [totals, counts]) map.set(code, (map.get(code) ?? 0) + 1)
      if (timer !== undefined) return
      const wait = Math.min(lastSaid + QUIET_MS - clock(), QUIET_MS) // the clock may have been set back
      if (wait <= 0) say()
      else timer = setTimeout(say, wait).unref()
    },
    totals: () => totals,
    stop() {
      clearTimeout(timer)
      if (counts.size > 0) say()
    },
  }
}
