import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'

/** The output of one command on its way into the log. */
export interface Output {
  /** Resolves with the reason when the log takes no more; nothing is read from then on. */
  readonly broken: Promise<unknown>
  /**
   * Resolves when all that an ended process has written is read: at the end of the pipe, or where somebody else
   * still holds it open, when nothing came for `quietMs`, or after `drainMs` of waiting.
   */
  drain(limits: { readonly quietMs: number; readonly drainMs: number }): Promise<void>
  /** Reads no more. */
  close(): void
}

// A pipe and our own buffer hold less: what comes after that was written by somebody who is still there.
const MOST_LEFT_BYTES = 2 * 1024 * 1024
const LOOK_MS = 20

/** Moves what a command writes into the log, no faster than the log takes it. */
export function follow(source: Readable, write: (chunk: Buffer) => Promise<void>): Output {
  let bytes = 0
  let isWriting = false
  let isDone = false
  let broke: (reason: unknown) => void = () => {}
  const broken = new Promise<unknown>((resolve) => {
    broke = resolve
  })
  const closed = Promise.withResolvers<void>()
  const move = async (): Promise<void> => {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      isWriting = true
      bytes += chunk.length
      const failure = await write(chunk).then(
        () => undefined,
        (reason: unknown) => ({ reason }),
      )
      isWriting = false
      if (failure === undefined) continue
      isDone = true
      broke(failure.reason)
      // A pipe that nobody holds would end one program of a script, and let the script go on.
      await closed.promise
      return
    }
  }
  const moveAll = async (): Promise<void> => {
    await move().catch(() => {}) // the source was destroyed, by us
    isDone = true
  }
  const done = moveAll()
  return {
    broken,
    close() {
      closed.resolve()
      source.destroy()
    },
    async drain({ quietMs, drainMs }) {
      const enough = bytes + MOST_LEFT_BYTES
      const isOver = (): boolean => isDone || bytes >= enough
      // Time is counted in looks, since the clock also runs while the log is slow or the server is busy.
      let waited = 0
      let quiet = 0
      while (!isOver() && waited < drainMs && quiet < quietMs) {
        const before = bytes
        await Promise.race([done, pause(LOOK_MS)])
        if (isWriting) continue
        waited += LOOK_MS
        quiet = bytes === before ? quiet + LOOK_MS : 0
      }
    },
  }
}
