import { once } from 'node:events'
import { request as askOnward, type IncomingMessage } from 'node:http'

import { onTestFinished } from 'vitest'

import { createChronicle, type Chronicle } from '../../src/demo/chronicle.ts'
import { bodyOf, listenOnLoopback } from '../../src/demo/loopback.ts'

type Place = 'emulate' | 'double' | 'ferryman'

/** What went through: Ferryman's question to GitHub, or GitHub's delivery to Ferryman. */
export interface Passed {
  readonly to: Place
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** The event of a delivery and its action, `pull_request closed`; empty for a question. */
  readonly delivery: string
  readonly status: number
  readonly answer: unknown
}

export interface Front {
  readonly url: string
  /** Oldest first, each when it has been answered. */
  readonly passed: Chronicle<Passed>
}

interface FrontParts {
  /** Read for each request. */
  readonly addresses: Readonly<Record<Place, string>>
  /** Awaited before the double is asked anything. */
  beforeDouble(): Promise<void>
}

/**
 * One GitHub out of two: deployments and commit statuses are the double's, everything else emulate's, and
 * deliveries go through it to Ferryman. Nothing is changed on the way. It is gone after the test.
 */
export async function startFront({ addresses, beforeDouble }: FrontParts): Promise<Front> {
  const passed = createChronicle<Passed>('request through the front', describe)
  const server = await listenOnLoopback(0, async (request, response) => {
    const body = await bodyOf(request)
    const { method = '', url = '' } = request
    const path = url.split('?')[0] ?? ''
    const to = placeOf(path)
    if (to === 'double') await beforeDouble()
    const onward = await passOn(request, body, addresses[to]).catch(() => undefined)
    if (onward === undefined) {
      request.destroy() // who is not there does not answer
      return
    }
    const answer = await bodyOf(onward)
    const status = onward.statusCode ?? 0
    response.writeHead(status, headersOf(onward)).end(answer)
    passed.add({ to, method, path, delivery: deliveryIn(request, body), status, answer: read(answer) })
  })
  onTestFinished(async () => {
    passed.close()
    await server.close()
  })
  return { url: server.origin, passed }
}

const describe = ({ to, method, path, delivery, status }: Passed): string =>
  `${method} ${path} ${delivery} → ${to}: ${status}`

function placeOf(path: string): Place {
  if (path.startsWith('/webhooks/')) return 'ferryman'
  return /^\/repos\/[^/]+\/[^/]+\/(deployments(\/|$)|commits\/[^/]+\/status$)/.test(path)
    ? 'double'
    : 'emulate'
}

async function passOn(request: IncomingMessage, body: Buffer, address: string): Promise<IncomingMessage> {
  const onward = askOnward(`${address}${request.url}`, {
    method: request.method ?? 'GET',
    headers: { ...request.headers, host: new URL(address).host, connection: 'close' },
    agent: false,
  })
  onward.end(body)
  const [answer] = (await once(onward, 'response')) as [IncomingMessage]
  return answer
}

/** Without those that are about one connection only. */
const headersOf = ({ headers }: IncomingMessage): NodeJS.Dict<string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !['connection', 'keep-alive', 'transfer-encoding'].includes(name),
    ),
  )

function deliveryIn({ headers }: IncomingMessage, body: Buffer): string {
  const event = headers['x-github-event']
  if (event === undefined) return ''
  const action: unknown = Reflect.get(Object(read(body)), 'action')
  return typeof action === 'string' ? `${String(event)} ${action}` : String(event)
}

function read(body: Buffer): unknown {
  return body.length === 0 ? undefined : JSON.parse(body.toString())
}
