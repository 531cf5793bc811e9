const EVERY_MS = 60_000

/**
 * For what goes wrong again and again: answers true when it is to be told, which is the first time, and then once a
 * minute as long as it goes on. `now` is in milliseconds, by a clock that nobody sets.
 */
export function createSeldom(now: () => number = () => performance.now()): () => boolean {
  let toldAt = -Infinity
  return () => {
    if (now() - toldAt < EVERY_MS) return false
    toldAt = now()
    return true
  }
}
