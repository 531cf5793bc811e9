import fc from 'fast-check'
import { expect, test } from 'vitest'

import { around, momentIn, wrongInCron } from '../../src/schedule/cron.ts'

const BERLIN = 'Europe/Berlin'
const LORD_HOWE = 'Australia/Lord_Howe'

const at = (text: string): number => Date.parse(text)
const shown = (moment: number | undefined): string | undefined =>
  moment === undefined ? undefined : new Date(moment).toISOString().replace(':00.000Z', 'Z')

/** The next times after a moment, in UTC. */
function following(cron: string, zone: string, after: string, count = 3): (string | undefined)[] {
  let moment: number | undefined = at(after)
  return Array.from({ length: count }, () => {
    moment = moment === undefined ? undefined : around({ cron, zone }, moment).next
    return shown(moment)
  })
}

test('a moment at which it comes is the last one, not the next', () => {
  const nine = { cron: '0 9 * * 1-5', zone: BERLIN }
  const monday = at('2026-11-30T08:00Z')
  const times = (moment: number) => Object.values(around(nine, moment)).map(shown)

  expect(times(monday - 1)).toEqual(['2026-11-27T08:00Z', '2026-11-30T08:00Z'])
  expect(times(monday)).toEqual(['2026-11-30T08:00Z', '2026-12-01T08:00Z'])
  expect(times(monday + 1)).toEqual(['2026-11-30T08:00Z', '2026-12-01T08:00Z'])
})

test('what is remembered of one moment makes no difference at another', () => {
  const moment = fc.integer({ min: at('2026-01-01T00:00Z'), max: at('2027-12-31T00:00Z') })
  const cron = fc.constantFrom('30 2 * * *', '*/20 * * * *', '0 0 1 * *', '15 1,2 * * 0')

  fc.assert(
    fc.property(fc.array(moment, { minLength: 2, maxLength: 5 }), cron, (moments, given) => {
      const asked = moments.map((one) => around({ cron: given, zone: BERLIN }, one))
      const alone = moments.map((one, index) =>
        around({ cron: `${given}${' '.repeat(index + 1)}`, zone: BERLIN }, one),
      )
      expect(asked).toEqual(alone)
    }),
    { numRuns: 50 },
  )
})

test.each([
  [
    'skipped: once, when the clock goes on',
    '30 2 * * *',
    BERLIN,
    '2026-03-28T12:00Z',
    '2026-03-29T01:00Z',
    '2026-03-30T00:30Z',
  ],
  [
    'skipped, one of a list',
    '30 2,14 * * *',
    BERLIN,
    '2026-03-28T14:00Z',
    '2026-03-29T01:00Z',
    '2026-03-29T12:30Z',
  ],
  [
    'skipped, with a step: not at all',
    '*/30 2 * * *',
    BERLIN,
    '2026-03-28T02:00Z',
    '2026-03-30T00:00Z',
    '2026-03-30T00:30Z',
  ],
  [
    'shown twice: once, the first time',
    '30 2 * * *',
    BERLIN,
    '2026-10-24T12:00Z',
    '2026-10-25T00:30Z',
    '2026-10-26T01:30Z',
  ],
  [
    'shown twice, with a step: both times',
    '30 */2 * * *',
    BERLIN,
    '2026-10-25T00:00Z',
    '2026-10-25T00:30Z',
    '2026-10-25T01:30Z',
  ],
  [
    'New York, skipped',
    '30 2 * * *',
    'America/New_York',
    '2026-03-07T12:00Z',
    '2026-03-08T07:00Z',
    '2026-03-09T06:30Z',
  ],
  [
    'New York, twice',
    '30 1 * * *',
    'America/New_York',
    '2026-10-31T12:00Z',
    '2026-11-01T05:30Z',
    '2026-11-02T06:30Z',
  ],
  [
    'half an hour skipped',
    '15 2 * * *',
    LORD_HOWE,
    '2026-10-02T16:00Z',
    '2026-10-03T15:30Z',
    '2026-10-04T15:15Z',
  ],
  [
    'half an hour twice',
    '45 1 * * *',
    LORD_HOWE,
    '2026-04-03T16:00Z',
    '2026-04-04T14:45Z',
    '2026-04-05T15:15Z',
  ],
  [
    'no summer time',
    '30 2 * * *',
    'Asia/Tokyo',
    '2026-03-28T18:00Z',
    '2026-03-29T17:30Z',
    '2026-03-30T17:30Z',
  ],
])('%s', (_, cron, zone, after, ...expected) => {
  expect(following(cron, zone, after, 2)).toEqual(expected)
})

