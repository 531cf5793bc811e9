import type { IncomingMessage, ServerResponse } from 'node:http'

import { FerrymanError, problem } from '../errors.ts'

/** GitHub sends no larger delivery: 25 MB, https://docs.github.com/webhooks/webhook-events-and-payloads */
export const MOST_BODY_BYTES = 26_214_400
const MOST_IN_FLIGHT_BYTES = 64 * 1024 * 1024
const LARGE_BYTES = 1024 * 1024
/** GitHub waits for ten seconds, and the database may take some of them. */
const LONGEST_WAIT_MS = 4_000
const SWEEP_AFTER_BYTES = 4 * 1024 * 1024

/**
 * Reads bodies into memory and lets something be done with them, within two limits: 25 MB for one
 * (`body_too_large`), 64 MB for all that are not yet answered (`too_busy`). Hands over the pieces as they came; what
 * is said to be large comes as one, since to join its pieces would take the same room again.
 *
 * Large ones are handled one after the other: what 25 MB take while they are understood is several times as much,
 * and would else be there for each of them. One whose sender has gone, or has waited for long, is `too_busy`.
 */
export function createBodyReader(): <T>(
  request: IncomingMessage,
  response: ServerResponse,
  work: (pieces: readonly Buffer[]) => Promise<T>,
) => Promise<T> {
  let inFlight = 0
  let lane: Promise<unknown> = Promise.resolve()
  return async (request, response, work) => {
    const kept = createKeeping(Number(request.headers['content-length'] ?? 0))
    let isWorking = false
    let isGone = false
    const giveBack = (): void => {
      inFlight -= kept.size()
      kept.drop()
    }
    const { socket } = request
    const leave = (): void => {
      socket.removeListener('close', leave)
      if (isGone) return
      isGone = true
      if (!isWorking) giveBack()
    }
    response.once('close', leave)
    // Node 22 tells a response that waits behind others of its connection nothing of the end of that.
    if (response.socket === null) socket.setMaxListeners(0).once('close', leave)
    const use = async () => {
      isWorking = true
      try {
        return await work(kept.pieces())
      } finally {
        isWorking = false
        if (isGone) giveBack()
      }
    }
    await readInto(kept, request, (bytes) => (inFlight += bytes) > MOST_IN_FLIGHT_BYTES)
    const since = performance.now()
    const useInTime = () => {
      if (isGone || performance.now() - since > LONGEST_WAIT_MS) throw problem('too_busy', {})
      return use()
    }
    if (kept.size() <= LARGE_BYTES) return useInTime()
    const mine = lane.then(useInTime)
    lane = mine.then(sweep, sweep)
    return mine
  }
}

/** `counts`: more bytes have come; whether that is too much. */
function readInto(
  kept: Keeping,
  request: IncomingMessage,
  counts: (bytes: number) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: Error): void => {
      // The answer says why, and closes the connection.
      request.removeListener('data', take).removeListener('end', resolve).pause()
      reject(cause)
    }
    const take = (chunk: Buffer): void => {
      kept.add(chunk)
      const isTooMuch = counts(chunk.length)
      if (kept.size() > MOST_BODY_BYTES) refuse(problem('body_too_large', {}))
      else if (isTooMuch) refuse(problem('too_busy', {}))
    }
    // Events: what reads a stream as an iterator costs more than the signature.
    request
      .on('data', take)
      .once('end', resolve)
      .once('error', (cause) => reject(whyCutOff(request, cause)))
  })
}

interface Keeping {
  add(chunk: Buffer): void
  /** Bytes that have come. */
  size(): number
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
    size: () => size,
    pieces: () => (whole === undefined ? chunks : [whole.subarray(0, size)]),
    drop() {
      chunks = []
      whole?.buffer.transfer(0)
      whole = undefined
    },
  }
}

/** bin/ferryman makes `gc` known; without it, memory is given back when V8 thinks that it is time. */
const sweep = (): void => globalThis.gc?.()

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
