import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'

/** The end of a pipe that is read. */
export interface Pipe {
  /**
   * Reads to the end, no faster than the chunks are taken; rejects as `take` does, and then reads no more. The next
   * chunk stands where the one before stood. Once.
   */
  pour(take: (chunk: Buffer) => Promise<void>): Promise<void>
  /** Reads no more, and lets go of the pipe: whoever pours has all there is. */
  destroy(): void
}

/** As much as a pipe holds. */
const CHUNK_BYTES = 65_536

/** Opens a named pipe to read from it, which waits for nobody. */
export function openPipe(path: string): Pipe {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  let isOpen = true
  let socket: Socket | undefined
  return {
    pour: (take) =>
      new Promise((resolve, reject) => {
        if (!isOpen) return resolve()
        const takeNext = async (chunk: Buffer): Promise<void> => {
          await take(chunk)
          socket?.resume()
        }
        const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES) // one for all: making them takes longer than filling them
        const onread = {
          buffer,
          callback(size: number) {
            takeNext(buffer.subarray(0, size)).catch(reject)
            return false // until it is taken
          },
        }
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
