import { hash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

import type { FastifyInstance, FastifyReply } from 'fastify'

import { FerrymanError, problem } from '../errors.ts'
import type { NewDelivery, Verdict } from '../store/store.ts'
import { createBodyReader, MOST_BODY_BYTES, passOver } from './body.ts'
import { contentOf, isUnderstood, mediaType } from './content.ts'
import type { SignatureCheck } from './signature.ts'
import { actionOf } from './signals.ts'

/** Beside the endpoint of its own, `/` is where the Crowdcrafting robot listened. */
const PATHS = ['/webhooks/github', '/']

/** What GitHub reads in its list of deliveries. */
export interface WebhookAnswer {
  readonly verdict: Verdict
  readonly delivery: string
  readonly reason?: string
  readonly detail?: string
  readonly deployments?: readonly { readonly id: number; readonly name: string; readonly url: string }[]
}

export interface WebhookParts {
  readonly clock: () => number
  /** Asked for each delivery, so that a reloaded secret counts at once. */
  signed: SignatureCheck
  /** Records the delivery with what it leads to; the answer may be given only after that. */
  take(delivery: NewDelivery, body: unknown): Promise<WebhookAnswer>
  /** Somebody sent what GitHub would not have: counted, never kept. */
  refused(cause: FerrymanError): void
}

/** Serves GitHub's deliveries: verify, record, answer. Every refusal says what was wrong. */
export async function serveWebhooks(server: FastifyInstance, parts: WebhookParts): Promise<void> {
  const withBody = createBodyReader()
  await server.register(async (routes) => {
    routes.removeAllContentTypeParsers()
    routes.addContentTypeParser('*', (_request, _payload, done) => done(null)) // the body is read by us, below
    routes.addHook('onRequest', ({ method, headers }, _reply, done) => {
      if (method === 'POST') checkTransport(headers)
      done()
    })
    routes.addHook('onError', async (_request, _reply, thrown) => {
      if (thrown instanceof FerrymanError) parts.refused(thrown)
    })
    for (const url of PATHS) {
      routes.post(url, async (request, reply) => {
        const headers = readHeaders(request.headers)
        const unsigned = wrongSignature(headers)
        if (unsigned !== undefined) {
          await passOver(request.raw)
          throw unsigned
        }
        return withBody(request.raw, reply.raw, (body) => answer(reply, headers, body, parts))
      })
      if (url !== '/')
        routes.route({
          method: ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
          url,
          handler({ method }, reply) {
            void reply.header('allow', 'POST')
            throw problem('method_not_allowed', { method, allowed: 'POST' })
          },
        })
    }
  })
}

async function answer(
  reply: FastifyReply,
  headers: DeliveryHeaders,
  pieces: readonly Buffer[],
  parts: WebhookParts,
): Promise<WebhookAnswer> {
  const signed = await parts.signed(pieces, headers.signature)
  if (signed === undefined) throw problem('signature_wrong', {})
  const { bytes: body, text } = signed
  const content = contentOf(text, headers.type)
  const delivery: NewDelivery = {
    key: `${headers.guid}:${hash('sha256', body, 'base64url')}`,
    guid: headers.guid,
    event: headers.event,
    action: actionOf(content),
    receivedAt: parts.clock(),
    headers: headers.kept,
    body,
  }
  const taken = await parts.take(delivery, content)
  reply.code(['queued', 'deciding'].includes(taken.verdict) ? 202 : 200)
  return taken // and not the reply, which would be waited for until the client has it
}

interface DeliveryHeaders {
  readonly event: string
  readonly guid: string
  /** Empty where there is none. */
  readonly signature: string
  /** The content type, in lower case and without its parameters. */
  readonly type: string
  readonly kept: Readonly<Record<string, string>>
}

/** What can be said of the signature before there is a body to compare it with. */
function wrongSignature({ signature }: DeliveryHeaders): FerrymanError | undefined {
  if (signature === '') return problem('signature_missing', {})
  return /^sha256=[0-9a-f]{64}$/.test(signature) ? undefined : problem('signature_wrong', {})
}

/** Refuses a body that we would not understand, before it is read. */
function checkTransport(headers: IncomingHttpHeaders): void {
  if (Number(headers['content-length'] ?? 0) > MOST_BODY_BYTES) throw problem('body_too_large', {})
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw problem('content_encoding_unsupported', { encoding })
  const type = mediaType(headers['content-type'])
  if (!isUnderstood(type)) throw problem('content_type_unsupported', { type: type.slice(0, 100) || 'none' })
}

/** Names everything that is missing or wrong in one answer. */
function readHeaders(headers: IncomingHttpHeaders): DeliveryHeaders {
  const event = wellFormed(headers['x-github-event'], /^[a-z_]{1,64}$/)
  const guid = wellFormed(headers['x-github-delivery'], /^[\w-]{1,100}$/)
  if (event === undefined || guid === undefined) {
    const missing = [event ?? 'X-GitHub-Event', guid ?? 'X-GitHub-Delivery'].filter((name) =>
      name.startsWith('X-'),
    )
    throw problem('headers_missing', { list: missing.join(', ') })
  }
  const signature = String(headers['x-hub-signature-256'] ?? '')
  return { event, guid, signature, type: mediaType(headers['content-type']), kept: keptOf(headers) }
}

const wellFormed = (value: string | string[] | undefined, shape: RegExp): string | undefined =>
  typeof value === 'string' && shape.test(value) ? value : undefined

/** GitHub's own headers, without the signatures. */
function keptOf(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name in headers)
    if (name.startsWith('x-github-') || name === 'user-agent' || name === 'content-type')
      kept[name] = String(headers[name]).slice(0, 300)
  return kept
}
