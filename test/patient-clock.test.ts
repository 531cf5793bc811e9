import { expect, test } from 'vitest'

import { createPatientClock } from '../src/patient-clock.ts'

const DAY = 86_400_000
const YEAR = 365 * DAY

/** A clock that can be set, and one that cannot; both go on. */
function clocks(earlier?: number) {
  const at = { clock: 100 * DAY, steady: 0 }
  const patient = createPatientClock({ clock: () => at.clock, steady: () => at.steady, earlier })
  const pass = (ms: number): number => {
    at.clock += ms
    at.steady += ms
    return patient.now()
  }
  return { at, patient, pass }
}

test('a clock that is right is believed', () => {
  const { pass } = clocks()

  expect(pass(0)).toBe(100 * DAY)
  expect(pass(5 * DAY)).toBe(105 * DAY)
})

test('a clock that jumps ahead makes things grow old no more than twice as fast, and is forgiven', () => {
  const { at, pass } = clocks()

  at.clock += 10 * YEAR
  expect(pass(0)).toBe(100 * DAY)
  expect(pass(DAY)).toBe(102 * DAY)
  at.clock -= 10 * YEAR
  expect(pass(0)).toBe(101 * DAY)
  expect(pass(5 * DAY)).toBe(106 * DAY)
})

test('a clock that was set back and mended again changes nothing', () => {
  const { at, pass } = clocks()

  at.clock -= 10 * YEAR
  expect(pass(DAY)).toBe(101 * DAY - 10 * YEAR)
  at.clock += 10 * YEAR
  expect(pass(DAY)).toBe(102 * DAY)
})

test('a restart with a clock that is wrong makes nothing old; what a server was away for is caught up on', () => {
  const { patient, pass } = clocks(40 * DAY)

  expect(pass(0)).toBe(40 * DAY)
  expect(pass(10 * DAY)).toBe(60 * DAY)
  expect(pass(60 * DAY)).toBe(170 * DAY)
  expect(patient.furthest()).toBe(170 * DAY)
})
