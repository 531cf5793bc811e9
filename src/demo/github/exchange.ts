import type { IncomingMessage, ServerResponse } from 'node:http'

import type { Answer } from './answers.ts'
import type { Incoming } from './respond.ts'

/** One request to the double and what became of it. */
export interface Exchange {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly method: string
  /** Without the root of the API and without the query. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  /** As JSON where it is JSON, else as text; undefined where there was none. */
  readonly body: unknown
  /** Undefined while it is under way, and where the client was left without one. */
  readonly answer: Answer | undefined
  /** Why the client heard nothing, where that was scripted. */
  readonly lost: 'reset' | 'hang' | undefined
  /** The answer was scripted with `fail`. */
  readonly isScripted: boolean
  /** The double has no such route. */
  readonly isUnexpected: boolean
}

/** An exchange that is still under way. */
export type Open = { -readonly [Key in keyof Exchange]: Exchange[Key] }

/** `POST /repos/acme/shop/deployments 201`, for error messages. */
export const describeExchange = ({ method, path, answer, lost }: Exchange): string =>
  `${method} ${path} ${answer?.status ?? ''} ${lost ?? ''}`.trimEnd()

/** What came in; the path is the one below the root of the API. */
export function incomingOf(request: IncomingMessage, body: Buffer, root: string): Incoming {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://double')
  return {
    method: request.method ?? 'GET',
    path: pathname.startsWith(`${root}/`) ? pathname.slice(root.length) : `/${pathname}`, // fits no route
    query: searchParams,
    headers: headersOf(request),
    body: body.toString('utf8'),
  }
}

export function openExchange(incoming: Incoming, at: number, isUnexpected: boolean): Open {
  const { method, path, query, headers, body } = incoming
  return {
    at,
    method,
    path,
    query: Object.fromEntries(query),
    headers,
    body: parsed(body),
    answer: undefined,
    lost: undefined,
    isScripted: false,
    isUnexpected,
  }
}

/** Sends an answer as GitHub does; resolves when it is out, or when the client has gone. */
export async function send(response: ServerResponse, { status, headers = {}, body }: Answer): Promise<void> {
  if (response.destroyed) return // it has been closed already, and would not be again
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, {
    server: 'github.com',
    ...(text === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }),
    ...headers,
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  response.once('close', resolve)
  response.end(text, resolve)
  await promise
}

const headersOf = ({ headers }: IncomingMessage): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]))

function parsed(body: string): unknown {
  if (body === '') return undefined
  try {
    return JSON.parse(body) as unknown
  } catch {
    return body
  }
}
