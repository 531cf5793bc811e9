import { expect, test } from 'vitest'

import { isZone, timeIn } from '../../src/schedule/zones.ts'

test.each([
  ['Europe/Berlin', '2026-11-30T08:00Z', 'Mon 2026-11-30 09:00 CET'],
  ['Europe/Berlin', '2026-06-30T22:00Z', 'Wed 2026-07-01 00:00 CEST'],
  ['America/New_York', '2026-11-30T13:05Z', 'Mon 2026-11-30 08:05 EST'],
  ['Australia/Lord_Howe', '2026-11-30T13:00Z', 'Tue 2026-12-01 00:00 LHDT'],
  ['Asia/Tokyo', '2026-11-30T00:00Z', 'Mon 2026-11-30 09:00 UTC+9'],
  ['Asia/Kolkata', '2026-11-30T00:00Z', 'Mon 2026-11-30 05:30 UTC+5:30'],
  ['UTC', '2026-11-30T00:00Z', 'Mon 2026-11-30 00:00 UTC'],
])('%s tells %s as %s', (zone, at, expected) => {
  expect(timeIn(zone, Date.parse(at))).toBe(expected)
})

test('the two hours that a clock shows alike are told apart', () => {
  const first = Date.parse('2026-10-25T00:30Z')

  expect(timeIn('Europe/Berlin', first)).toBe('Sun 2026-10-25 02:30 CEST')
  expect(timeIn('Europe/Berlin', first + 3_600_000)).toBe('Sun 2026-10-25 02:30 CET')
})

test('a zone has a name', () => {
  expect(
    ['Europe/Berlin', 'utc', 'Asia/Kolkata', 'Europe/Kyiv', 'EST5EDT'].filter((name) => !isZone(name)),
  ).toEqual([])
  expect(['', '+01:00', 'Berlin', 'Europe/Berln', 'Local', 'UTC+1'].filter(isZone)).toEqual([])
})
