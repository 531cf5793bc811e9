import { expect, test } from 'vitest'

import { createSeldom } from '../../src/logs/seldom.ts'

test('what goes wrong every second is told at first, and then once a minute', () => {
  let second = 0
  const isToBeTold = createSeldom(() => second * 1_000)

  const told: number[] = []
  for (; second < 180; second += 1) if (isToBeTold()) told.push(second)

  expect(told).toEqual([0, 60, 120])
})
