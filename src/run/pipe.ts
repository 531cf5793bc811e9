import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'

import { chunkRoom } from '../logs/chunk-memory.ts'

/** The end of a pipe that is read. */
export interface Pipe {
  /**
   * Reads to the end, no faster than the chunks are taken; rejects as `take` does, and then reads no more. The next
   * chunk stands where the one before stood. Once.
   */
  pour(take: (chunk: Buffer) => Taking): Promise<void>
  /** Reads no more, and lets go of the pipe: whoever pours has all there is. */
  destroy(): void
}

/** What is done with a chunk; undefined where it is done already. */
export type Taking = Promise<void> | undefined

/** A flood that is taken at once holds up all else no longer than this. */
const MOST_IN_A_ROW = 8

/** Opens a named pipe to read from it, which waits for nobody. */
export function openPipe(path: string): Pipe {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  let isOpen = true
  let socket: Socket | undefined
  return {
    pour: (take) =>
      new Promise((resolve, reject) => {
        if (!isOpen) return resolve()
        const buffer = chunkRoom() // one for all chunks, and all pipes: each is taken before another is read
        let inARow = 0
        const goOn = (): void => {
          inARow = 0
          socket?.resume()
        }
        /** Whether to read on at once: to stop and to begin again takes longer than to read. */
        const takeNow = (chunk: Buffer): boolean => {
          try {
            const taking = take(chunk)
            if (taking === undefined && ++inARow < MOST_IN_A_ROW) return true
            if (taking === undefined) setImmediate(goOn)
            else taking.then(goOn, reject)
          } catch (cause) {
            reject(cause)
          }
          return false
        }
        const onread = { buffer, callback: (size: number) => takeNow(buffer.subarray(0, size)) }
        socket = new Socket({ fd, readable: true, writable: false, onread })
        socket.on('error', () => {}) // then it closes
        socket.on('close', () => resolve())
        socket.resume()
      }),
    destroy() {
      if (socket !== undefined) socket.destroy()
      else if (isOpen) closeSync(fd)
      isOpen = false
    },
  }
}
