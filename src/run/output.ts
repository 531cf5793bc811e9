import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'

/** The output of one command on its way into the log. */
export interface Output {
  /** The log took no more; nothing is read from then on. Never resolves while all is well. */
  readonly broken: Promise<unknown>
  /**
   * Resolves when everything that a process which is gone may have written has been read: at the end of the
   * pipe, or after so long without anything to read, where somebody else still holds it open.
   */
  drain(quietMs: number): Promise<void>
  /** Reads no more. */
  close(): void
}

// What an ended process has left in the pipe is less than this (the kernel's greatest pipe and our buffer), so
// whatever comes after it, or after so long a wait, was written by somebody else.
const MOST_LEFT_BYTES = 2 * 1024 * 1024
const MOST_WAIT_MS = 2_000

/** Moves what the command writes into the log, no faster than the log takes it. */
export function follow(source: Readable, write: (chunk: Buffer) => Promise<void>): Output {
  let bytes = 0
  let waitingSince: number | undefined = performance.now()
  let isDone = false
  let breakDown: (problem: unknown) => void = () => {}
  const broken = new Promise<unknown>((resolve) => (breakDown = resolve))

  const move = async (): Promise<void> => {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      waitingSince = undefined
      bytes += chunk.length
      await write(chunk).catch(breakDown)
      waitingSince = performance.now()
    }
  }
  // A source that is destroyed, by us or by an error, has nothing more to say.
  const done = move()
    .catch(() => {})
    .then(() => (isDone = true))
  return {
    broken,
    close: () => source.destroy(),
    async drain(quietMs) {
      const enough = bytes + MOST_LEFT_BYTES
      let waited = 0
      while (!isDone && bytes < enough && waited < MOST_WAIT_MS) {
        const before = waitingSince
        await Promise.race([done, pause(LOOK_MS)])
        if (before === undefined || waitingSince === undefined) continue
        waited += LOOK_MS
        if (performance.now() - waitingSince >= quietMs) return
      }
    },
  }
}

const LOOK_MS = 20
