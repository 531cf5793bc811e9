import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A small HTTP server that only this machine can reach. */
export interface Loopback {
  /** `http://127.0.0.1:41234`, without a slash at the end. */
  readonly origin: string
  /** Ends every connection at once. */
  readonly close: () => Promise<void>
}

/** Listens on 127.0.0.1; port 0 takes a free one. What `answer` throws ends the connection and is thrown by `close`. */
export async function listenOnLoopback(
  port: number,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<Loopback> {
  const failures: unknown[] = []
  const server = createServer((request, response) => {
    answer(request, response).catch((thrown: unknown) => {
      if (isClosing || request.destroyed) return // the other side went away in the middle
      failures.push(thrown)
      request.destroy()
    })
  })
  let isClosing = false
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      if (isClosing) return
      isClosing = true
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
      if (failures.length > 0) throw new AggregateError(failures, 'A double failed while it answered.')
    },
  }
}

/** The whole body as bytes. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
