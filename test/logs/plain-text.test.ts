import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { createPlainText, type PlainPieces } from '../../src/logs/plain-text.ts'

/** The text in one piece. */
function plain(text: string | Buffer): string {
  const stream = createPlainText()
  return Buffer.concat([stream.push(Buffer.from(text)), stream.flush()]).toString()
}

describe('what is read in a browser or a terminal is text and nothing else', () => {
  test.each([
    ['colours', '\u001b[1;32mgreen\u001b[0m', 'green'],
    ['a link (OSC 8), ended by BEL', '\u001b]8;;https://x.example\u0007link\u001b]8;;\u0007', 'link'],
    ['a link (OSC 8), ended by ST', '\u001b]8;;https://x.example\u001b\\link\u001b]8;;\u001b\\', 'link'],
    ['a title', 'a\u001b]0;title\u0007b', 'ab'],
    ['the clipboard (OSC 52)', 'a\u001b]52;c;cHduZWQ=\u0007b', 'ab'],
    ['a question to the terminal (DCS)', 'a\u001bP$qm\u001b\\b', 'ab'],
    ['clearing the screen, and moving', '\u001b[2J\u001b[1;1H\u001b7x\u001b8\u001bc', 'x'],
    ['sequences of eight bits', '\u009b2Jx\u009d0;title\u009cy\u0090q\u009cz', 'xyz'],
    ['a sequence that nobody ends', 'a\u001b]0;title\nb', 'a]0;title\nb'],
    ['controls', 'a\0b\u0007c\bd\u000be\u000cf\u007fg\u0085h', 'abcdefgh'],
    ['marks that turn text around', 'a\u202eb\u2066c\u200fd\u061ce', 'abcde'],
    ['marks that break lines', 'a\u2028b\u2029c', 'abc'],
    ['tabs and letters beyond ASCII', 'a\té€😀â\n', 'a\té€😀â\n'],
    ['line breaks of Windows', 'a\r\nb\r\r\nc', 'a\nb\nc'],
    ['a progress bar', '10%\r20%', `10%\n${' '.repeat(25)}20%`],
  ])('%s', (_, written, read) => {
    expect(plain(written)).toBe(read)
  })

  test.each([
    '\r',
    '\b'.repeat(100),
    '\u001b[1G',
    '\u001b[A',
    '\u0085',
    '\u2028',
    '\u000b',
    '\u000c',
    '\n\r',
  ])('nothing forges a line of ours: %j', (mark) => {
    const ours = '2026-11-21T10:54:00.000Z▸ exit 0 (0.1 s)'

    const lines = plain(`2026-11-21T10:54:00.000Z it says ${mark}${ours}`).split(/[\n\r\u0085\u2028\u2029]/)

    expect(lines.filter((line) => line.startsWith(ours))).toEqual([])
  })
})

test('half a character at the end is handed on, since the next question may bring the other half', () => {
  const euro = Buffer.from('€')

  for (const cut of [1, 2])
    for (const part of [euro.subarray(0, cut), euro.subarray(cut)]) {
      const stream = createPlainText()
      expect(Buffer.concat([stream.push(part), stream.flush()])).toEqual(part)
    }
})

test('however the bytes are cut, the same comes out', () => {
  const piece = fc.constantFrom(
    '\u001b', '[', '32m', ']', '8;;', '\u0007', '\\', 'P', '\u009b', '\u009d', '\u009c', '\r', '\n', '\r\n', 'a', 'é',
    '€', '\u202e', '\u2028', '\ufeff', '\u061c', '\0', '\b', ' ', '0', 'm',
  ) // prettier-ignore
  const text = fc.array(piece, { maxLength: 30 }).map((pieces) => Buffer.from(pieces.join('')))
  const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 10 })
  fc.assert(
    fc.property(text, sizes, (bytes, sizes) => {
      const stream = createPlainText()
      const output: Buffer[] = []
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length] ?? 1
        output.push(stream.push(bytes.subarray(at, at + size)))
        at += size
      }
      expect(Buffer.concat([...output, stream.flush()]).toString()).toBe(plain(bytes))
    }),
    { numRuns: 5000 },
  )
})

test('of carriage returns without end, one is kept back', () => {
  const pieces: PlainPieces = new WeakMap()
  const stream = createPlainText(pieces)

  for (let times = 0; times < 10; times++) {
    const piece = Buffer.alloc(1_000, '\r')
    expect(stream.push(piece).toString()).toBe('')
    expect(pieces.get(piece)?.held).toBe('\r')
  }
  expect(stream.push(Buffer.from('\r\nx\r')).toString()).toBe('\nx')
  expect(stream.push(Buffer.from('y')).toString()).toBe(`\n${' '.repeat(25)}y`)
})

test('hostile text takes no more than linear time', () => {
  for (const piece of [
    '\r',
    '\u001b]',
    '\u009d',
    '\u001b[',
    '\u001b[0',
    '\u001bP\u00c2',
    '\u00c2',
    '\u2028',
  ]) {
    const before = process.cpuUsage()
    plain(piece.repeat(300_000))
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1e6).toBeLessThan(15) // seconds of a processor; quadratic time takes minutes
  }
})
