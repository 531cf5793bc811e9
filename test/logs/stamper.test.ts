import { execFileSync } from 'node:child_process'

import fc from 'fast-check'
import { expect, test } from 'vitest'

import { chunkRoom } from '../../src/logs/chunk-memory.ts'
import { createStamper } from '../../src/logs/stamper.ts'

const STAMP = '2026-11-21T10:54:00.000Z '
const { stamp } = createStamper()

function stamped(output: Buffer, isLineStart: boolean): Buffer {
  const pieces: Buffer[] = []
  stamp(output, { stamp: STAMP, isLineStart }, (piece) => pieces.push(Buffer.from(piece)))
  return Buffer.concat(pieces)
}

/** The same, told simply. */
function expected(output: Buffer, isLineStart: boolean): Buffer {
  const text = output.toString('latin1').replaceAll(/\n(?=[^])/g, `\n${STAMP}`)
  return Buffer.from(isLineStart && text !== '' ? `${STAMP}${text}` : text, 'latin1')
}

// Of bytes alone one in 256 would end a line.
const line = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 100 }) },
  { weight: 1, arbitrary: fc.nat({ max: 40_000 }).map((size) => new Uint8Array(size).fill(size)) },
)
const output = fc.array(line, { maxLength: 30 }).map((lines) => {
  const all = Buffer.concat(lines.flatMap((bytes) => [bytes, Buffer.from('\n')]))
  return all.subarray(0, all.length - (lines.length % 2))
})

test('each line that begins has a stamp before it, and every byte stays as it is', () => {
  fc.assert(
    fc.property(output, fc.boolean(), (output, isLineStart) => {
      expect(stamped(output, isLineStart).equals(expected(output, isLineStart))).toBe(true)
    }),
    { numRuns: 2000 },
  )
})

test('wherever lines end', () => {
  for (let length = 0; length < 70; length++)
    for (let end = 0; end < length; end++) {
      const output = Buffer.alloc(length, 'x')
      output[end] = 0x0a
      output[Math.floor(end / 2)] = 0x0a

      expect(stamped(output, true)).toEqual(expected(output, true))
    }
})

test('a chunk is stamped where it is', () => {
  const output = chunkRoom().fill('0123456789\n')

  expect(stamped(output, true).equals(expected(output, true))).toBe(true)
  expect(stamped(output.subarray(3, 40), false).equals(expected(output.subarray(3, 40), false))).toBe(true)
})

test('an output of nothing but line feeds is one of stamps', () => {
  const output = Buffer.alloc(200_000, '\n')

  expect(stamped(output, true).equals(expected(output, true))).toBe(true)
})

test.skipIf(process.arch !== 'x64')('a processor without vectors stamps and searches all the same', () => {
  const program = `
    import { createStamper } from './src/logs/stamper.ts'
    import { endsIn, wordsOf } from './src/logs/walk.ts'
    const pieces = []
    const take = (piece) => pieces.push(Buffer.from(piece))
    const { stamp } = createStamper()
    stamp(Buffer.from('one\\r\\n\\n\\xfftw', 'latin1'), { stamp: '${STAMP}', isLineStart: true }, take)
    stamp(Buffer.from('o\\n'), { stamp: '${STAMP}', isLineStart: false }, take)
    stamp(Buffer.alloc(0), { stamp: '${STAMP}', isLineStart: true }, take)
    const ends = endsIn(Buffer.alloc(5_000, 'x'), wordsOf([Buffer.from('xxx')]))
    process.stdout.write(JSON.stringify([Buffer.concat(pieces).toString('latin1'), ends.length]))
  `
  const words = ['--no-enable-ssse3', '--input-type=module', '--eval', program]

  const answer: unknown = JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' }))

  expect(answer).toEqual([`${STAMP}one\r\n${STAMP}\n${STAMP}\xfftwo\n`, 4_998])
})
