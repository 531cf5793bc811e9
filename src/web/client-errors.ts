import type { Socket } from 'node:net'

import { problem, type FerrymanError } from '../errors.ts'

/** What one client may take of the server's time and memory. */
export interface Limits {
  /** For all headers, from the opening of the connection. */
  readonly headersMs: number
  /** For the whole request. */
  readonly requestMs: number
  /** How often it is looked who is too slow. */
  readonly lookMs: number
  readonly headerBytes: number
  /** At the same time; more are closed at once. */
  readonly connections: number
}

/** GitHub itself gives a delivery up after 10 s, on Enterprise Server after 30 s. */
export const LIMITS: Limits = {
  headersMs: 10_000,
  requestMs: 30_000,
  lookMs: 2_000,
  headerBytes: 16_384,
  connections: 4_000,
}

/** What Node's HTTP server says of a client: the code of the error, or of its parser. */
type ClientError = Error & { readonly code?: string }

/**
 * Answers what never became a request, or broke off within one, in the shape of all other errors, and ends the
 * connection. Whoever is reading a body finds the reason in `socket.errored`.
 */
export function createClientErrors(
  { headersMs, requestMs, headerBytes }: Limits,
  refused: (cause: FerrymanError) => void,
) {
  const reading = new WeakSet<Socket>()

  const reasonOf = ({ code = '', message }: ClientError): FerrymanError => {
    if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
      return problem('request_too_slow', { headers: seconds(headersMs), whole: seconds(requestMs) })
    if (code === 'HPE_HEADER_OVERFLOW') return problem('headers_too_large', { most: String(headerBytes) })
    if (code === 'HPE_INVALID_EOF_STATE') return problem('request_cut_off', {})
    return problem('request_malformed', { cause: message.replace('Parse Error: ', '') })
  }
  return {
    /** A request has come: its route answers for it, and counts what becomes of it. */
    begin: (socket: Socket): void => void reading.add(socket),
    end: (socket: Socket): void => void reading.delete(socket),
    answer(error: ClientError, socket: Socket): void {
      // Gone without a word, as those do who have been idle.
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return void socket.destroy()
      const reason = reasonOf(error)
      if (!reading.has(socket)) refused(reason)
      if (socket.writable && !hasBegunToAnswer(socket)) socket.write(rawAnswer(reason))
      socket.destroy(reason)
    },
  }
}

const seconds = (milliseconds: number): string => String(milliseconds / 1_000)

/** Node knows the response under way by this name only: its own answer to a broken request looks there too. */
const hasBegunToAnswer = (socket: Socket): boolean =>
  Reflect.get(Object(Reflect.get(socket, '_httpMessage')), 'headersSent') === true

function rawAnswer({ code, status, message, hint }: FerrymanError): string {
  const body = JSON.stringify({ error: code, message, hint })
  return [
    `HTTP/1.1 ${status} ${REASON[status] ?? 'Bad Request'}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    '',
    body,
  ].join('\r\n')
}

const REASON: Readonly<Record<number, string>> = {
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}
