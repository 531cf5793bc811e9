import { expect, onTestFinished, test } from 'vitest'

import { createJournal } from '../../src/logs/journal.ts'
import { createMasker } from '../../src/logs/redact.ts'
import { createRefusalCount } from '../../src/receive/refusals.ts'
import { createSignatureCheck } from '../../src/receive/signature.ts'
import { serveWebhooks } from '../../src/receive/webhook.ts'
import type { Limits } from '../../src/web/client-errors.ts'
import { closeServer, createServer, listen } from '../../src/web/server.ts'
import { signedDelivery } from '../support/payloads.ts'
import { rawConnection, readAnswers } from '../support/raw-http.ts'
import { eventually } from '../support/running.ts'

const QUICK: Limits = { headersMs: 150, requestMs: 300, lookMs: 25, headerBytes: 16_384, connections: 50 }
const SECRET = 'a-webhook-secret-for-tests'

/** The endpoint alone, with limits that are reached at once. */
async function endpoint(limits: Partial<Limits> = {}, taking: () => Promise<void> = async () => {}) {
  const lines: string[] = []
  const journal = createJournal({
    write: (line) => lines.push(line),
    masker: createMasker([]),
    clock: Date.now,
    pretty: false,
    colour: false,
  })
  const refusals = createRefusalCount(journal, Date.now)
  const server = createServer({ journal, refused: refusals.count, limits: { ...QUICK, ...limits } })
  await serveWebhooks(server, {
    clock: Date.now,
    signed: createSignatureCheck([SECRET]),
    refused: refusals.count,
    async take({ guid }) {
      await taking()
      return { verdict: 'ignored', delivery: guid }
    },
  })
  const address = await listen(server, '127.0.0.1', 0)
  onTestFinished(async () => {
    refusals.stop()
    await closeServer(server)
  })
  const ping = async (): Promise<number> => {
    const { headers, body } = signedDelivery('ping', { zen: 'x' }, SECRET)
    return (await fetch(`${address}/webhooks/github`, { method: 'POST', headers, body })).status
  }
  return {
    address,
    lines,
    totals: () => Object.fromEntries(refusals.totals()),
    /** A right delivery, as proof that everybody else is still served; on a busy machine it may itself be too slow. */
    served: () => eventually('others are served', async () => (await ping().catch(() => 0)) === 200),
  }
}

/** Sends one piece after the other, until the other side has had enough. */
async function drip(address: string, begin: string, piece: string) {
  const connection = await rawConnection(address)
  connection.send(begin)
  const dripping = setInterval(() => connection.send(piece), 20)
  const received = await connection.all
  clearInterval(dripping)
  return readAnswers(received)
}

const START = 'POST /webhooks/github HTTP/1.1\r\nhost: x\r\n'
const HEADERS = `${START}content-type: application/json\r\nx-github-event: ping\r\nx-github-delivery: a-b\r\nx-hub-signature-256: sha256=${'0'.repeat(64)}\r\n`

test('headers that drip are answered 408, and counted once', async () => {
  const { address, totals, served } = await endpoint()

  const [answer] = await drip(address, START, 'x-a: b\r\n')

  expect(answer?.status).toBe(408)
  expect(JSON.parse(answer?.body ?? '')).toMatchObject({ error: 'request_too_slow' })
  expect(totals()).toEqual({ request_too_slow: 1 })
  await served()
})

test('a body that drips is answered 408, and counted once', async () => {
  const { address, totals, served } = await endpoint()

  const [answer] = await drip(address, `${HEADERS}content-length: 1000\r\n\r\n`, '{')

  expect(answer?.status).toBe(408)
  expect(totals()).toEqual({ request_too_slow: 1 })
  await served()
})

test('a body in chunks that drips is answered 408', async () => {
  const { address, totals } = await endpoint()

  const [answer] = await drip(address, `${HEADERS}transfer-encoding: chunked\r\n\r\n`, '1\r\n{\r\n')

  expect(answer?.status).toBe(408)
  expect(totals()).toEqual({ request_too_slow: 1 })
})

test('a connection on which nothing comes is ended', async () => {
  const { address, served } = await endpoint()

  const idle = await Promise.all(Array.from({ length: 40 }, () => rawConnection(address)))

  await served()
  await Promise.all(idle.map(({ all }) => all))
})

test('connections beyond the limit are closed at once and counted, and those within it are served', async () => {
  const { address, served, totals } = await endpoint({
    connections: 5,
    headersMs: 10_000,
    requestMs: 20_000,
  })

  const held = await Promise.all(Array.from({ length: 5 }, () => rawConnection(address)))
  const surplus = await rawConnection(address)
  expect(await surplus.all).toBe('')
  expect(totals()).toEqual({ too_many_connections: 1 })

  for (const { socket, all } of held) {
    socket.destroy()
    await all
  }
  await served()
})

