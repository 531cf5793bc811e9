/** How many milliseconds ago a thing began. */
export type Elapsed = (thing: string, beganAt: number) => number

const MOST_THINGS = 10_000

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
    const [oldest] = known.keys()
    if (known.size > MOST_THINGS && oldest !== undefined) known.delete(oldest)
    return first.ms + now - first.at
  }
}
