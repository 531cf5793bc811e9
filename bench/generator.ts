/*
 * Loads a server over kept-alive connections, each with one request at a time, and prints what it saw as JSON.
 * A process of its own on bare sockets, so that it costs less than what it measures.
 */
import { connect, type Socket } from 'node:net'

import { createDeliveries } from './deliveries.ts'

export interface Load {
  readonly port: number
  readonly path: string
  readonly connections: number
  readonly seconds: number
  readonly otherDeployments: boolean
}

export interface Seen {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** How often each HTTP status was answered. */
  readonly statuses: Readonly<Record<string, number>>
}

const { port, path, connections, seconds, otherDeployments } = JSON.parse(process.argv[2] ?? '{}') as Load
const next = createDeliveries({ otherDeployments })
const took: number[] = []
const statuses: Record<string, number> = {}
const from = performance.now()
const until = from + seconds * 1000

await Promise.all(Array.from({ length: connections }, load))
const elapsed = (performance.now() - from) / 1000
const sorted = Float64Array.from(took).toSorted()
const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
process.stdout.write(
  JSON.stringify({ perSecond: took.length / elapsed, p50: at(0.5), p99: at(0.99), statuses } satisfies Seen),
)

/** One connection, until the time is over. */
function load(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let answer = ''
    let sentAt = 0
    const send = (): void => {
      sentAt = performance.now()
      if (sentAt >= until) return void socket.end()
      write(socket)
    }
    socket.setEncoding('latin1')
    socket.on('connect', send)
    socket.on('data', (text) => {
      answer += String(text)
      const status = statusOf(answer)
      if (status === undefined) return
      answer = ''
      took.push(performance.now() - sentAt)
      statuses[status] = (statuses[status] ?? 0) + 1
      send()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve())
  })
}

function write(socket: Socket): void {
  const { body, headers } = next()
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${lines.join('')}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

/** The status of the answer, once all of it is there. */
function statusOf(answer: string): string | undefined {
  const head = answer.indexOf('\r\n\r\n')
  if (head === -1) return undefined
  const length = /\r\ncontent-length: (\d+)/i.exec(answer)?.[1]
  if (length === undefined) throw new Error(`An answer without a length:\n${answer}`)
  return answer.length >= head + 4 + Number(length) ? answer.slice(9, 12) : undefined
}
