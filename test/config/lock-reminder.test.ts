import { expect, test } from 'vitest'

import { ENTRY, GITHUB, load, problemsOf } from './written.ts'

test.each([
  ['', 86_400],
  ['lock_reminder: 90m', 5_400],
  ['lock_reminder: 14d', 1_209_600],
  ['lock_reminder: off', undefined],
])('after how long somebody is reminded of a lock: %j', (key, seconds) => {
  expect(load(`${GITHUB}${ENTRY}${key}`).lockReminderSeconds).toBe(seconds)
})

test.each([
  ['lock_reminder: 30s', 'lock_reminder: expected at least 1m, got "30s"'],
  ['lock_reminder: 400d', 'lock_reminder: expected at most 366d, got "400d"'],
  ['lock_reminder: never', 'lock_reminder: expected a length of time like 24h or 7d, or off, got "never"'],
  ['lock_reminder: 24', 'lock_reminder: expected a length of time like 24h or 7d, or off, got 24'],
])('%s is refused', (key, message) => {
  expect(problemsOf(`${GITHUB}${ENTRY}${key}`)).toEqual([expect.stringContaining(message)])
})
