import { expect, test } from 'vitest'

import { createChance } from '../../torture/chance.ts'

const decisions = (seed: string): number[] => {
  const chance = createChance(seed)
  return Array.from({ length: 200 }, () => chance.integer(1, 6))
}

test('the same seed makes the same decisions, another seed others', () => {
  const [one, again, other] = [decisions('7/1'), decisions('7/1'), decisions('7/2')]

  expect(again).toEqual(one)
  expect(other).not.toEqual(one)
})

test('every number of the range comes, and no other', () => {
  const seen = new Set(decisions('any'))

  expect(seen).toEqual(new Set([1, 2, 3, 4, 5, 6]))
})

test('what happens with a probability happens about that often', () => {
  const chance = createChance('often')

  const times = Array.from({ length: 1_000 }, () => chance.happens(0.2)).filter(Boolean).length

  expect(times).toBeGreaterThan(120)
  expect(times).toBeLessThan(280)
  expect(chance.pick(['only'])).toBe('only')
})
