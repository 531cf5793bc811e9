import fc from 'fast-check'
import { expect, test } from 'vitest'

import { WINDOW_BYTES, chunkRoom } from '../../src/logs/chunk-memory.ts'
import { endsIn, wordsOf } from '../../src/logs/walk.ts'

/** Where a word really ends; before one of three bytes there may be any, or none. */
const endsOf = (bytes: Buffer, words: readonly Buffer[]): number[] =>
  Array.from({ length: bytes.length }, (_, end) => end).filter((end) =>
    words.some(
      (word) => end + 1 >= word.length && bytes.subarray(end + 1 - word.length, end + 1).equals(word),
    ),
  )

/** Of few letters, so that they meet often. */
const letter = fc.nat({ max: 5 })
const letters = fc.array(letter, { maxLength: 200 }).map((all) => Buffer.from(all))
const word = fc.array(letter, { minLength: 3, maxLength: 4 }).map((all) => Buffer.from(all))

test('it finds every word, in order, and little else', () => {
  fc.assert(
    fc.property(
      letters,
      fc.constantFrom(1, 100),
      fc.array(word, { maxLength: 4 }),
      fc.boolean(),
      (some, times, words, isChunk) => {
        const text = Buffer.concat(Array.from({ length: times }, () => some))
        const room = chunkRoom().subarray(0, text.length)
        text.copy(room)

        const found = endsIn(isChunk ? room : text, wordsOf(words))

        expect(found.filter((end) => endsOf(text, words).includes(end))).toEqual(endsOf(text, words))
        expect(found).toEqual([...new Set(found)].toSorted((one, other) => one - other))
        // What it finds too much has the last bytes of a word.
        const tails = words.map((one) => one.subarray(-3))
        expect(endsOf(text, tails)).toEqual(expect.arrayContaining(found))
      },
    ),
    { numRuns: 500 },
  )
})

test.each([
  3,
  4,
  5,
  17,
  1000,
  4_095,
  4_096,
  4_097,
  50_000,
  WINDOW_BYTES - 1,
  WINDOW_BYTES,
  WINDOW_BYTES + 1,
  WINDOW_BYTES + 2,
  WINDOW_BYTES + 3,
  2 * WINDOW_BYTES + 1,
])('a text is found wherever it ends in %i bytes', (length) => {
  const words = wordsOf([Buffer.from('abcd')])
  const borders = [WINDOW_BYTES, 2 * WINDOW_BYTES, length]
  for (let end = 3; end < length; end++) {
    const isNear = borders.some((border) => Math.abs(border - end) < 12)
    if (length > 2000 && !isNear && end % 997 !== 0) continue
    const bytes = Buffer.alloc(length, '.')
    bytes.write('abcd', end - 3, 'latin1')

    expect(endsIn(bytes, words)).toEqual([end])
  }
})

test('a word may end everywhere', () => {
  const bytes = Buffer.alloc(3 * WINDOW_BYTES, 'x')

  const found = endsIn(bytes, wordsOf([Buffer.from('xxxx')]))

  expect(found).toEqual(Array.from({ length: bytes.length - 2 }, (_, index) => index + 2))
})

test('what stands after the bytes, or stood there before, is not found', () => {
  const room = chunkRoom()
  room.fill('abcd')

  expect(endsIn(room.subarray(0, 5_000).fill('.'), wordsOf([Buffer.from('abcd')]))).toEqual([])
  expect(endsIn(Buffer.alloc(5_000, '.'), wordsOf([Buffer.from('abcd')]))).toEqual([])
})
