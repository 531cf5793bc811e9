import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { expect, onTestFinished, test } from 'vitest'

import { follow } from '../../src/run/output.ts'
import { openPipe } from '../../src/run/pipe.ts'
import { temporaryFolder } from '../support/running.ts'

const LIMITS = { quietMs: 60, drainMs: 200 }

/** A pipe, and who writes to it. */
function makePipe() {
  const path = join(temporaryFolder(), 'pipe')
  execFileSync('mkfifo', [path])
  const source = openPipe(path)
  const input = new Socket({ fd: openSync(path, 'w'), readable: false })
  input.on('error', () => {}) // nobody reads any longer
  onTestFinished(() => {
    source.destroy()
    input.destroy()
  })
  return { source, input }
}

const write = (input: Socket, text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    input.write(text, (failure) => (failure ? reject(failure) : resolve()))
  })

test('drains to the end of the pipe, however slow the log is', async () => {
  const { source, input } = makePipe()
  let seen = 0
  const output = follow(source, async (chunk) => {
    await pause(100)
    seen += chunk.length
  })
  for (let index = 0; index < 5; index += 1) input.write(Buffer.alloc(20_000))
  input.end()

  await output.drain(LIMITS)

  expect(seen).toBe(100_000)
})

test('of what is taken at once and what has to be waited for nothing is lost, and nothing out of order', async () => {
  const { source, input } = makePipe()
  const written = Buffer.from(Array.from({ length: 200_000 }, (_, index) => `line ${index}\n`).join(''))
  const seen: Buffer[] = []
  const waits = [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 0]
  const later = async (chunk: Buffer): Promise<void> => {
    await pause(5)
    seen.push(Buffer.from(chunk))
  }
  const output = follow(source, (chunk) => {
    if (waits[seen.length % waits.length] !== 0) return later(chunk)
    seen.push(Buffer.from(chunk))
    return undefined
  })
  input.end(written)

  await output.drain({ quietMs: 1_000, drainMs: 10_000 })

  expect(Buffer.concat(seen).equals(written)).toBe(true)
})

test('who floods a log that takes everything at once does not keep all else from its turn', async () => {
  const { source, input } = makePipe()
  let taken = 0
  let turns = 0
  const output = follow(source, (chunk) => {
    taken += chunk.length
    return undefined
  })
  const count = (): void => {
    turns += 1
    if (taken < 50_000_000) setImmediate(count)
  }
  setImmediate(count)
  const child = spawn('head', ['-c', '50000000', '/dev/zero'], { stdio: ['ignore', input, 'inherit'] })
  await once(child, 'exit')
  input.destroy()

  await output.drain({ quietMs: 1_000, drainMs: 10_000 })

  expect(taken).toBe(50_000_000)
  expect(turns).toBeGreaterThan(50) // half a megabyte each, at most
})

test.each(['throws', 'rejects'])('a log that %s has nothing read any longer', async (how) => {
  const { source, input } = makePipe()
  const refusal = new Error('the disk is full')
  let calls = 0
  const output = follow(source, () => {
    calls += 1
    if (how === 'throws') throw refusal
    return Promise.reject(refusal)
  })
  input.write(Buffer.alloc(200_000))

  expect(await output.broken).toBe(refusal)
  await pause(20)
  expect(calls).toBe(1)
})

test('a chunk stays as it is until it is taken', async () => {
  const { source, input } = makePipe()
  const written = Buffer.from(Array.from({ length: 30_000 }, (_, index) => `line ${index}\n`).join(''))
  const seen: Buffer[] = []
  const output = follow(source, async (chunk) => {
    await new Promise(setImmediate)
    seen.push(Buffer.from(chunk))
  })
  input.end(written)

  await output.drain({ quietMs: 1_000, drainMs: 10_000 })

  expect(Buffer.concat(seen).equals(written)).toBe(true)
})

test('does not wait for somebody who holds the pipe open in silence', async () => {
  const output = follow(makePipe().source, async () => {})

  await output.drain(LIMITS)

  output.close()
})

test('does not wait for somebody who never stops writing, little or much', async () => {
  const drip = makePipe()
  const timer = setInterval(() => drip.input.write('x'), 10)
  const flood = makePipe()
  const pour = (): void => {
    while (flood.input.write(Buffer.alloc(65_536)));
  }
  flood.input.on('drain', pour)
  pour()
  const outputs = [follow(drip.source, async () => {}), follow(flood.source, async () => {})]

  await Promise.all(outputs.map((output) => output.drain(LIMITS)))

  clearInterval(timer)
  for (const output of outputs) output.close()
})

test('a log that takes no more is told; nothing is read after it, and the pipe is held until the end', async () => {
  const { source, input } = makePipe()
  const full = new Error('disk full')
  let writes = 0
  const output = follow(source, () => {
    writes += 1
    return Promise.reject(full)
  })
  input.write('one')

  expect(await output.broken).toBe(full)
  await write(input, 'two')
  await output.drain(LIMITS)

  expect(writes).toBe(1)
  output.close()
  await expect(write(input, 'three')).rejects.toThrow('EPIPE')
})

test('a pipe that nobody has read from can be let go of', async () => {
  const { source, input } = makePipe()

  source.destroy()
  source.destroy()

  await follow(source, async () => {}).drain(LIMITS)
  await expect(write(input, 'one')).rejects.toThrow('EPIPE')
})
