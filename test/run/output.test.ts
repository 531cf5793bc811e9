import { PassThrough } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { follow } from '../../src/run/output.ts'

const LIMITS = { quietMs: 60, drainMs: 200 }

test('drains to the end of the pipe, however slow the log is', async () => {
  const source = new PassThrough()
  let seen = 0
  const output = follow(source, async (chunk) => {
    await pause(100)
    seen += chunk.length
  })
  for (let index = 0; index < 5; index += 1) source.write(Buffer.alloc(20_000))
  source.end()

  await output.drain(LIMITS)

  expect(seen).toBe(100_000)
})

test('does not wait for somebody who holds the pipe open in silence', async () => {
  const output = follow(new PassThrough(), async () => {})

  await output.drain(LIMITS)

  output.close()
})

test('does not wait for somebody who never stops writing, little or much', async () => {
  const drip = new PassThrough()
  const timer = setInterval(() => drip.write('x'), 10)
  const flood = new PassThrough()
  const pour = (): boolean => flood.write(Buffer.alloc(65_536))
  flood.on('drain', () => setImmediate(pour))
  pour()
  const outputs = [follow(drip, async () => {}), follow(flood, async () => {})]

  await Promise.all(outputs.map((output) => output.drain(LIMITS)))

  clearInterval(timer)
  for (const output of outputs) output.close()
})

test('a log that takes no more is told; nothing is read after it, and the pipe is held until the end', async () => {
  const source = new PassThrough()
  const full = new Error('disk full')
  let writes = 0
  const output = follow(source, () => {
    writes += 1
    return Promise.reject(full)
  })
  source.write('one')

  expect(await output.broken).toBe(full)
  source.write('two')
  await output.drain(LIMITS)

  expect([writes, source.destroyed]).toEqual([1, false])
  output.close()
  expect(source.destroyed).toBe(true)
})
