import { createHash, timingSafeEqual } from 'node:crypto'
import { Readable } from 'node:stream'

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'

import { nameOf, type Deployment } from '../deployment/deployment.ts'
import { isFinal, type State } from '../deployment/state.ts'
import { problem } from '../errors.ts'
import type { LogLinks } from '../logs/links.ts'
import type { Logs } from '../logs/logs.ts'
import { oneLine } from '../logs/one-line.ts'
import { plainTextOf, type PlainPieces } from '../logs/plain-text.ts'
import { onlyRead } from './server.ts'

export interface LogParts {
  deployment(id: number): Promise<Deployment | undefined>
  readonly logs: Logs
  readonly links: LogLinks
  apiToken(): string | undefined
  /** Aborted when the server stops: then nobody follows any longer. */
  readonly stopping: AbortSignal
}

const Query = z.object({
  offset: z.coerce.number().int().min(-1).max(Number.MAX_SAFE_INTEGER).default(0),
  limit: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).default(Number.MAX_SAFE_INTEGER),
  colours: z.enum(['0', '1']).default('0'),
  follow: z.enum(['0', '1']).default('0'),
  expires: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
  signature: z.string().max(100).optional(),
})
type Query = z.infer<typeof Query>

const TAIL_BYTES = 64 * 1024

/**
 * `GET /deployments/:id/log`: the log as plain text, to whoever has the token or a signed link. `offset`
 * (-1: the last lines, 64 kB of them) and `limit` count stored bytes; the header `ferryman-next-offset` says where to go on.
 * It is plain text, without colours and controls, unless `colours=1` asks for the bytes as the command wrote them; `follow=1` goes on while the deployment runs.
 */
export function serveLog(server: FastifyInstance, parts: LogParts): void {
  const plainPieces: PlainPieces = new WeakMap()
  onlyRead(server, '/deployments/:id/log')
  server.get<{ Params: { id: string } }>('/deployments/:id/log', async (request, reply) => {
    const id = /^\d{1,15}$/.test(request.params.id) ? Number(request.params.id) : 0
    const query = Query.safeParse(request.query)
    if (!query.success)
      throw problem('query_wrong', { list: query.error.issues.map(({ path }) => path.join('.')).join(', ') })
    allow(id, request, query.data, parts)
    const deployment = await parts.deployment(id)
    if (deployment === undefined) throw problem('deployment_unknown', { id: request.params.id })

    const { start, end } = await rangeOf(id, query.data, parts.logs)
    void reply.headers({
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'private, no-store',
      'referrer-policy': 'no-referrer', // the address itself opens the log
      'ferryman-next-offset': end,
      'ferryman-state': deployment.state,
    })
    const isFollowed = query.data.follow === '1' && IS_WRITTEN[deployment.state]
    if (end === 0 && !isFollowed) return withoutLog(deployment)
    const signal = closing(reply, parts.stopping)
    const range = { offset: start, end: isFollowed ? Infinity : end, signal }
    // Not as objects, of which a stream would keep sixteen ready for each reader.
    const stored = pieces(id, range, parts.logs)
    const shown = query.data.colours === '1' ? stored : plainTextOf(stored, plainPieces)
    return reply.send(Readable.from(shown, { objectMode: false }))
  })
}

function allow(
  id: number,
  { headers }: FastifyRequest,
  { expires, signature }: Query,
  { links, apiToken }: LogParts,
): void {
  const token = apiToken()
  const given = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1]
  if (token !== undefined && given !== undefined && isSame(token, given)) return
  if (expires === undefined || signature === undefined) throw problem('log_access_denied', {})
  const answer = links.check(id, { expires, signature })
  if (answer === 'expired') throw problem('log_link_expired', {})
  if (answer === 'forged') throw problem('log_access_denied', {})
}

/** Compares in a time that tells nothing of the length either. */
const isSame = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other))
const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

async function rangeOf(
  id: number,
  { offset, limit }: Query,
  logs: Logs,
): Promise<{ start: number; end: number }> {
  const { size } = await logs.read(id, { offset: 0, limit: 0 })
  const start = offset === -1 ? (await logs.tail(id, TAIL_BYTES)).offset : Math.min(offset, size)
  return { start, end: Math.min(size, start + limit) }
}

/** Whether the log may still grow. */
const IS_WRITTEN = {
  queued: false,
  running: true,
  cancelling: true,
  succeeded: false,
  failed: false,
  cancelled: false,
} as const satisfies Record<State, boolean>

function withoutLog(deployment: Deployment): string {
  const { state, detail, startedAt } = deployment
  const why = isFinal(state) && startedAt !== undefined ? 'its log is no longer kept' : EMPTY[state]
  return `${nameOf(deployment)} is ${state}; ${why}.\n${detail === undefined ? '' : `${oneLine(detail)}\n`}`
}

/** Why the log of one that has not run is empty. */
const EMPTY = {
  queued: 'its log begins when it runs',
  running: 'it has written nothing yet',
  cancelling: 'it has written nothing yet',
  succeeded: 'its log is no longer kept',
  failed: 'nothing was run, so there is no log',
  cancelled: 'nothing was run, so there is no log',
} as const satisfies Record<State, string>

/** Aborted when the reader goes away, or the server. */
function closing(reply: FastifyReply, stopping: AbortSignal): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  return AbortSignal.any([gone.signal, stopping])
}

async function* pieces(id: number, range: Parameters<Logs['follow']>[1], logs: Logs): AsyncGenerator<Buffer> {
  for await (const { bytes } of logs.follow(id, range)) yield bytes
}
