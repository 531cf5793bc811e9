/** Of these kinds, or of all: no more than `most` within any `ms`, or `most` at once and one more every `eachMs`. */
export type Limit<Kind extends string> = { readonly most: number; readonly of?: readonly Kind[] } & (
  | { readonly ms: number }
  | { readonly eachMs: number }
)

/** How often the other side may be asked for something, kind by kind out of one budget. */
export interface Pace<Kind extends string> {
  /** How many of the kind may begin now. */
  room(kind: Kind, now: number): number
  /** How long one has to wait; 0: it may begin now. */
  waitMs(kind: Kind, now: number): number
  begin(kind: Kind, now: number): Turn
  /** What was done before: the budget does not begin anew with us. */
  resume(kind: Kind, moments: readonly number[]): void
}

export interface Turn {
  end(now: number): void
  /** It came to nothing, and the other side knows that. */
  takeBack(): void
}

/**
 * A pace by these limits, all of which must hold for a kind. Pure: time is given with every question.
 * A clock that is set back makes nobody wait for as long.
 */
export function createPace<Kind extends string>(
  limits: Readonly<Record<Kind, readonly Limit<Kind>[]>>,
): Pace<Kind> {
  const distinct = new Set(Object.values<readonly Limit<Kind>[]>(limits).flat())
  const counters = new Map(
    [...distinct].map((limit) => [limit, 'ms' in limit ? createWindow(limit) : createBucket(limit)]),
  )
  const of = (kind: Kind): Counter[] => limits[kind].flatMap((limit) => counters.get(limit) ?? [])
  const begin = (kind: Kind, now: number): Turn => {
    const turns = [...counters]
      .filter(([limit]) => limit.of?.includes(kind) ?? true)
      .map(([, counter]) => counter.begin(now))
    return {
      end: (at) => turns.forEach((turn) => turn.end(at)),
      takeBack: () => turns.forEach((turn) => turn.takeBack()),
    }
  }
  return {
    room: (kind, now) => Math.max(0, Math.min(...of(kind).map((counter) => counter.room(now)))),
    waitMs: (kind, now) => Math.max(0, ...of(kind).map((counter) => counter.waitMs(now))),
    begin,
    resume(kind, moments) {
      for (const at of moments.toSorted((one, other) => one - other)) begin(kind, at).end(at)
    },
  }
}

interface Counter {
  room(now: number): number
  waitMs(now: number): number
  begin(now: number): Turn
}

/** Nobody knows when the other side counts what is under way: it counts until the time is over after its end. */
function createWindow({ most, ms }: { readonly most: number; readonly ms: number }): Counter {
  let taken: { at: number }[] = []
  /** When each ended that counts, oldest first; what is under way ends now. */
  const counted = (now: number): readonly number[] => {
    taken = taken.filter(({ at }) => at > now - ms)
    for (const one of taken) if (one.at > now && one.at !== Infinity) one.at = now
    return taken.map(({ at }) => Math.min(at, now)).toSorted((one, other) => one - other)
  }
  return {
    room: (now) => most - counted(now).length,
    waitMs(now) {
      const moments = counted(now)
      const inTheWay = moments[moments.length - most]
      return inTheWay === undefined ? 0 : inTheWay + ms - now
    },
    begin() {
      const one = { at: Infinity }
      taken.push(one)
      return {
        end: (at) => void (one.at = at),
        takeBack: () => void (taken = taken.filter((other) => other !== one)),
      }
    },
  }
}

/** What begins falls into a bucket, out of which one flows every so often. */
function createBucket({ most, eachMs }: { readonly most: number; readonly eachMs: number }): Counter {
  let fillMs = 0
  let filledAt = -Infinity
  const flow = (now: number): void => {
    fillMs = Math.max(0, fillMs - Math.max(0, now - filledAt))
    filledAt = now
  }
  return {
    room(now) {
      flow(now)
      return Math.floor(most - fillMs / eachMs)
    },
    waitMs(now) {
      flow(now)
      return Math.max(0, fillMs - (most - 1) * eachMs)
    },
    begin(now) {
      flow(now)
      fillMs += eachMs
      return { end() {}, takeBack: () => void (fillMs = Math.max(0, fillMs - eachMs)) }
    },
  }
}
