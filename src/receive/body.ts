import type { IncomingMessage, ServerResponse } from 'node:http'

import { FerrymanError, problem } from '../errors.ts'

/** GitHub sends no larger delivery: 25 MB, https://docs.github.com/webhooks/webhook-events-and-payloads */
export const MOST_BODY_BYTES = 26_214_400
const MOST_IN_FLIGHT_BYTES = 64 * 1024 * 1024
const LARGE_BYTES = 1024 * 1024
const SWEEP_AFTER_BYTES = 4 * 1024 * 1024

/**
 * Reads bodies into memory within two limits: 25 MB for one (`body_too_large`), 64 MB for all that are not
 * yet answered (`too_busy`). Answers the pieces as they came; what is said to be large comes as one, since to join
 * its pieces would take the same room again. What a request holds is given back when its response is closed.
 */
export function createBodyReader(): (
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<readonly Buffer[]> {
  let inFlight = 0
  return (request, response) =>
    new Promise((resolve, reject) => {
      const kept = createKeeping(Number(request.headers['content-length'] ?? 0))
      let held = 0
      response.once('close', () => {
        inFlight -= held
      })
      const refuse = (cause: Error): void => {
        request.removeListener('data', take).removeListener('end', end).pause() // the answer says why, and closes the connection
        kept.drop()
        reject(cause)
      }
      const take = (chunk: Buffer): void => {
        kept.add(chunk)
        held += chunk.length
        inFlight += chunk.length
        if (held > MOST_BODY_BYTES) refuse(problem('body_too_large', {}))
        else if (inFlight > MOST_IN_FLIGHT_BYTES) refuse(problem('too_busy', {}))
      }
      const end = (): void => resolve(kept.pieces())
      // Events: what reads a stream as an iterator costs more than the signature.
      request
        .on('data', take)
        .once('end', end)
        .once('error', (cause) => reject(whyCutOff(request, cause)))
    })
}

interface Keeping {
  add(chunk: Buffer): void
  pieces(): readonly Buffer[]
  /** Gives back at once what nobody is to have. */
  drop(): void
}

/** Keeps chunks; from where they are large, in one piece of the length that is said. */
function createKeeping(length: number): Keeping {
  let chunks: Buffer[] = []
  let whole: Buffer<ArrayBuffer> | undefined
  let size = 0
  let unswept = 0
  return {
    add(chunk) {
      size += chunk.length
      if (whole !== undefined) chunk.copy(whole, size - chunk.length)
      else chunks.push(chunk)
      if (size <= LARGE_BYTES || size > length) return
      if (whole === undefined) {
        whole = Buffer.allocUnsafeSlow(length)
        let offset = 0
        for (const one of chunks) offset += one.copy(whole, offset)
        chunks = []
      }
      unswept += chunk.length
      if (unswept < SWEEP_AFTER_BYTES) return
      globalThis.gc?.({ type: 'minor', execution: 'sync' }) // the chunks themselves
      unswept = 0
    },
    pieces: () => (whole === undefined ? chunks : [whole.subarray(0, size)]),
    drop() {
      chunks = []
      whole?.buffer.transfer(0)
    },
  }
}

/**
 * Lets what is done for large bodies happen one after the other, and has its memory given back each time: what
 * 25 MB take while they are understood is several times as much, and would else be there for each of them.
 */
export function createLargeBodyLane(): <T>(pieces: readonly Buffer[], work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (pieces, work) => {
    if (pieces.reduce((sum, { length }) => sum + length, 0) <= LARGE_BYTES) return work()
    const mine = last.then(work)
    last = mine.then(giveBack, giveBack)
    return mine
  }
}

/** bin/ferryman makes `gc` known; without it, memory is given back when V8 thinks that it is time. */
const giveBack = (): void => globalThis.gc?.()

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
