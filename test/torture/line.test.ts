import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

import { expect, onTestFinished, test } from 'vitest'

import { openLine } from '../../torture/line.ts'

/** A line to a server that answers 202; what it got of every request, as far as that came. */
async function opened() {
  const got: Promise<string>[] = []
  const server = createServer((request: IncomingMessage, response) => {
    const body = text(request).catch(() => 'broken off')
    got.push(body)
    void body.then(() => response.writeHead(202).end('recorded'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const line = await openLine((server.address() as AddressInfo).port)
  onTestFinished(async () => {
    await line.close()
    server.close()
    server.closeAllConnections()
  })
  const deliver = async (): Promise<number> => {
    try {
      const answer = await fetch(`http://127.0.0.1:${line.port}/`, {
        method: 'POST',
        body: 'x'.repeat(4_000),
        headers: { connection: 'close' },
      })
      await answer.text()
      return answer.status
    } catch {
      return 0
    }
  }
  return { line, deliver, got: () => Promise.all(got) }
}

const WHOLE = 'x'.repeat(4_000)

test('a delivery comes over, and so does its answer', async () => {
  const { line, deliver, got } = await opened()
  const seen: string[] = []
  line.onProgress((progress) => {
    seen.push(progress)
    return false
  })

  expect(await deliver()).toBe(202)
  expect(await got()).toEqual([WHOLE])
  expect(seen).toEqual(['delivered', 'answering'])
})

test.each([
  ['in the body', 'broken off'],
  ['before the answer', WHOLE],
  ['in the answer', WHOLE],
] as const)('a line that is cut %s', async (where, body) => {
  const { line, deliver, got } = await opened()
  line.cutNext(where)

  expect(await deliver()).toBe(0)
  expect(await deliver()).toBe(202)
  expect(await got()).toEqual([body, WHOLE])
})

test('an answer may be kept from GitHub', async () => {
  const { line, deliver, got } = await opened()
  line.onProgress((progress) => progress === 'answering')

  expect(await deliver()).toBe(0)
  expect(await got()).toEqual([WHOLE])
})

test('what stands in front of a server that is not there says so', async () => {
  const { line, deliver, got } = await opened()
  line.cutNext('instead of the server')

  expect(await deliver()).toBe(503)
  expect(await deliver()).toBe(202)
  expect(await got()).toEqual([WHOLE])
})
