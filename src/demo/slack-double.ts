import type { IncomingMessage, ServerResponse } from 'node:http'

import { createChronicle } from './chronicle.ts'
import { createFaults, type Aim, type Faults, type ScriptedAnswer } from './faults.ts'
import { bodyOf, listenOnLoopback } from './loopback.ts'
import { refusalOf, type SlackRefusal } from './slack/rules.ts'

/** A message that Slack took. */
export interface SlackMessage {
  /** Milliseconds since 1970. */
  readonly at: number
  /** The address that it was posted to. */
  readonly to: string
  readonly text: string | undefined
  readonly blocks: readonly unknown[]
  /** Everything that was sent. */
  readonly body: Readonly<Record<string, unknown>>
}

/** One request and what was answered. */
interface SlackExchange {
  readonly at: number
  readonly path: string
  readonly body: string
  /** Undefined where the client was left without an answer. */
  readonly status: number | undefined
  readonly answer: string | undefined
}

export interface SlackDouble extends Pick<Faults<SlackExchange>, 'mend'> {
  /** The address of the incoming webhook. */
  readonly url: string
  /** Makes another one, of another channel; answers its address. */
  addWebhook(): string
  /** What was taken, oldest first. */
  readonly messages: readonly SlackMessage[]
  /** Everything that was asked, taken or not. */
  readonly requests: readonly SlackExchange[]
  /** Resolves with the first message that fits, past or future. */
  waitFor(fits: (message: SlackMessage) => boolean, withinMs?: number): Promise<SlackMessage>
  /** Hears of every further message, until the answer is called. */
  onMessage(listener: (message: SlackMessage) => void): () => void
  waitForRequest(fits: (request: SlackExchange) => boolean, withinMs?: number): Promise<SlackExchange>
  /** Scripts the next answers; `reset-after-applying` shows the message and loses the answer. */
  fail(
    given: Omit<Aim, 'method'> & {
      readonly with: ScriptedAnswer | 'reset' | 'hang' | 'reset-after-applying'
    },
  ): void
  /** Makes messages wait until they are released. */
  hold(given?: Omit<Aim, 'method'>): { arrived(withinMs?: number): Promise<SlackExchange>; release(): void }
  readonly close: () => Promise<void>
}

const WEBHOOK = '/services/T0000ACME/B0000SHOP/x0fakefakefakefakefakefake'

/** Starts a Slack on loopback with an incoming webhook. It refuses what Slack refuses, in Slack's words. */
export async function startSlackDouble({
  port = 0,
  clock = Date.now,
}: { readonly port?: number; readonly clock?: () => number } = {}): Promise<SlackDouble> {
  const messages = createChronicle<SlackMessage>('message in Slack', ({ text }) => JSON.stringify(text))
  const requests = createChronicle<SlackExchange>('request to Slack', describe)
  const faults = createFaults<SlackExchange>(() => createChronicle('held request', describe))
  const server = await listenOnLoopback(port, exchange)
  const webhooks = [WEBHOOK]

  async function exchange(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await bodyOf(request)).toString('utf8')
    const { pathname } = new URL(request.url ?? '/', 'http://double')
    const target = { method: request.method ?? 'GET', path: pathname }
    const arrived = { at: clock(), path: pathname, body, status: undefined, answer: undefined }
    const fault = faults.next(target)
    await faults.gate(arrived, target, 'doing')
    if (fault === 'hang') return requests.add(arrived)
    if (fault === 'reset') return lose(arrived, request)
    const answer =
      typeof fault === 'object' ? scripted(fault) : take(target, request.headers['content-type'], body)
    if (fault === 'reset-after-applying') return lose(arrived, request)
    requests.add({ ...arrived, status: answer.status, answer: answer.body })
    response.writeHead(answer.status, { 'content-type': 'text/plain; charset=utf-8', ...answer.headers })
    response.end(answer.body)
  }

  function lose(arrived: SlackExchange, request: IncomingMessage): void {
    requests.add(arrived)
    request.socket.resetAndDestroy()
  }

  function take(
    target: { method: string; path: string },
    contentType: string | undefined,
    body: string,
  ): Answered {
    if (!webhooks.includes(target.path)) return refused({ status: 404, word: 'no_service' })
    if (target.method !== 'POST') return refused({ status: 400, word: 'invalid_payload' })
    const message = payloadIn(contentType, body)
    if (message === undefined) return refused({ status: 400, word: 'invalid_payload' })
    const refusal = refusalOf(message)
    if (refusal !== undefined) return refused(refusal)
    const { text, blocks = [] } = message
    messages.add({
      at: clock(),
      to: `${server.origin}${target.path}`,
      text: typeof text === 'string' ? text : undefined,
      blocks: blocks as readonly unknown[],
      body: message,
    })
    return { status: 200, headers: {}, body: 'ok' }
  }

  return {
    url: `${server.origin}${WEBHOOK}`,
    addWebhook() {
      const path = `${WEBHOOK}${webhooks.length}`
      webhooks.push(path)
      return `${server.origin}${path}`
    },
    messages: messages.items,
    requests: requests.items,
    waitFor: messages.waitFor,
    onMessage: messages.listen,
    waitForRequest: requests.waitFor,
    fail: faults.fail,
    hold: faults.hold,
    mend: faults.mend,
    async close() {
      messages.close()
      requests.close()
      await server.close()
    },
  }
}

interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const describe = ({ path, status, answer }: SlackExchange): string =>
  `${path} ${status ?? 'no answer'} ${answer ?? ''}`

const refused = ({ status, word }: SlackRefusal): Answered => ({ status, headers: {}, body: word })

const scripted = ({ status, headers = {}, body = '' }: ScriptedAnswer): Answered => ({
  status,
  headers,
  body: typeof body === 'string' ? body : JSON.stringify(body),
})

/** The message as JSON, or in the field `payload` of a form; undefined for anything else. */
function payloadIn(
  contentType: string | undefined,
  body: string,
): Readonly<Record<string, unknown>> | undefined {
  const isForm = contentType?.startsWith('application/x-www-form-urlencoded') ?? false
  try {
    const value: unknown = JSON.parse(isForm ? (new URLSearchParams(body).get('payload') ?? '') : body)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
