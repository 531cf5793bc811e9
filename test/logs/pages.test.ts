import fc from 'fast-check'
import { expect, test } from 'vitest'

import { createPages, LONGEST_WHOLE } from '../../src/logs/pages.ts'

const STAMP = '2026-11-21T10:54:00.000Z '

/** What the output is with a stamp before each line that begins in it. */
function stamped(output: Buffer, isLineStart: boolean): Buffer {
  const text = output.toString('latin1').replaceAll(/\n(?=[^])/g, `\n${STAMP}`)
  return Buffer.from(isLineStart && output.length > 0 ? `${STAMP}${text}` : text, 'latin1')
}

const line = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 100 }) },
  { weight: 1, arbitrary: fc.nat({ max: 80_000 }).map((size) => new Uint8Array(size).fill(size)) },
)
/** Mostly of lines: of bytes alone one in 256 would end one. */
const output = fc.array(line, { maxLength: 12 }).map((lines) => {
  const bytes = lines.flatMap((bytes) => [Buffer.from(bytes), Buffer.from('\n')])
  return Buffer.concat(bytes.slice(0, bytes.length - (bytes.length % 3 === 0 ? 1 : 0)))
})
const deed = fc.oneof(
  fc.record({ output, isLineStart: fc.boolean() }),
  fc.record({ line: fc.nat({ max: LONGEST_WHOLE }) }),
  fc.record({ drop: fc.double({ min: 0, max: 1, noNaN: true }) }),
)

test('what is added waits in order, stamped, until it is dropped', () => {
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 40 }), (deeds) => {
      const pages = createPages()
      const added: Buffer[] = []
      const taken: Buffer[] = []
      const take = (part: number): void => {
        const first = pages.first()
        const some = first.subarray(0, Math.ceil(first.length * part))
        taken.push(Buffer.from(some))
        pages.drop(some.length)
      }
      for (const deed of deeds)
        if ('drop' in deed) take(deed.drop)
        else if ('line' in deed) {
          const line = Buffer.alloc(deed.line, '▸')
          pages.add(line)
          added.push(line)
        } else {
          pages.addStamped(deed.output, STAMP, deed.isLineStart)
          added.push(stamped(deed.output, deed.isLineStart))
        }
      const waiting = pages.size()
      const before = Buffer.concat(taken).length
      while (pages.size() > 0) take(1)

      expect(pages.first()).toHaveLength(0)
      expect(Buffer.concat(added).equals(Buffer.concat(taken))).toBe(true)
      expect(Buffer.concat(taken)).toHaveLength(before + waiting)
    }),
    { numRuns: 300 },
  )
})

test('what is being written stays as it is while more is added', () => {
  const pages = createPages()
  pages.addStamped(Buffer.from('one\ntwo'), STAMP, true)
  const first = pages.first()

  for (let index = 0; index < 100; index++) pages.addStamped(Buffer.alloc(10_000, '.'), STAMP, false)

  expect(first.toString()).toBe(`${STAMP}one\n${STAMP}two`)
})

test('a page ends where a line does, unless the line is a very long one', () => {
  const pages = createPages()
  const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index} ${'x'.repeat(index % 97)}\n`)
  for (let at = 0; at < lines.length; at += 100)
    pages.addStamped(Buffer.from(lines.slice(at, at + 100).join('')), STAMP, true)

  const ends: string[] = []
  for (let first = pages.first(); first.length > 0; first = pages.first()) {
    ends.push(first.toString('latin1', first.length - 1))
    pages.drop(first.length)
  }

  expect(ends.length).toBeGreaterThan(5)
  expect(ends.every((end) => end === '\n')).toBe(true)
})
