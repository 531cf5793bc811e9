/** How many milliseconds ago a thing began. */
export type Elapsed = (thing: string, beganAt: number) => number

/** Several times as many as wait at once, where ten thousand repositories do. */
const MOST_THINGS = 50_000

/**
 * Measures how long things last. When one began is known by the clock, which people and their machines set back
 * and forth: so the clock is asked once for each thing, and from then on a clock that nobody sets counts.
 */
export function createElapsed({ clock, steady }: Record<'clock' | 'steady', () => number>): Elapsed {
  const known = new Map<string, { readonly ms: number; readonly at: number }>()
  return (thing, beganAt) => {
    const now = steady()
    const first = known.get(thing) ?? { ms: Math.max(0, clock() - beganAt), at: now }
    known.delete(thing)
    known.set(thing, first)
    if (known.size > MOST_THINGS) known.delete(known.keys().next().value ?? thing)
    return first.ms + now - first.at
  }
}
