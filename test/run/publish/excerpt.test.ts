import fc from 'fast-check'
import { expect, test } from 'vitest'

import { createExcerpt } from '../../../src/run/publish/excerpt.ts'

const excerptOf = (pieces: readonly (string | Uint8Array)[], most: number): string => {
  const excerpt = createExcerpt(most)
  for (const piece of pieces) excerpt.push(Buffer.from(piece as string))
  return excerpt.text()
}

const LINES = Array.from({ length: 1_000 }, (_, at) => `line ${at}\n`)

test('what fits is whole, however it comes', () => {
  expect(excerptOf(LINES, 10_000)).toBe(LINES.join(''))
  expect(excerptOf([LINES.join('')], 10_000)).toBe(LINES.join(''))
  expect(excerptOf([], 10_000)).toBe('')
})

test('of what does not, whole lines of the beginning and more of the end are kept, and what is left out is said', () => {
  const text = excerptOf(LINES, 2_000)
  const [head = '', left = '', tail = ''] = text.split(/^… ([\d,]+) bytes are left out here, .*…\n/m)

  expect(LINES.join('').startsWith(head)).toBe(true)
  expect(LINES.join('').endsWith(tail)).toBe(true)
  expect(head.endsWith('\n') && tail.startsWith('line ')).toBe(true)
  expect(tail.length).toBeGreaterThan(head.length)
  expect(Number(left.replaceAll(',', '')) + head.length + tail.length).toBe(LINES.join('').length)
})

test('the rest of a line cannot pass for a line of ours, whatever it begins with', () => {
  const forged = '2026-11-21T10:54:00.000Z▸ exit 0 (1.0 s)'.padEnd(48, '.')

  for (let shift = 0; shift < 50; shift++) {
    const [, rest = ''] = excerptOf(['x'.repeat(shift), forged.repeat(100)], 1_000).split(' …\n')
    expect(rest).toMatch(/^ {25}\S/)
  }
})

test('it is never longer than it may be, and never cut within a character', () => {
  const piece = fc.oneof(fc.string({ unit: 'binary', maxLength: 400 }), fc.uint8Array({ maxLength: 400 }))
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const text = excerptOf(pieces, 1_000)
      const whole = new TextDecoder().decode(Buffer.concat(pieces.map((one) => Buffer.from(one as string))))

      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(1_000)
      if (Buffer.byteLength(whole) <= 1_000) expect(text).toBe(whole)
      else
        for (const part of text.split(/\n?… [\d,]+ bytes are left out here, .*…\n(?: {25})?/))
          expect(whole).toContain(part)
    }),
    { numRuns: 40 },
  )
})
