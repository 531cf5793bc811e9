/** Something that looks for work when it is told that there may be some. */
export interface Waker {
  /** Look now, or once more if a look is under way. */
  wake(): void
  /** The looks that are under way; undefined when there are none. */
  readonly looking: Promise<void> | undefined
  /** Looks no more; what is under way ends by itself. */
  stop(): void
}

/** Makes a waker. Looks never overlap, and no wake-up is lost: one that comes during a look leads to one more. */
export function createWaker(look: () => Promise<void>): Waker {
  let isWanted = false
  let isStopped = false
  let looking: Promise<void> | undefined

  const lookUntilSeen = async (): Promise<void> => {
    while (isWanted && !isStopped) {
      isWanted = false
      await look()
    }
    looking = undefined
  }
  return {
    wake() {
      if (isStopped) return
      isWanted = true
      looking ??= lookUntilSeen()
    },
    get looking() {
      return looking
    },
    stop() {
      isStopped = true
    },
  }
}
