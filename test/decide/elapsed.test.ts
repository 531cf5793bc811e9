import { expect, test } from 'vitest'

import { createElapsed } from '../../src/decide/elapsed.ts'

const YEAR = 365 * 86_400_000

/** A clock that can be set, and one that cannot. */
function clocks() {
  const at = { clock: 1_000, steady: 0 }
  const elapsed = createElapsed({ clock: () => at.clock, steady: () => at.steady })
  return { at, elapsed }
}

test('how long something lasts is told truly, whatever is done to the clock meanwhile', () => {
  const { at, elapsed } = clocks()

  expect(elapsed('a', 400)).toBe(600)
  for (const set of [10 * YEAR, -10 * YEAR, 0]) {
    at.clock = set
    at.steady += 1_000
    expect(elapsed('a', 400)).toBe(600 + at.steady)
  }
})

test('nothing has begun in the future', () => {
  const { at, elapsed } = clocks()

  expect(elapsed('a', 5_000)).toBe(0)
  at.steady = 70
  expect(elapsed('a', 5_000)).toBe(70)
})

test('of very many things the one that was asked about last is remembered', () => {
  const { at, elapsed } = clocks()
  elapsed('kept', 1_000)
  for (let thing = 0; thing < 60_000; thing += 1) {
    elapsed(String(thing), 1_000)
    if (thing % 5_000 === 0) elapsed('kept', 1_000)
  }

  at.clock = 10 * YEAR
  at.steady = 3

  expect(elapsed('kept', 1_000)).toBe(3)
  expect(elapsed('0', 1_000)).toBe(10 * YEAR - 1_000)
})
