import { createHmac } from 'node:crypto'
import { request as openRequest } from 'node:http'

import { bodyOf } from '../loopback.ts'
import type { GitHubState, Hook, HookDelivery } from './state.ts'

/** How the delivery came back. Status 0 means that no answer came; the body then says why. */
export interface Delivered {
  readonly guid: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** For a delivery that is to be other than the hook says. */
export interface Envelope {
  readonly guid?: string
  readonly secret?: string
  readonly contentType?: 'json' | 'form'
}

/** Hands events to hooks, signed as GitHub signs them. */
export interface Deliverer {
  deliver(hook: Hook, event: string, payload: unknown, envelope?: Envelope): Promise<Delivered>
  /** Sends the same bytes under the same GUID once more. */
  redeliver(hook: Hook, earlier: HookDelivery): Promise<Delivered>
  /** Resolves when nothing is under way any more. */
  idle(): Promise<void>
  /** Breaks off what is under way. */
  close(): Promise<void>
}

/** GitHub's own limit: https://docs.github.com/webhooks/using-webhooks/best-practices-for-using-webhooks */
const TIMEOUT_MS = 10_000

export function createDeliverer(state: GitHubState, newGuid: () => string): Deliverer {
  const underWay = new Set<Promise<unknown>>()
  const closing = new AbortController()

  async function attempt(hook: Hook, message: Message, isRedelivery: boolean): Promise<Delivered> {
    const at = state.clock()
    const sent = post(hook.url, message, AbortSignal.any([closing.signal, AbortSignal.timeout(TIMEOUT_MS)]))
    underWay.add(sent)
    const answer = await sent.finally(() => underWay.delete(sent))
    const { guid, event, payload, headers, body } = message
    hook.deliveries.push({
      id: state.nextId(),
      guid,
      event,
      action: actionOf(payload),
      at,
      isRedelivery,
      seconds: (state.clock() - at) / 1000,
      request: { headers, body, payload },
      answer,
    })
    return { guid, ...answer }
  }

  return {
    deliver: (hook, event, payload, envelope = {}) =>
      attempt(hook, sealed(hook, event, payload, { ...envelope, guid: envelope.guid ?? newGuid() }), false),
    redeliver: (hook, { guid, event, request }) => attempt(hook, { guid, event, ...request }, true),
    async idle() {
      while (underWay.size > 0) await Promise.allSettled(underWay)
    },
    async close() {
      closing.abort(new Error('GitHub\u2019s double was closed'))
      await Promise.allSettled(underWay)
    },
  }
}

interface Message {
  readonly guid: string
  readonly event: string
  readonly payload: unknown
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** The bytes and headers of a delivery. The signatures are made over the raw bytes, form-encoded or not. */
function sealed(
  hook: Hook,
  event: string,
  payload: unknown,
  envelope: Envelope & { readonly guid: string },
): Message {
  const json = JSON.stringify(payload)
  const isForm = (envelope.contentType ?? hook.contentType) === 'form'
  const body = Buffer.from(isForm ? new URLSearchParams({ payload: json }).toString() : json)
  const secret = envelope.secret ?? hook.secret
  const headers = {
    accept: '*/*',
    'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
    'user-agent': 'GitHub-Hookshot/f00d5ea',
    'x-github-delivery': envelope.guid,
    'x-github-event': event,
    'x-github-hook-id': String(hook.id),
    'x-github-hook-installation-target-id': String(hook.targetId),
    'x-github-hook-installation-target-type': hook.kind === 'app' ? 'integration' : hook.kind,
    ...(secret === undefined
      ? {}
      : {
          'x-hub-signature': sign('sha1', secret, body),
          'x-hub-signature-256': sign('sha256', secret, body),
        }),
  }
  return { guid: envelope.guid, event, payload, headers, body }
}

/** `sha256=` and the HMAC of the bytes in hexadecimal. */
export const sign = (algorithm: 'sha1' | 'sha256', secret: string, body: Buffer): string =>
  `${algorithm}=${createHmac(algorithm, secret).update(body).digest('hex')}`

function post(
  url: string,
  { headers, body }: Message,
  signal: AbortSignal,
): Promise<Omit<Delivered, 'guid'>> {
  return new Promise((resolve) => {
    const failed = (thrown: Error) => resolve({ status: 0, headers: {}, body: thrown.message })
    const request = openRequest(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': String(body.length) },
      agent: false, // one connection each, closed afterwards
      signal,
    })
    request.once('error', failed)
    request.once('response', (response) => {
      bodyOf(response).then(
        (answer) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: plain(response.headers),
            body: answer.toString('utf8'),
          }),
        failed,
      )
    })
    request.end(body)
  })
}

const plain = (headers: NodeJS.Dict<string | string[]>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]))

function actionOf(payload: unknown): string | null {
  const action: unknown =
    typeof payload === 'object' && payload !== null ? Reflect.get(payload, 'action') : undefined
  return typeof action === 'string' ? action : null
}
