import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, inject, test } from 'vitest'
import { type Logs, createLogs } from '../../src/logs/logs.ts'
import { createMasker } from '../../src/logs/redact.ts'
import { eventually, temporaryFolder } from '../support/running.ts'
import { mountSmallDisk } from '../support/small-disk.ts'

const STAMP = '2026-11-21T10:54:00.000Z'
const MEGABYTE = 1_048_576
const masker = createMasker(['s3cret-word'])

let directory: string
let logs: Logs

beforeEach(() => {
  directory = temporaryFolder()
  logs = newLogs()
})

const newLogs = () =>
  createLogs({ directory: join(directory, 'logs'), clock: () => Date.UTC(2026, 10, 21, 10, 54) })
const open = (maxBytes = 50 * MEGABYTE) => logs.open(7, { maxBytes, masker })
const all = async () => (await logs.read(7, { offset: 0, limit: 10 * MEGABYTE })).bytes.toString()
const segmentFiles = () => readdir(join(directory, 'logs', '7'))

test('a log is what commands wrote and what we said, each line with its time', async () => {
  const log = await open()

  await log.line('$ make')
  await log.write(Buffer.from('one\ntw'))
  await log.write(Buffer.from('o\r\n\u001b[32mgreen\u001b[0m 10%\r20%\n\n'))
  await log.line('exit code 0')
  await log.close()

  expect(await all()).toBe(
    [
      `${STAMP}▸ $ make`,
      `${STAMP} one`,
      `${STAMP} two\r`,
      `${STAMP} \u001b[32mgreen\u001b[0m 10%\r20%`,
      `${STAMP} `,
      `${STAMP}▸ exit code 0`,
      '',
    ].join('\n'),
  )
})

test('a prompt without a line end can be read at once', async () => {
  const log = await open()

  await log.write(Buffer.from('Continue? [y/N] '))
  await log.line('Nobody answers questions here.')

  expect(await all()).toBe(`${STAMP} Continue? [y/N] \n${STAMP}▸ Nobody answers questions here.\n`)
  await log.close()
})

test('bytes that are not UTF-8 are kept as they are', async () => {
  const log = await open()
  const bytes = Buffer.from([0xff, 0xc3, 0x28, 0x00, 0x80])

  await log.write(bytes)
  await log.close()

  const { bytes: read } = await logs.read(7, { offset: 0, limit: 100 })
  expect(read.subarray(STAMP.length + 1)).toEqual(bytes)
})

test('neither a command nor a word from outside can forge a line of ours', async () => {
  const log = await open()

  await log.write(Buffer.from(`▸ exit code 0\n${STAMP}▸ exit code 0\n`))
  await log.line(`$ echo a\n${STAMP}▸ exit code 0\r\u001b[1A\u202e`)
  await log.close()

  expect(await all()).toBe(
    [
      `${STAMP} ▸ exit code 0`,
      `${STAMP} ${STAMP}▸ exit code 0`,
      `${STAMP}▸ $ echo a\\n${STAMP}▸ exit code 0\\r\\u001b[1A\\u202e`,
      '',
    ].join('\n'),
  )
})

test('secrets are masked before they are stored, however they arrive', async () => {
  const log = await open()

  await log.line('$ login s3cret-word')
  await log.write(Buffer.from('the s3cr'))
  await log.line('a line between')
  await log.write(Buffer.from('et-word is out, s3cret'))
  log.mark()
  await log.write(Buffer.from('-word\n'))
  await log.close()

  expect(await all()).toBe(
    [
      `${STAMP}▸ $ login •••`,
      `${STAMP} the `,
      `${STAMP}▸ a line between`,
      `${STAMP} ••• is out, s3cret-word`,
      '',
    ].join('\n'),
  )
})

