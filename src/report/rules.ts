/** How a report failed, as far as its channel can tell. */
export interface SendFailure {
  readonly message: string
  /** The HTTP status; undefined when no answer came. */
  readonly status: number | undefined
  /** When the other side says that it will listen again. */
  readonly retryAt: number | undefined
  /** The answer speaks of a limit on requests, so everything to this channel has to rest. */
  readonly limited: boolean
  /** The other side will never take it, whatever we do. */
  readonly final: boolean
}

export type Rule =
  | { readonly settled: true }
  | { readonly settled: false; readonly dueAt: number; readonly channelPausedUntil: number | undefined }

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const WEEK = 7 * 24 * HOUR
const LONGEST_WAIT = 5 * MINUTE

export interface Circumstances {
  readonly now: number
  readonly createdAt: number
  /** Attempts made, this one included. */
  readonly attempts: number
  /** 0 to 1, to spread attempts. */
  readonly random: number
}

/**
 * What becomes of a report that could not be sent. Pure. What is refused for good ends; a token without the
 * right is tried hourly for a week; a limit is waited out; everything else is tried until it works.
 */
export function ruleFor(failure: SendFailure, { now, createdAt, attempts, random }: Circumstances): Rule {
  if (failure.final) return { settled: true }
  if (failure.limited) {
    // What the other side says counts, but never less than a moment, and longer when it says so again and again.
    const doubled = 2 ** Math.min(attempts - 1, 5)
    const dueAt = Math.max(
      failure.retryAt ?? 0,
      now + (failure.retryAt === undefined ? MINUTE : 1_000) * doubled,
    )
    return { settled: false, dueAt, channelPausedUntil: dueAt }
  }
  if (failure.status === 401 || failure.status === 403)
    return now - createdAt > WEEK
      ? { settled: true }
      : { settled: false, dueAt: now + HOUR, channelPausedUntil: undefined }
  const wait = Math.min(1_000 * 2 ** Math.min(attempts - 1, 20), LONGEST_WAIT) * (0.75 + random / 2)
  return { settled: false, dueAt: Math.max(failure.retryAt ?? 0, now + wait), channelPausedUntil: undefined }
}
