import { setTimeout as pause } from 'node:timers/promises'

import type { Pipe, Taking } from './pipe.ts'

/** The output of one command on its way into the log. */
export interface Output {
  /** Resolves with the reason when the log takes no more; nothing is read from then on. */
  readonly broken: Promise<unknown>
  /**
   * Resolves when all that an ended process has written is read: at the end of the pipe, or where somebody else
   * still holds it open, when nothing came for `quietMs`, or after `drainMs` of waiting. Answers whether more is to be
   * waited for: not at the end of the pipe.
   */
  drain(limits: { readonly quietMs: number; readonly drainMs: number }): Promise<boolean>
  /** Reads no more; answers whether somebody still holds it open, whom printing there would end from now on. */
  close(): boolean
}

// A pipe and our own buffer hold less: what comes after that was written by somebody who is still there.
const MOST_LEFT_BYTES = 2 * 1024 * 1024
const LOOK_MS = 20

/** Moves what a command writes into the log, no faster than the log takes it. */
export function follow(source: Pipe, write: (chunk: Buffer) => Taking): Output {
  let bytes = 0
  let isWriting = false
  let isDone = false
  const broken = Promise.withResolvers<unknown>()
  const take = (chunk: Buffer): Taking => {
    bytes += chunk.length
    const writing = write(chunk)
    isWriting = writing !== undefined
    return writing?.finally(() => (isWriting = false))
  }
  // A pipe that nobody holds would end one program of a script, and let the script go on: it stays open.
  const move = async (): Promise<void> => {
    await source.pour(take).catch(broken.resolve)
    isDone = true
  }
  const done = move()
  return {
    broken: broken.promise,
    close() {
      source.destroy()
      return !isDone
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
      return !isOver()
    },
  }
}
