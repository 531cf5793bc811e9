import fc from 'fast-check'
import { expect, test } from 'vitest'

import { createWalk, pairOf, PAIRS, type Steps } from '../../src/logs/walk.ts'

const { stops } = createWalk()

/** The pairs that end at a place where nothing is left to go on: there it has to stop, and nowhere else. */
const stopsOf = (bytes: Buffer, steps: Steps): number[] =>
  Array.from({ length: Math.max(0, bytes.length - 2) }, (_, index) => index + 2).filter(
    (at) => steps[pairOf(bytes[at - 1] ?? 0, bytes[at] ?? 0)] === 0,
  )

/** Of few letters, so that they meet often. */
const letters = fc.array(fc.nat({ max: 5 }), { maxLength: 200 }).map((all) => Buffer.from(all))
const pairs = fc.array(fc.tuple(fc.nat({ max: 5 }), fc.nat({ max: 5 })), { maxLength: 4 })

test('it stops at every pair that it is to stop at, in order', () => {
  fc.assert(
    fc.property(letters, fc.constantFrom(1, 100), pairs, (some, times, pairs) => {
      const bytes = Buffer.concat(Array.from({ length: times }, () => some))
      const steps = new Uint8Array(PAIRS).fill(1)
      for (const [first, second] of pairs) steps[pairOf(first, second)] = 0

      expect(stops(bytes, steps)).toEqual(stopsOf(bytes, steps))
    }),
    { numRuns: 2000 },
  )
})

/** One that looks for a text of four bytes goes on by as much as two of them allow. */
function stepsFor(text: string): Steps {
  const steps = new Uint8Array(PAIRS).fill(3)
  for (let end = 1; end < 4; end++) steps[pairOf(text.charCodeAt(end - 1), text.charCodeAt(end))] = 3 - end
  return steps
}

test.each([
  3, 4, 5, 17, 1000, 4_095, 4_096, 4_097, 4_098, 4_099, 16_383, 16_384, 16_385, 16_386, 16_387, 50_000,
])('a text is found wherever it ends in %i bytes', (length) => {
  const steps = stepsFor('abcd')
  for (let end = 3; end < length; end += length < 2000 ? 1 : 97) {
    const bytes = Buffer.alloc(length, '.')
    bytes.write('abcd', end - 3, 'latin1')

    expect(stops(bytes, steps)).toEqual([end])
  }
})

test('it may stop everywhere', () => {
  const bytes = Buffer.alloc(40_000, 'x')
  const steps = new Uint8Array(PAIRS)

  expect(stops(bytes, steps)).toEqual(stopsOf(bytes, steps))
})
