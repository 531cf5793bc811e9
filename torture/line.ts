import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

import type { Cut } from './plan.ts'

type Progress = 'delivered' | 'answering'

/** The line from GitHub to the server: it can be cut, and it tells how far a delivery has come. */
export interface Line {
  readonly port: number
  /** The next delivery's connection is cut there. */
  cutNext(where: Cut): void
  /**
   * A delivery is in the server's hands, or its answer begins and GitHub has nothing of it yet: it will not have
   * it where the listener says so.
   */
  onProgress(listener: (progress: Progress) => boolean): () => void
  close(): Promise<void>
}

/** Opens a line to a port of loopback, where the server may be or not. Every connection carries one delivery. */
export async function openLine(to: number): Promise<Line> {
  const cuts: Cut[] = []
  const listeners = new Set<(progress: Progress) => boolean>()
  const open = new Set<Socket>()
  const tell = (progress: Progress): boolean =>
    [...listeners].map((listener) => listener(progress)).includes(true)
  const server = createServer((from) => {
    const cut = cuts.shift()
    if (cut === 'instead of the server') return turnAway(from)
    const there = connect(to, '127.0.0.1')
    for (const socket of [from, there]) open.add(socket.on('error', () => {}))
    carry(from, there, cut, tell)
    const end = (): void => {
      for (const socket of [from, there]) open.delete(socket.destroy())
    }
    from.once('close', end)
    there.once('close', () => from.end(end))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    cutNext: (where) => void cuts.push(where),
    onProgress(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}

/** Answers as what stands in front of a server does that is not there. */
function turnAway(from: Socket): void {
  let request = Buffer.alloc(0)
  from
    .on('error', () => {})
    .on('data', (chunk: Buffer) => {
      request = Buffer.concat([request, chunk])
      if (request.length >= lengthOf(request))
        from.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n')
    })
}

/** Hands the request on and the answer back, as far as the cut lets it. */
function carry(
  from: Socket,
  there: Socket,
  cut: Cut | undefined,
  tell: (progress: Progress) => boolean,
): void {
  let request = Buffer.alloc(0)
  let isDelivered = false
  from.on('data', (chunk: Buffer) => {
    request = Buffer.concat([request, chunk])
    const whole = lengthOf(request)
    if (cut === 'in the body' && request.length > whole / 2) {
      there.end(chunk.subarray(0, Math.floor(chunk.length / 2)), () => from.resetAndDestroy())
      return
    }
    there.write(chunk, () => {
      if (isDelivered || request.length < whole) return
      isDelivered = true
      tell('delivered')
      if (cut === 'before the answer') from.resetAndDestroy()
    })
  })
  there.once('data', () => {
    if (tell('answering')) from.resetAndDestroy()
  })
  there.on('data', (chunk: Buffer) => {
    if (from.destroyed) return
    if (cut === 'in the answer') from.write(chunk.subarray(0, 20), () => from.resetAndDestroy())
    else from.write(chunk)
  })
}

/** How long the request will be, by its head; infinite until that is there. */
function lengthOf(request: Buffer): number {
  const end = request.indexOf('\r\n\r\n')
  if (end < 0) return Infinity
  const length = /^content-length: (\d+)\r?$/im.exec(request.subarray(0, end).toString('latin1'))?.[1]
  return end + 4 + Number(length ?? 0)
}
