import type { IncomingMessage, ServerResponse } from 'node:http'

import { FerrymanError, problem } from '../errors.ts'

/** GitHub sends no larger delivery: 25 MB, https://docs.github.com/webhooks/webhook-events-and-payloads */
export const MOST_BODY_BYTES = 26_214_400
const MOST_IN_FLIGHT_BYTES = 64 * 1024 * 1024

/**
 * Reads bodies into memory within two limits: 25 MB for one (`body_too_large`), 64 MB for all that are not
 * yet answered (`too_busy`). Answers the pieces as they came: to join them would take the same room again. What a request holds is given back when its response is closed.
 */
export function createBodyReader(): (
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<readonly Buffer[]> {
  let inFlight = 0
  return (request, response) =>
    new Promise((resolve, reject) => {
      let held = 0
      const chunks: Buffer[] = []
      response.once('close', () => {
        inFlight -= held
      })
      const refuse = (cause: Error): void => {
        request.removeListener('data', take).pause() // the answer says why, and closes the connection
        reject(cause)
      }
      const take = (chunk: Buffer): void => {
        held += chunk.length
        inFlight += chunk.length
        chunks.push(chunk)
        if (held > MOST_BODY_BYTES) refuse(problem('body_too_large', {}))
        else if (inFlight > MOST_IN_FLIGHT_BYTES) refuse(problem('too_busy', {}))
      }
      // Events: what reads a stream as an iterator costs more than the signature.
      request
        .on('data', take)
        .once('end', () => resolve(chunks))
        .once('error', (cause) => reject(whyCutOff(request, cause)))
    })
}

/** Lets a body pass that nobody will look at, so that its sender is there for the answer. Holds no memory. */
export function passOver(request: IncomingMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    let passed = 0
    const pass = (chunk: Buffer): void => {
      passed += chunk.length
      if (passed <= MOST_BODY_BYTES) return
      request.removeListener('data', pass).pause()
      reject(problem('body_too_large', {}))
    }
    request
      .on('data', pass)
      .once('end', resolve)
      .once('error', (cause) => reject(whyCutOff(request, cause)))
  })
}

/** Whoever ended the connection left the reason there; a sender who went away left none. */
const whyCutOff = ({ socket }: IncomingMessage, cause: unknown): FerrymanError =>
  socket.errored instanceof FerrymanError ? socket.errored : problem('request_cut_off', {}, cause)
