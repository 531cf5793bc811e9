import { expect, test } from 'vitest'

import { ENTRY, GITHUB, load, problemsOf } from './written.ts'

test.each([
  ['', 300, 86_400],
  ['catch_up: 10m\ncatch_up_max_age: 72h', 600, 259_200],
  ['catch_up: 90\ncatch_up_max_age: 60', 90, 60],
  ['catch_up: off', undefined, 86_400],
])('how often and how far back is looked: %j', (keys, seconds, maxAge) => {
  const { catchUpSeconds, catchUpMaxAgeSeconds } = load(`${GITHUB}${ENTRY}${keys}`)

  expect([catchUpSeconds, catchUpMaxAgeSeconds]).toEqual([seconds, maxAge])
})

test.each([
  ['catch_up: 30s', 'catch_up: expected at least 1m, got "30s"'],
  ['catch_up: never', 'catch_up: expected a length of time like 5m, or off, got "never"'],
  ['catch_up_max_age: 8d', 'catch_up_max_age: expected at most 168h, got "8d"'],
  ['catch_up_max_age: 169h', 'catch_up_max_age: expected at most 168h, got "169h"'],
  ['catch_up_max_age: 0', 'catch_up_max_age: expected more than 0 seconds, got 0'],
])('%s is refused', (key, message) => {
  expect(problemsOf(`${GITHUB}${ENTRY}${key}`)).toEqual([expect.stringContaining(message)])
})
