export interface PatientClockParts {
  readonly clock: () => number
  /** Milliseconds by a clock that nobody sets. */
  readonly steady: () => number
  /** What it said last in an earlier life of the server; undefined when there was none. */
  readonly earlier: number | undefined
}

export interface PatientClock {
  /** What time it may be taken to be. */
  now(): number
  /** How far it has ever come: to be noted for the next life of the server. */
  furthest(): number
}

/**
 * The time by which things grow old. It is never ahead of the clock, and goes on no more than twice as fast as time
 * really passes: while a clock is wrong by years, hardly anything grows too old, and what the server was away for is
 * caught up on in the same time.
 */
export function createPatientClock({ clock, steady, earlier }: PatientClockParts): PatientClock {
  let furthest = earlier ?? clock()
  let lookedAt = steady()
  const goOn = (): void => {
    const passed = steady() - lookedAt
    lookedAt += passed
    furthest = Math.max(furthest, Math.min(clock(), furthest + 2 * passed))
  }
  return {
    now() {
      goOn()
      return Math.min(furthest, clock())
    },
    furthest: () => furthest,
  }
}