test.each([
  ['one huge header', `x-huge: ${'x'.repeat(20_000)}\r\n`],
  ['thousands of headers', 'a: b\r\n'.repeat(5_000)],
  ['a huge path', ''],
])('%s is answered 431', async (name, headers) => {
  const { address, totals, served } = await endpoint()
  const connection = await rawConnection(address)

  const start = name === 'a huge path' ? `POST /${'x'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n` : START
  connection.send(`${start}${headers}\r\n`)

  const [answer] = readAnswers(await connection.all)
  expect(answer?.status).toBe(431)
  expect(JSON.parse(answer?.body ?? '')).toMatchObject({ error: 'headers_too_large' })
  expect(totals()).toEqual({ headers_too_large: 1 })
  await served()
})

test('what is no HTTP is answered 400 in the shape of every error', async () => {
  const { address, totals } = await endpoint()
  const connection = await rawConnection(address)

  connection.send('\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001')

  const [answer] = readAnswers(await connection.all)
  expect(answer?.status).toBe(400)
  expect(JSON.parse(answer?.body ?? '')).toMatchObject({
    error: 'request_malformed',
    message: expect.stringContaining('This is no HTTP request'),
    hint: expect.any(String),
  })
  expect(totals()).toEqual({ request_malformed: 1 })
})

test.each(['end', 'resetAndDestroy'] as const)(
  'uploads that break off (%s) are counted, and cost one line in the log',
  async (how) => {
    const { address, lines, totals, served } = await endpoint({ headersMs: 10_000, requestMs: 20_000 })

    const uploads = await Promise.all(Array.from({ length: 20 }, () => rawConnection(address)))
    for (const { send } of uploads) send(`${HEADERS}content-length: 1000\r\n\r\n{"a":`)
    await served() // by now the server is reading them
    for (const { socket } of uploads) socket[how]()

    await eventually('all are counted', () => totals()['request_cut_off'] === 20)
    expect(totals()).toEqual({ request_cut_off: 20 })
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
      expect.objectContaining({ event: 'delivery:refused', reason: 'request_cut_off', count: 1 }),
    ])
  },
)

test('of more than 64 MB of bodies at once one is answered 503, and its memory is given back', async () => {
  const { address, totals, served } = await endpoint({ headersMs: 10_000, requestMs: 20_000 })
  const piece = Buffer.alloc(20 * 1024 * 1024, ' ')

  const uploads = await Promise.all(Array.from({ length: 4 }, () => rawConnection(address)))
  for (const { send } of uploads) {
    send(`${HEADERS}content-length: 26214400\r\n\r\n`)
    send(piece)
  }

  await Promise.race(uploads.map(({ all }) => all))
  expect(totals()).toEqual({ too_busy: 1 })
  for (const { socket, all } of uploads) {
    socket.destroy()
    await all
  }
  await served()
})

test('what was sent behind a delivery that is still being taken gives its memory back when the sender goes', async () => {
  const first = Promise.withResolvers<void>()
  const { address, totals, served } = await endpoint(
    { headersMs: 10_000, requestMs: 20_000 },
    () => first.promise,
  )
  const { headers, body } = signedDelivery('ping', { zen: 'x' }, SECRET)
  const words = { ...headers, 'content-length': String(Buffer.byteLength(body)) }
  const ping = `${START}${Object.entries(words)
    .map((pair) => `${pair.join(': ')}\r\n`)
    .join('')}\r\n${body}`
  const piece = Buffer.alloc(25 * 1024 * 1024, ' ')

  for (let count = 1; count <= 3; count += 1) {
    const { send, socket, all } = await rawConnection(address)
    send(`${ping}${HEADERS}content-length: ${piece.length}\r\n\r\n`)
    send(piece)
    await eventually('it has been read', () => totals()['signature_wrong'] === count)
    socket.resetAndDestroy()
    await all
  }

  first.resolve()
  await served()
})

test.each([
  ['without a signature', ''],
  ['with a signature that is none', 'x-hub-signature-256: sha1=0\r\n'],
])('large bodies %s take no room from those that may be from GitHub', async (_name, signature) => {
  const { address, totals } = await endpoint({ headersMs: 10_000, requestMs: 20_000 })
  const unsigned = HEADERS.replace(/x-hub-signature-256.*\r\n/, signature)
  const piece = Buffer.alloc(20 * 1024 * 1024, ' ')

  const uploads = await Promise.all(Array.from({ length: 5 }, () => rawConnection(address)))
  for (const { send } of uploads) {
    send(`${unsigned}connection: close\r\ncontent-length: ${piece.length}\r\n\r\n`)
    send(piece)
  }

  const answers = await Promise.all(uploads.map(async ({ all }) => readAnswers(await all)[0]?.status))
  expect(answers).toEqual([401, 401, 401, 401, 401])
  expect(Object.keys(totals())).toEqual([signature === '' ? 'signature_missing' : 'signature_wrong'])
})
