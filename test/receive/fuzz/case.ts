import { createHmac } from 'node:crypto'

import { deploymentEvent } from '../../support/payloads.ts'

export const SECRET = 'a-webhook-secret-for-tests'

/** One attempt on the endpoint. Whatever is sent, nothing may run, and the next delivery is answered rightly. */
export interface Case {
  /** Says what is sent; unique. */
  readonly name: string
  readonly bytes: Buffer
  /** The statuses of the answers, in order. */
  readonly status: readonly number[]
  /** The code of the problem, or the reason for doing nothing, of the last answer. */
  readonly says?: string
  /** The sender closes its side after the last byte. */
  readonly breaksOff?: true
}

/** A delivery in all its parts; what is not given is as GitHub would send it. */
export interface Delivery {
  readonly method?: string
  readonly target?: string
  readonly version?: string
  /** In this order; several lines where the value is a list, none where it is undefined. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly event?: string
  readonly body?: string | Buffer
  /** What is signed, where it is not the body. */
  readonly signed?: string | Buffer
}

/** A deployment that would run, if anything let it through. */
export const deployable = (): string => JSON.stringify(deploymentEvent())

export const sign = (bytes: string | Buffer, secret = SECRET, algorithm = 'sha256'): string =>
  `${algorithm}=${createHmac(algorithm, secret).update(bytes).digest('hex')}`

let guids = 0

/** The bytes of a request. */
export function bytesOf({
  method = 'POST',
  target = '/webhooks/github',
  version = 'HTTP/1.1',
  headers = {},
  event = 'deployment',
  body = deployable(),
  signed = body,
}: Delivery = {}): Buffer {
  const all: Delivery['headers'] = {
    host: 'deploy.example.org',
    'user-agent': 'GitHub-Hookshot/fuzz',
    accept: '*/*',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'x-github-event': event,
    'x-github-delivery': `fuzz-${(guids += 1)}`,
    'x-hub-signature-256': sign(signed),
    connection: 'close',
    ...headers,
  }
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one) => `${name}: ${one}`),
  )
  const head = [`${method} ${target} ${version}`, ...lines, '', ''].join('\r\n')
  // UTF-8 in headers is what a careless client sends.
  return Buffer.concat([Buffer.from(head), Buffer.from(body)])
}

/** A case of one delivery with one answer. */
export const delivery = (name: string, status: number, says: string | undefined, given: Delivery): Case => ({
  name,
  bytes: bytesOf(given),
  status: [status],
  ...(says === undefined ? {} : { says }),
})

/** Bytes in chunks, each with its length before it. */
export const chunked = (...pieces: readonly (string | Buffer)[]): Buffer =>
  Buffer.concat([
    ...pieces.flatMap((piece) => [
      Buffer.from(`${Buffer.byteLength(piece).toString(16)}\r\n`),
      Buffer.from(piece),
      Buffer.from('\r\n'),
    ]),
    Buffer.from('0\r\n\r\n'),
  ])
