/** Why a run has to end before it is done; the reason of the signal. */
export interface Stop {
  readonly kind: 'timed_out' | 'silent' | 'interrupted' | 'by_person'
  readonly detail: string
}

/** A length of time that must not pass. It is counted by a clock that nobody sets. */
export interface Limit {
  /** Aborted with the reason when it has passed. */
  readonly signal: AbortSignal
  /** Counts from the beginning, now. */
  start(): void
  /** Counts no more, until the next start. */
  pause(): void
  /** Counts never again. */
  close(): void
}

/** Makes a limit; nothing is counted yet. */
export function createLimit(seconds: number, reason: Stop): Limit {
  const passed = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let isClosed = false
  const pause = (): void => {
    clearTimeout(timer)
    timer = undefined
  }
  return {
    signal: passed.signal,
    start() {
      if (timer !== undefined) timer.refresh()
      else if (!isClosed) timer = setTimeout(() => passed.abort(reason), seconds * 1000)
    },
    pause,
    close() {
      isClosed = true
      pause()
    },
  }
}
