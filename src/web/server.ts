import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'

import { FerrymanError, messageOf, problem } from '../errors.ts'
import type { Journal } from '../logs/journal.ts'
import { isUnanswered } from '../store/unanswered.ts'
import { createClientErrors, LIMITS, type Limits } from './client-errors.ts'

export interface ServerParts {
  readonly journal: Journal
  /** Somebody sent what is no request, or not in time: counted, never kept. */
  refused(cause: FerrymanError): void
  readonly limits?: Limits
}

/** Routes read what they are sent with Zod. Fastify would otherwise load its own compilers of schemas at every start. */
const refuseSchema = (): never => {
  throw new Error('A route has a JSON Schema for Fastify')
}

/**
 * The HTTP server without its routes: limits, headers, and one shape for every error,
 * `{error, message, hint}`, with the codes of errors.ts.
 */
export function createServer({ journal, refused, limits = LIMITS }: ServerParts): FastifyInstance {
  const clientErrors = createClientErrors(limits, refused)
  const refuse = (thrown: unknown, reply: FastifyReply): void => {
    const known = problemIn(thrown)
    const status = known?.status ?? statusOf(thrown)
    if (status >= 500 && known !== thrown) journal.error('request:broken', { error: thrown })
    // What is left unread of a refused body would otherwise be read to its end.
    if (status >= 400) void reply.header('connection', 'close')
    void reply.code(status).send({
      error: known?.code ?? (status >= 500 ? 'internal_error' : 'bad_request'),
      message: known?.message ?? (status >= 500 ? 'Ferryman failed; its log says why.' : messageOf(thrown)),
      ...(known === undefined ? {} : { hint: known.hint }),
    })
  }
  const server = fastify({
    logger: false,
    requestTimeout: limits.requestMs,
    http: {
      headersTimeout: limits.headersMs,
      connectionsCheckingInterval: limits.lookMs,
      maxHeaderSize: limits.headerBytes,
    },
    clientErrorHandler: clientErrors.answer,
    // An address that cannot be read, or holds a part that is too long.
    frameworkErrors: (_error, request, reply) => refuse(nothingAt(request), reply as FastifyReply),
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 100 },
    schemaController: { compilersFactory: { buildValidator: refuseSchema, buildSerializer: refuseSchema } },
  })
  server.server.maxConnections = limits.connections
  server.server.on('drop', () =>
    refused(problem('too_many_connections', { most: String(limits.connections) })),
  )
  server.addHook('onRequest', ({ raw }, _reply, done) => {
    clientErrors.begin(raw.socket)
    done()
  })
  server.addHook('onResponse', ({ raw }, _reply, done) => {
    clientErrors.end(raw.socket)
    done()
  })
  server.addHook('onSend', (_request, reply, _payload, done) => {
    void reply.header('x-content-type-options', 'nosniff')
    void reply.header('content-security-policy', "default-src 'none'")
    done()
  })
  server.setNotFoundHandler((request) => {
    throw nothingAt(request)
  })
  server.setErrorHandler((thrown, _request, reply) => refuse(thrown, reply))
  return server
}

/** Says what an address answers to that is only read, before anything of the request is looked at. */
export function onlyRead(server: FastifyInstance, url: string): void {
  server.route({
    method: ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url,
    onRequest({ method }, reply) {
      void reply.header('allow', 'GET, HEAD')
      throw problem('method_not_allowed', { method, allowed: 'GET' })
    },
    handler() {},
  })
}

/** What a person can be told of it; undefined where that is nothing but that it went wrong. */
function problemIn(thrown: unknown): FerrymanError | undefined {
  if (thrown instanceof FerrymanError) return thrown
  return isUnanswered(thrown) ? problem('database_away', {}, thrown) : undefined
}

const nothingAt = ({ url }: Pick<FastifyRequest, 'url'>): FerrymanError =>
  problem('path_unknown', { path: url.split('?')[0]?.slice(0, 200) ?? '' })

const statusOf = (thrown: unknown): number => {
  const status: unknown =
    typeof thrown === 'object' && thrown !== null ? Reflect.get(thrown, 'statusCode') : undefined
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500
}

/** Listens; throws `address_in_use` or `address_unusable`. Answers the port, which matters where 0 was asked for. */
export async function listen(server: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await server.listen({ host, port })
  } catch (cause) {
    const address = `${host}:${port}`
    const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : undefined
    if (code === 'EADDRINUSE') throw problem('address_in_use', { address }, cause)
    throw problem('address_unusable', { address, cause: messageOf(cause) }, cause)
  }
}

/** Somebody who reads slowly holds a stop up for no longer than this. */
const READERS_MS = 2_000

/** Ends the server, after two seconds also for those who are still reading. */
export async function closeServer(server: FastifyInstance): Promise<void> {
  const impatient = setTimeout(() => server.server.closeAllConnections(), READERS_MS)
  await server.close()
  clearTimeout(impatient)
}