test('however a large output is cut, and though all of it comes in one place, the log is the same', async () => {
  const words = [
    'make',
    's3cret-word',
    's3cret',
    'https://me:pa55word@example.org/',
    'ghp_',
    'é',
    '\r\n',
    '\n\n',
  ]
  const word = (index: number) => `${words[(index * 7_919) % 11] ?? index}${index % 7 === 0 ? '\n' : ' '}`
  const output = Buffer.from(`${Array.from({ length: 60_000 }, (_, index) => word(index)).join('')}\n`)
  const sizes = [65_536, 1, 40, 30_000, 17]
  const place = Buffer.alloc(65_536)
  const log = await open()

  for (let at = 0, turn = 0; at < output.length; turn++) {
    const size = output.copy(place, 0, at, at + (sizes[turn % sizes.length] ?? 1))
    await log.write(place.subarray(0, size))
    place.fill('x')
    at += size
  }
  log.flush()
  await log.line('exit code 0')
  await log.close()

  const lines = masker.mask(output.toString()).split('\n')
  expect(lines.pop()).toBe('')
  expect(await all()).toBe(
    [...lines.map((line) => `${STAMP} ${line}`), `${STAMP}▸ exit code 0`, ''].join('\n'),
  )
})

test('when a command has ended, all of its output comes before our next line', async () => {
  const log = await open()

  await log.write(Buffer.from('done, s3cr'))
  log.flush()
  await log.line('exit code 0')

  expect(await all()).toBe(`${STAMP} done, s3cr\n${STAMP}▸ exit code 0\n`)
  expect(log.lastLines(1)).toEqual(['done, s3cr'])
  await log.close()
})

test('the newest lines are those of the current step, as plain text', async () => {
  const log = await open()
  await log.write(Buffer.from('of the step before\n'))

  log.mark()
  await log.line('$ make')
  await log.write(Buffer.from('one\n\n\u001b[31mred s3cret-word\u001b[0m\n 10%\r 20%\r\nthe last s3c'))

  expect(log.lastLines(9)).toEqual(['one', 'red •••', ' 20%', 'the last s3c'])
  expect(log.lastLines(2)).toEqual([' 20%', 'the last s3c'])
  await log.close()
})

test('the newest lines stay few and short, whatever is written', async () => {
  const log = await open()

  for (let i = 0; i < 20; i++) await log.write(Buffer.from(`${i} ${'x'.repeat(20_000)}\n`))

  const lines = log.lastLines(50)
  expect(lines).toEqual([expect.stringMatching(/^19 x{496}…$/)])
  await log.close()
})