test('an expression whose days are rare, and one whose days are over', () => {
  expect(following('0 0 29 2 *', 'UTC', '2026-11-28T00:00Z', 2)).toEqual([
    '2028-02-29T00:00Z',
    '2032-02-29T00:00Z',
  ])
  expect(around({ cron: '0 0 29 2 *', zone: 'UTC' }, at('9999-01-01T00:00Z')).next).toBeUndefined()
})

test.each([
  '0 9 * * 1-5',
  '*/15 8-17 * * *',
  ' 0 0 1 JAN,jul SUN ',
  '0 0 L * *',
  '0 0 * * 5#2',
  '0 0 29 2 *',
])('%j is a cron expression', (text) => {
  expect(wrongInCron(text)).toBeUndefined()
})

const FIVE = 'five fields: minute, hour, day of the month, month, day of the week, such as "0 9 * * 1-5"'

test.each([
  ['', FIVE],
  ['0 9 * *', FIVE],
  ['0 0 9 * * 1-5', FIVE],
  ['@daily', FIVE],
  ['2026-12-20T00:00', FIVE],
  ['60 9 * * *', 'minutes from 0 to 59, as its 1st field'],
  ['*/0 9 * * *', 'minutes from 0 to 59, as its 1st field'],
  ['0 24 * * *', 'hours from 0 to 23, as its 2nd field'],
  ['0 22-2 * * *', 'hours from 0 to 23, as its 2nd field'],
  ['0 9 0 * *', 'days of the month from 1 to 31, as its 3rd field'],
  ['0 9 * 13 *', 'months from 1 to 12, or JAN to DEC, as its 4th field'],
  ['0 9 * * MO', 'days of the week from 0 to 7, or SUN to SAT, as its 5th field'],
  ['0 0 30 2 *', 'a day that exists'],
  ['0 0 31 4,6 *', 'a day that exists'],
])('%j is none', (text, expected) => {
  expect(wrongInCron(text)).toBe(expected)
})

test('whatever is written can be used, or what was expected is said', () => {
  const field = fc.string({
    unit: fc.constantFrom(...Array.from('0123456789*/-,LW#?+MONjan')),
    minLength: 1,
    maxLength: 5,
  })
  const likely = fc.oneof({ weight: 3, arbitrary: fc.constantFrom('*', '0', '1-5', '*/2', 'L') }, field)
  const fields = fc.array(likely, { minLength: 5, maxLength: 5 }).map((all) => all.join(' '))

  fc.assert(
    fc.property(fc.oneof({ weight: 5, arbitrary: fields }, fc.string()), (text) => {
      const wrong = wrongInCron(text)
      if (wrong === undefined) expect(around({ cron: text, zone: BERLIN }, 0).next).toBeGreaterThan(0)
      else expect(wrong).toMatch(/^(five fields: |a day that exists|[a-z ]+ from \d)/)
    }),
    { numRuns: 500 },
  )
})

test.each([
  ['2026-12-20T00:00', BERLIN, '2026-12-19T23:00Z'],
  ['2026-07-20 08:30', BERLIN, '2026-07-20T06:30Z'],
  ['2026-01-01T00:00', 'Pacific/Kiritimati', '2025-12-31T10:00Z'],
  ['2026-01-01T23:59', 'Pacific/Pago_Pago', '2026-01-02T10:59Z'],
  ['2028-02-29T12:00', 'UTC', '2028-02-29T12:00Z'],
  ['2026-03-29T02:30', BERLIN, '2026-03-29T01:00Z'],
  ['2026-10-25T02:30', BERLIN, '2026-10-25T00:30Z'],
])('%s in %s is %s', (text, zone, expected) => {
  expect(shown(momentIn(zone, text))).toBe(expected)
})

test.each([
  '2027-02-29T00:00',
  '2026-13-01T00:00',
  '2026-01-00T00:00',
  '2026-01-01T24:00',
  '2026-01-01T00:60',
  '2026-01-01',
  '26-01-01T00:00',
  '2026-01-01T00:00Z',
  '',
])('%j is no time', (text) => {
  expect(momentIn(BERLIN, text)).toBeUndefined()
})
