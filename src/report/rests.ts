/** Why something is left alone, and until when. */
export interface Resting {
  readonly until: number
  readonly why: string
  readonly isLimit: boolean
}

/** What rests with one recipient: repositories by their name, or all that it takes as `EVERYTHING`. */
export interface Rests {
  failed(whose: string, rest: Resting): void
  /** Something was delivered: whoever that shows to work is not suspected any more. */
  worked(repository: string, now: number): void
  /** How often it failed since it worked last. */
  failures(whose: string): number
  /** Undefined where it does not rest. */
  resting(whose: string, now: number): Resting | undefined
  /** What has failed and not worked since, whether it rests or not. */
  suspects(): readonly string[]
  /** Somebody may have mended it. A limit stays what it is, unless it was another's. */
  clear(given: { readonly limitsToo: boolean }): void
  /** The clock was set by so much. */
  shift(ms: number): void
}

/** No repository is called that. */
export const EVERYTHING = '*'

/** Nothing rests at first. */
function createRests(): Rests {
  const rests = new Map<string, Resting & { readonly failures: number }>()
  const failures = (whose: string): number => rests.get(whose)?.failures ?? 0
  return {
    failed(whose, rest) {
      const earlier = rests.get(whose)
      const until =
        earlier?.isLimit === true && !rest.isLimit ? Math.max(earlier.until, rest.until) : rest.until
      rests.set(whose, { ...rest, until, failures: failures(whose) + 1 })
    },
    worked(repository, now) {
      rests.delete(repository)
      const whole = rests.get(EVERYTHING)
      // An answer to what was sent before the limit says nothing about it.
      if (whole !== undefined && !(whole.isLimit && whole.until > now)) rests.delete(EVERYTHING)
    },
    failures,
    resting(whose, now) {
      const rest = rests.get(whose)
      return rest === undefined || rest.until <= now ? undefined : rest
    },
    suspects: () => [...rests.keys()].filter((whose) => whose !== EVERYTHING),
    clear({ limitsToo }) {
      for (const [whose, { isLimit }] of rests) if (limitsToo || !isLimit) rests.delete(whose)
    },
    shift(ms) {
      for (const [whose, rest] of rests) rests.set(whose, { ...rest, until: rest.until + ms })
    },
  }
}

/** What rests with each recipient, by its name. */
export interface AllRests {
  of(recipient: string): Rests
  all(): readonly (readonly [string, Rests])[]
}

/** With nobody anything rests at first. */
export function createAllRests(): AllRests {
  const rests = new Map<string, Rests>()
  return {
    of(recipient) {
      const mine = rests.get(recipient) ?? createRests()
      rests.set(recipient, mine)
      return mine
    },
    all: () => [...rests],
  }
}
