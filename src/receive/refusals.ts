import type { FerrymanError } from '../errors.ts'
import type { Journal } from '../logs/journal.ts'

const QUIET_MS = 10_000

export interface RefusalCount {
  count(cause: FerrymanError): void
  stop(): void
}

/** Says in the log that deliveries were refused and why: the first at once, a flood in one line per ten seconds. */
export function createRefusalCount(journal: Journal, clock: () => number): RefusalCount {
  let counts = new Map<string, number>()
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
      counts.set(code, (counts.get(code) ?? 0) + 1)
      if (timer !== undefined) return
      const wait = lastSaid + QUIET_MS - clock()
      if (wait <= 0) say()
      else timer = setTimeout(say, wait).unref()
    },
    stop() {
      clearTimeout(timer)
      if (counts.size > 0) say()
    },
  }
}
