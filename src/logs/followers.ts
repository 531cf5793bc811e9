/** Those who read a log while it is written. */
export interface Followers {
  /** There is more to read: at once for few, and the longer after the last time the more there are. */
  tell(): void
  /** Nothing more will come. */
  tellAll(): void
  /** Resolves when there is more to read, or the signal is aborted. */
  more(signal: AbortSignal): Promise<void>
}

/** A thousand followers are woken ten times a second, ten of them a thousand times. */
const REST_MS_EACH = 0.1

export function createFollowers(): Followers {
  let waiting = new Set<() => void>()
  let restUntil = 0
  let timer: NodeJS.Timeout | undefined

  const tellAll = (): void => {
    clearTimeout(timer)
    timer = undefined
    const all = waiting
    waiting = new Set()
    restUntil = performance.now() + all.size * REST_MS_EACH
    for (const wake of all) wake()
  }
  return {
    tellAll,
    tell() {
      const rest = restUntil - performance.now()
      if (rest <= 0) tellAll()
      else timer ??= setTimeout(tellAll, rest)
    },
    more: (signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve()
        const wake = (): void => {
          waiting.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        waiting.add(wake)
        signal.addEventListener('abort', wake)
      }),
  }
}
