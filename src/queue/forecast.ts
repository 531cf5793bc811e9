import type { Deployment } from '../deployment/deployment.ts'

/** Where one that waits for its turn stands. */
export interface Forecast {
  /** 1 is the next one in its lane. */
  readonly position: number
  /** When it probably begins, in milliseconds since 1970; undefined where nobody knows how long another one takes. */
  readonly startsAt: number | undefined
}

export interface ForecastFacts {
  /** What runs, and what waits for its turn alone, oldest first. */
  readonly active: readonly Deployment[]
  readonly ready: readonly Deployment[]
  readonly maxConcurrent: number
  /** How long a deployment to the same environment has taken lately; undefined where none has ended. */
  averageMs(deployment: Deployment): number | undefined
  readonly now: number
}

/** Says in which order and when what waits will begin, if everything takes as long as it did lately. Pure. */
export function forecast(facts: ForecastFacts): ReadonlyMap<number, Forecast> {
  const { active, averageMs, maxConcurrent, now } = facts
  let busy = active.map((one) => ({ lane: one.lane, endsAt: endOf(one, one.startedAt ?? now, facts) }))
  let waiting = facts.ready
  const begun = new Map<number, Forecast>()
  const positions = new Map<string, number>()
  let time: number | undefined = now
  while (waiting.length > 0) {
    const next =
      busy.length < maxConcurrent
        ? waiting.find(({ lane }) => busy.every((one) => one.lane !== lane))
        : undefined
    if (next !== undefined) {
      const position = (positions.get(next.lane) ?? 0) + 1
      positions.set(next.lane, position)
      begun.set(next.id, { position, startsAt: time })
      const lasts = averageMs(next)
      busy = [
        ...busy,
        { lane: next.lane, endsAt: time === undefined || lasts === undefined ? undefined : time + lasts },
      ]
      waiting = waiting.filter((one) => one !== next)
      continue
    }
    // The first to end makes room; of what nobody knows the end, nobody knows what comes after it.
    const [first] = busy.toSorted((one, other) => (one.endsAt ?? Infinity) - (other.endsAt ?? Infinity))
    time = first?.endsAt === undefined || time === undefined ? undefined : Math.max(time, first.endsAt)
    busy = busy.filter((one) => one !== first)
  }
  return begun
}

function endOf(one: Deployment, startedAt: number, { averageMs, now }: ForecastFacts): number | undefined {
  const lasts = averageMs(one)
  return lasts === undefined ? undefined : Math.max(now, startedAt + lasts)
}
