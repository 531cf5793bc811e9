/** How a report failed, as far as its channel can tell. */
export interface SendFailure {
  readonly message: string
  /** The HTTP status; undefined when no answer came. */
  readonly status: number | undefined
  /** When the other side says that it will listen again. */
  readonly retryAt: number | undefined
  /** The answer speaks of a limit on requests, so everything to this recipient has to rest. */
  readonly limited: boolean
  /** The other side will never take it, whatever we do. */
  readonly final: boolean
  /** What else is likely to fail in the same way. */
  readonly concerns: Scope
}

export type Scope = 'repository' | 'recipient'

/** What is left alone for a while, so that one that is broken or asks for patience is not asked again and again. */
export interface Rest {
  readonly of: Scope
  readonly until: number
  /** The other side asked for it, so not even a restart shortens it. */
  readonly isLimit: boolean
}

export type Rule =
  | { readonly settled: true; readonly rest: Rest | undefined }
  | {
      readonly settled: false
      readonly dueAt: number
      readonly rest: Rest | undefined
      /** Since when a right has been missing; undefined where it is something else. */
      readonly barredSince?: number
    }

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const WEEK = 7 * 24 * HOUR
const LONGEST_WAIT = 5 * MINUTE

export interface Circumstances {
  readonly now: number
  /** Since when it has been refused for want of a right; undefined where it was not, the last time. */
  readonly barredSince: number | undefined
  /** Attempts made, this one included. */
  readonly attempts: number
  /** What failed in a row there, this one included. */
  readonly failures: Readonly<Record<Scope, number>>
  /** 0 to 1, to spread attempts. */
  readonly random: number
}

/**
 * What becomes of a report that could not be sent. Pure. What is refused for good ends; a token without the
 * right (401, 403, and 404, behind which GitHub hides it) is tried hourly for a week; a limit is waited out; everything
 * else is tried until it works.
 */
export function ruleFor(failure: SendFailure, circumstances: Circumstances): Rule {
  const { now, barredSince = now, attempts, failures, random } = circumstances
  const { status, concerns } = failure
  if (failure.final) return { settled: true, rest: undefined }
  // Whatever it says, in an hour we ask again: GitHub's limits are no longer.
  const retryAt = Math.min(failure.retryAt ?? 0, now + HOUR)
  if (failure.limited) {
    // What the other side says counts, but never less than a moment, and longer when it says so again and again.
    const doubled = 2 ** Math.min(failures.recipient - 1, 5)
    const dueAt = Math.max(retryAt, now + (failure.retryAt === undefined ? MINUTE : 1_000) * doubled)
    return { settled: false, dueAt, rest: { of: 'recipient', until: dueAt, isLimit: true } }
  }
  if (status === 401 || status === 403 || status === 404) {
    // A token that GitHub does not know is no better for the next report; a missing right may be of one repository.
    const of = status === 401 ? 'recipient' : concerns
    const rest: Rest = { of, until: now + MINUTE, isLimit: false }
    return now - barredSince > WEEK
      ? { settled: true, rest }
      : { settled: false, dueAt: now + HOUR, rest, barredSince }
  }
  const wait = (count: number): number =>
    Math.min(1_000 * 2 ** Math.min(count - 1, 20), LONGEST_WAIT) * (0.75 + random / 2)
  const until = now + wait(failures[concerns])
  const dueAt = Math.max(retryAt, now + wait(attempts))
  return { settled: false, dueAt, rest: { of: concerns, until, isLimit: false } }
}