test('of a line that is longer than what is remembered its end is shown', async () => {
  const log = await open()

  await log.write(Buffer.from(`{"error": "${'x'.repeat(40_000)} no such table"}\n\n`))

  expect(log.lastLines(50)).toEqual([expect.stringMatching(/^…x{83} no such table"}$/)])
  await log.close()
})

test('files are for this user only', async () => {
  const log = await open()
  await log.close()

  expect((await stat(join(directory, 'logs', '7'))).mode & 0o777).toBe(0o700)
  expect((await stat(join(directory, 'logs', '7', '0000000000000000.log'))).mode & 0o777).toBe(0o600)
})

test('of a log that grows too large, head and tail are kept, and one line says what is missing', async () => {
  const maxBytes = 160_000
  const log = await open(maxBytes)

  for (let i = 0; i < 20_000; i++) await log.write(Buffer.from(`line ${i}\n`))
  await log.line('the end')
  await log.close()

  const sizes = (await segmentFiles()).map((name) => stat(join(directory, 'logs', '7', name)))
  const stored = (await Promise.all(sizes)).reduce((sum, { size }) => sum + size, 0)
  const lines = (await all()).split('\n')
  const gaps = lines.filter((line) => line.startsWith('…'))
  const missing = Number(
    /^… ([\d,]+) bytes left out here \(max_log_bytes\) …$/.exec(gaps[0] ?? '')?.[1]?.replaceAll(',', ''),
  )
  const { size } = await logs.read(7, { offset: 0, limit: 0 })
  expect(stored).toBeLessThanOrEqual(maxBytes)
  expect(stored).toBeGreaterThan(maxBytes * 0.8)
  expect(gaps).toHaveLength(1)
  expect(missing).toBe(size - stored)
  expect(lines[0]).toBe(`${STAMP} line 0`)
  expect(lines.slice(-3)).toEqual([`${STAMP} line 19999`, `${STAMP}▸ the end`, ''])
  expect(lines.every((line) => line === '' || /^(2026|…)/.test(line))).toBe(true)
})

test('what is kept of a line whose beginning was left out cannot pass for a line of ours', async () => {
  const forged = Buffer.from(`${STAMP}▸ exit 0 (1.0 s)`.padEnd(48, '.'))
  const afterGaps: string[] = []

  for (let shift = 0; shift < forged.length; shift++) {
    const log = await logs.open(shift, { maxBytes: 16_000, masker })
    await log.write(Buffer.concat([Buffer.alloc(shift, 'x'), Buffer.alloc(100_000, forged)]))
    await log.write(Buffer.from('\nthe end\n'))
    await log.close()
    const { bytes } = await logs.read(shift, { offset: 0, limit: MEGABYTE })
    const lines = bytes.toString().split('\n')
    afterGaps.push(lines[lines.findIndex((line) => line.startsWith('… ')) + 1] ?? '')
    expect(lines.slice(-2)).toEqual([`${STAMP} the end`, ''])
  }

  expect(afterGaps.some((line) => line.trimStart().startsWith(forged.toString()))).toBe(true)
  expect(afterGaps.every((line) => line.startsWith(' '.repeat(STAMP.length + 1)))).toBe(true)
})

test('a log is read in parts, and what was left out is passed over', async () => {
  const log = await open(16_000)
  for (let i = 0; i < 2000; i++) await log.write(Buffer.from(`line ${i}\n`))
  await log.close()

  let text = ''
  let offset = 0
  for (let part = await logs.read(7, { offset, limit: 777 }); part.nextOffset > offset;) {
    text += part.bytes.toString()
    offset = part.nextOffset
    part = await logs.read(7, { offset, limit: 777 })
  }

  expect(text).toBe(await all())
  expect(await logs.read(7, { offset: 10_000, limit: 0 })).toMatchObject({
    nextOffset: 10_000,
    complete: true,
  })
  const inGap = await logs.read(7, { offset: 10_000, limit: 50 })
  expect(inGap.bytes.toString()).toMatch(/^… [\d,]+ bytes left out here \(max_log_bytes\) …\n2026/)
  expect(inGap.offset).toBeGreaterThan(10_000)
  expect(inGap.nextOffset).toBe(inGap.offset + 50)
})

test('the tail begins with a whole line', async () => {
  const log = await open()
  await log.write(Buffer.from('one\ntwo\nthree\n'))
  await log.close()

  const tail = await logs.tail(7, 70)
  const whole = await logs.tail(7, 1000)

  expect(tail.bytes.toString()).toBe(`${STAMP} two\n${STAMP} three\n`)
  expect(tail.offset).toBe(STAMP.length + 5)
  expect(whole.bytes.toString()).toBe(await all())
})

test('a log that is not there is empty', async () => {
  expect(await logs.exists(7)).toBe(false)
  expect(await logs.read(7, { offset: 5, limit: 10 })).toEqual({
    bytes: Buffer.alloc(0),
    offset: 0,
    nextOffset: 0,
    size: 0,
    complete: true,
  })
  await logs.remove(7)
})

test('a log can be removed', async () => {
  const log = await open()
  await log.line('hello')
  await log.close()
  expect(await logs.exists(7)).toBe(true)

  await logs.remove(7)

  expect(await logs.exists(7)).toBe(false)
  expect(await readdir(join(directory, 'logs'))).toEqual([])
})

test('after a crash a log goes on where it broke off', async () => {
  await mkdir(join(directory, 'logs', '7'), { recursive: true })
  await writeFile(join(directory, 'logs', '7', '0000000000000000.log'), `${STAMP} half a li`)

  const log = await newLogs().open(7, { maxBytes: MEGABYTE, masker })
  await log.line('The server ended.')
  await log.close()

  expect(await all()).toBe(`${STAMP} half a li\n${STAMP}▸ The server ended.\n`)
})

test('a log that breaks off within a line of several segments goes on as well', async () => {
  const log = await open(16_000)
  await log.write(Buffer.alloc(3_500, '.'))
  await log.close()
  expect((await segmentFiles()).filter((name) => name.endsWith('-rest.log'))).toHaveLength(3)

  const again = await newLogs().open(7, { maxBytes: 16_000, masker })
  await again.line('The server ended.')
  await again.close()

  expect(await all()).toBe(`${STAMP} ${'.'.repeat(3_500)}\n${STAMP}▸ The server ended.\n`)
})

test('a log has one writer', async () => {
  const log = await open()

  await expect(open()).rejects.toMatchObject({ code: 'log_unwritable' })

  await log.close()
})

test('a reader that follows gets everything and ends with the writer', async () => {
  const log = await open()
  const reading = collect(logs.follow(7, { offset: 0, signal: new AbortController().signal }))

  for (let i = 0; i < 1000; i++) await log.write(Buffer.from(`line ${i}\n`))
  await log.close()

  expect(await reading).toBe(await all())
})

test('a slow reader that follows a growing log is told what it missed', async () => {
  const log = await open(16_000)
  const reader = logs.follow(7, { offset: 0, signal: new AbortController().signal })
  await log.line('the beginning')
  const first = await reader.next()

  for (let i = 0; i < 2000; i++) await log.write(Buffer.from(`line ${i}\n`))
  await log.close()

  expect(first.value?.bytes.toString()).toBe(`${STAMP}▸ the beginning\n`)
  expect(`${STAMP}▸ the beginning\n${await collect(reader)}`).toBe(await all())
})

test('who reads along what was written before gets all that is kept of it', async () => {
  const log = await open(160_000)
  for (let i = 0; i < 20_000; i++) await log.write(Buffer.from(`line ${i}\n`))
  await log.close()

  expect(await collect(logs.follow(7, { offset: 0, signal: new AbortController().signal }))).toBe(await all())
})

test('who reads a log before it begins, or between two times that it is written, takes nothing from those who come later', async () => {
  const follow = (offset: number) => collect(logs.follow(7, { offset, signal: new AbortController().signal }))
  expect(await follow(0)).toBe('')

  const log = await open()
  for (let i = 0; i < 5_000; i++) await log.write(Buffer.from(`line ${i}\n`))
  await log.close()
  const soFar = await all()
  expect(await follow(0)).toBe(soFar)
  expect(await follow(soFar.length)).toBe('')

  const again = await open()
  await again.line('The server ended.')
  await again.close()
  expect(await follow(soFar.length)).toBe(`${STAMP}▸ The server ended.\n`)
})

test('a reader that follows can leave', async () => {
  const log = await open()
  const leave = new AbortController()
  const reading = collect(logs.follow(7, { offset: 0, signal: leave.signal }))

  await log.line('hello')
  leave.abort()

  expect(['', `${STAMP}▸ hello\n`]).toContain(await reading)
  await log.close()
})

test('a full disk is a problem where it matters, and the log can still be closed', async () => {
  await mkdir(join(directory, 'logs', '7'), { recursive: true })
  await symlink('/dev/full', join(directory, 'logs', '7', '0000000000000000.log'))
  const log = await open()
  const full = {
    code: 'log_unwritable',
    message: `The log ${directory}/logs/7 cannot be written: ENOSPC: no space left on device, write.`,
  }

  await expect(log.announce('$ make')).rejects.toMatchObject(full)
  await log.line('exit 0 (0.1 s)')
  await log.write(Buffer.alloc(MEGABYTE / 2))
  await expect(log.write(Buffer.alloc(MEGABYTE))).rejects.toMatchObject(full)
  await expect(log.close()).rejects.toMatchObject(full)
  await expect(log.announce('after the end')).rejects.toMatchObject({ code: 'log_unwritable' })
})

describe.skipIf(!inject('mounts'))('when the disk takes nothing for a while', () => {
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => `line ${from + index}\n`).join('')
  const stamped = (text: string) => text.replaceAll(/^(?=.)/gm, `${STAMP} `)

  test('nothing is missing afterwards, and a reader that follows gets it', async () => {
    const disk = mountSmallDisk(join(directory, 'logs'), { megabytes: 1 })
    const log = await open()
    const reading = collect(logs.follow(7, { offset: 0, signal: new AbortController().signal }))
    await log.write(Buffer.from(lines(0, 10)))

    disk.fill()
    await log.write(Buffer.from(lines(10, 1_000)))
    await log.line('exit 0 (1.0 s)')
    expect(await all()).not.toContain('exit 0')
    disk.empty()
    await eventually('it is all written', async () => (await all()).includes('exit 0'))
    await log.close()

    expect(await all()).toBe(`${stamped(lines(0, 1_000))}${STAMP}▸ exit 0 (1.0 s)\n`)
    expect(await reading).toBe(await all())
  })

  test('what is left when the log is closed is written later', async () => {
    const disk = mountSmallDisk(join(directory, 'logs'), { megabytes: 1 })
    const log = await open()

    disk.fill()
    await log.write(Buffer.from(lines(0, 1_000)))
    await log.line('exit 0 (1.0 s)')
    await expect(log.close()).rejects.toMatchObject({ code: 'log_unwritable' })
    disk.empty()

    await eventually('it is all written', async () => (await all()).includes('exit 0'))
    expect(await all()).toBe(`${stamped(lines(0, 1_000))}${STAMP}▸ exit 0 (1.0 s)\n`)
  })

  test('who goes on with the log waits until what is left of it is written', async () => {
    const disk = mountSmallDisk(join(directory, 'logs'), { megabytes: 1 })
    const log = await open(100_000)
    disk.fill()
    await log.write(Buffer.from(lines(0, 300)))
    const full = {
      message: `The log ${directory}/logs/7 cannot be written: ENOSPC: no space left on device, write.`,
    }
    await expect(log.close()).rejects.toMatchObject(full)
    await expect(open(100_000)).rejects.toMatchObject(full)

    disk.empty()
    const again = await open(100_000)
    for (let i = 0; i < 300; i++) await again.line(`again ${i}`)
    await again.close()

    const said = Array.from({ length: 300 }, (_, index) => `${STAMP}▸ again ${index}\n`)
    expect(await all()).toBe(`${stamped(lines(0, 300))}${said.join('')}`)
  })

  test('the size is kept as well', async () => {
    const disk = mountSmallDisk(join(directory, 'logs'), { megabytes: 1 })
    const log = await open(100_000)
    await log.write(Buffer.from(lines(0, 2_000)))
    await log.line('so far')

    disk.fill()
    await log.write(Buffer.from(lines(2_000, 8_000)))
    await log.line('exit 0 (1.0 s)')
    disk.empty()
    await eventually('it is all written', async () => (await all()).includes('exit 0'))
    await log.close()

    expect(await all()).toMatch(/line 7999\n.*▸ exit 0 \(1.0 s\)\n$/)
    const sizes = await Promise.all(
      (await segmentFiles()).map(async (name) => (await stat(join(directory, 'logs', '7', name))).size),
    )
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(100_000)
  })
})

test('a directory that cannot be written is a problem', async () => {
  await writeFile(join(directory, 'logs'), 'in the way')

  await expect(open()).rejects.toMatchObject({ code: 'log_unwritable' })
})

test('a gigabyte in one line takes little memory, and all of it is passed on', async () => {
  const log = await open()
  const child = spawn('head', ['-c', '1000000000', '/dev/zero'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const before = process.memoryUsage().rss

  const peak = await pour(child, async (chunk) => log.write(chunk))
  await log.close()

  const { size } = await logs.read(7, { offset: 0, limit: 0 })
  expect(size).toBe(1_000_000_000 + STAMP.length + 1)
  expect(peak - before).toBeLessThan(150 * MEGABYTE) // of a gigabyte; how lazily V8 collects depends on the machine
})

/** Hands over the output of a process chunk by chunk; answers the most memory seen. */
async function pour(child: ChildProcess, write: (chunk: Buffer) => Promise<void>): Promise<number> {
  let peak = 0
  const exit = once(child, 'close')
  for await (const chunk of child.stdout ?? []) {
    await write(chunk as Buffer)
    peak = Math.max(peak, process.memoryUsage.rss())
  }
  await exit
  return peak
}

async function collect(parts: AsyncIterable<{ bytes: Buffer }>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const { bytes } of parts) chunks.push(bytes)
  return Buffer.concat(chunks).toString()
}
