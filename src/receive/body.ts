import type { IncomingMessage, ServerResponse } from 'node:http'

import { problem } from '../errors.ts'

/** GitHub sends no larger delivery: 25 MB, https://docs.github.com/webhooks/webhook-events-and-payloads */
export const MOST_BODY_BYTES = 26_214_400
const MOST_IN_FLIGHT_BYTES = 64 * 1024 * 1024

/**
 * Reads bodies into memory within two limits: 25 MB for one (`body_too_large`), 64 MB for all that are not
 * yet answered (`too_busy`). What a request holds is given back when its response is closed.
 */
export function createBodyReader(): (request: IncomingMessage, response: ServerResponse) => Promise<Buffer> {
  let inFlight = 0
  return async (request, response) => {
    let held = 0
    response.once('close', () => {
      inFlight -= held
    })
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) {
      held += chunk.length
      inFlight += chunk.length
      if (held > MOST_BODY_BYTES) throw problem('body_too_large', {})
      if (inFlight > MOST_IN_FLIGHT_BYTES) throw problem('too_busy', {})
      chunks.push(chunk)
    }
    return Buffer.concat(chunks, held)
  }
}
