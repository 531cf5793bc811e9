import { messageOf } from '../errors.ts'
import { createWaker } from '../waker.ts'

export interface Watch {
  /** Look now: what is watched may have changed. */
  wake(): void
  /** Looks no more; resolves when the look that is under way is over. */
  stop(): Promise<void>
}

/** Looks at something now, when told to, and again each time so long has passed; `failed` hears why a look did. */
export function startWatch(
  eachMs: number,
  look: () => Promise<void>,
  failed: (error: string) => void,
): Watch {
  const waker = createWaker(() => look().catch((thrown: unknown) => failed(messageOf(thrown))))
  const timer = setInterval(waker.wake, eachMs)
  waker.wake()
  return {
    wake: waker.wake,
    async stop() {
      clearInterval(timer)
      waker.stop()
      await waker.looking
    },
  }
}
