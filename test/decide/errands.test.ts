import { expect, test } from 'vitest'

import { readErrand } from '../../src/decide/errands.ts'

const SECRET = 'hunter2-hunter2'
const means = { receivedAt: 2_000, mask: (text: string) => text.replaceAll(SECRET, '•••') }
const asked = (given: object = {}, description = '') => ({
  payload: JSON.stringify(given),
  description,
  createdAt: 1_000,
})
const reasonOf = (given: object, description?: string) => {
  const reading = readErrand('lock', asked(given, description), means)
  return 'errand' in reading && reading.errand.kind === 'lock' ? reading.errand.reason : ''
}

test('a secret in the reason is hidden before that is cut, so that no half of it is kept', () => {
  for (let before = 480; before <= 500; before += 1) {
    const reason = reasonOf({ reason: `${'x'.repeat(before)}${SECRET} and so on` })
    expect(reason).not.toContain('hunter')
    expect([reason.length > 480, reason.length <= 500]).toEqual([true, true])
  }
})

test('the reason is that of the payload, else the description, and whole characters', () => {
  expect(reasonOf({ reason: ' moving ' }, 'a description')).toBe('moving')
  expect(reasonOf({ reason: ' ' }, 'a description')).toBe('a description')
  expect(reasonOf({})).toBe('no reason given')
  expect(reasonOf({ reason: `${'x'.repeat(498)}🚢 and so on` })).toBe(`${'x'.repeat(498)}\ufffd…`)
})

test('a time counts from when it was asked for, and a number of a lock is a number', () => {
  expect(readErrand('lock', asked({ for: '2h' }), means)).toMatchObject({
    errand: { until: 7_201_000, at: 1_000 },
  })
  expect(readErrand('unlock', asked({ lock: '7' }), means)).toEqual({
    errand: { kind: 'unlock', lock: 7, at: 1_000 },
  })
  expect(readErrand('unlock', { ...asked(), createdAt: undefined }, means)).toEqual({
    errand: { kind: 'unlock', lock: undefined, at: 2_000 },
  })
})
