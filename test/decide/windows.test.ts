import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { Window, Windows } from '../../src/config/config.ts'
import { windowAt } from '../../src/decide/windows.ts'
import { around } from '../../src/schedule/cron.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const at = (text: string): number => Date.parse(text)
const shown = (moment: number | undefined): string | undefined =>
  moment === undefined ? undefined : new Date(moment).toISOString().replace(':00.000Z', 'Z')

interface Given {
  readonly zone?: string
  readonly name?: string
}

const recurring = (cron: string, hours: number, { zone = 'Europe/Berlin', name }: Given = {}): Window => ({
  kind: 'recurring',
  cron,
  durationSeconds: hours * 3600,
  zone,
  name,
})
const single = (from: string, until: string, { zone = 'Europe/Berlin', name }: Given = {}): Window => ({
  kind: 'single',
  from: at(from),
  until: at(until),
  zone,
  name,
})
const allow = (...windows: readonly Window[]): Windows => ({ allow: windows, deny: [] })
const deny = (...windows: readonly Window[]): Windows => ({ allow: [], deny: windows })

/** `open until …` or `closed until …`, in UTC. */
function told(windows: Windows | undefined, moment: number | string): string {
  const { open, until } = windowAt(windows, typeof moment === 'string' ? at(moment) : moment)
  return `${open ? 'open' : 'closed'} until ${shown(until) ?? 'out of sight'}`
}
/** The same around a moment: right before it, and at it. */
const toldAround = (windows: Windows, moment: string): string[] =>
  [at(moment) - 1, at(moment)].map((one) => told(windows, one))

const detail = (windows: Windows, moment: string): string | undefined => {
  const answer = windowAt(windows, at(moment))
  return answer.open ? undefined : answer.detail
}

const OFFICE_HOURS = recurring('0 9 * * 1-5', 8)
const WEEKEND = recurring('0 16 * * 5', 64, { name: 'weekend freeze' })

describe('when deployments may begin', () => {
  test('always, where there are no windows', () => {
    expect(told(undefined, '2026-11-28T14:00Z')).toBe('open until out of sight')
  })

  test('inside of what is allowed: its beginning belongs to it, its end does not', () => {
    const windows = allow(OFFICE_HOURS)

    expect(toldAround(windows, '2026-11-27T08:00Z')).toEqual([
      'closed until 2026-11-27T08:00Z',
      'open until 2026-11-27T16:00Z',
    ])
    expect(toldAround(windows, '2026-11-27T16:00Z')).toEqual([
      'open until 2026-11-27T16:00Z',
      'closed until 2026-11-30T08:00Z',
    ])
  })

  test('outside of what is denied: its beginning belongs to it, its end does not', () => {
    const windows = deny(WEEKEND)

    expect(toldAround(windows, '2026-11-27T15:00Z')).toEqual([
      'open until 2026-11-27T15:00Z',
      'closed until 2026-11-30T07:00Z',
    ])
    expect(toldAround(windows, '2026-11-30T07:00Z')).toEqual([
      'closed until 2026-11-30T07:00Z',
      'open until 2026-12-04T15:00Z',
    ])
  })

  test('deny wins over allow, and until is when both let it', () => {
    const windows = { allow: [OFFICE_HOURS], deny: [WEEKEND] }

    expect(told(windows, '2026-11-27T14:00Z')).toBe('open until 2026-11-27T15:00Z')
    expect(told(windows, '2026-11-27T15:30Z')).toBe('closed until 2026-11-30T08:00Z')
    expect(told({ ...windows, deny: [recurring('0 16 * * 5', 66)] }, '2026-11-28T12:00Z')).toBe(
      'closed until 2026-11-30T09:00Z',
    )
  })

  test('windows that overlap or follow each other are one', () => {
    const halves = [recurring('0 9 * * *', 4), recurring('0 13 * * *', 4), recurring('30 10 * * *', 1)]

    expect(told(allow(...halves), '2026-11-28T09:00Z')).toBe('open until 2026-11-28T16:00Z')
    expect(told(deny(...halves), '2026-11-28T09:00Z')).toBe('closed until 2026-11-28T16:00Z')
    expect(told(deny(recurring('0 9-11 * * *', 1)), '2026-11-28T08:30Z')).toBe(
      'closed until 2026-11-28T11:00Z',
    )
    expect(told(deny(recurring('0 9-11 * * *', 5)), '2026-11-28T08:30Z')).toBe(
      'closed until 2026-11-28T15:00Z',
    )
  })

  test('a window may be longer than the time until it comes again', () => {
    expect(told(deny(recurring('0 0 * * *', 25)), '2026-11-28T12:00Z')).toBe('closed until out of sight')
    expect(told(allow(recurring('0 0 * * *', 25)), '2026-11-28T12:00Z')).toBe('open until out of sight')
  })

  test('a freeze that comes once', () => {
    const windows = deny(single('2026-12-19T23:00Z', '2027-01-02T07:00Z'))

    expect(told(windows, '2026-11-28T12:00Z')).toBe('open until 2026-12-19T23:00Z')
    expect(told(windows, '2026-12-19T23:00Z')).toBe('closed until 2027-01-02T07:00Z')
    expect(told(windows, '2027-01-02T07:00Z')).toBe('open until out of sight')
  })

  test('a time that is allowed once', () => {
    const windows = allow(single('2026-12-19T23:00Z', '2026-12-20T03:00Z'))

    expect(told(windows, '2026-11-28T12:00Z')).toBe('closed until 2026-12-19T23:00Z')
    expect(told(windows, '2026-12-20T03:00Z')).toBe('closed until out of sight')
  })

  test('zones of their own', () => {
    const windows = allow(
      recurring('0 9 * * *', 1, { zone: 'Asia/Tokyo' }),
      recurring('0 9 * * *', 1, { zone: 'America/New_York' }),
    )

    expect(told(windows, '2026-11-28T02:00Z')).toBe('closed until 2026-11-28T14:00Z')
    expect(told(windows, '2026-11-28T15:00Z')).toBe('closed until 2026-11-29T00:00Z')
  })
})

describe('when the clocks change', () => {
  const begins = (cron: string, zone: string, after: string): string =>
    told(allow(recurring(cron, 1, { zone })), after)

  test.each([
    [
      'in the hour that is skipped: when the clock goes on',
      'Europe/Berlin',
      '30 2 * * *',
      '2026-03-28T12:00Z',
      '2026-03-29T01:00Z',
    ],
    [
      'in the hour that is skipped',
      'America/New_York',
      '30 2 * * *',
      '2026-03-07T12:00Z',
      '2026-03-08T07:00Z',
    ],
    [
      'in the half hour that is skipped',
      'Australia/Lord_Howe',
      '15 2 * * *',
      '2026-10-03T00:00Z',
      '2026-10-03T15:30Z',
    ],
    [
      'in the hour that comes twice: the first time',
      'Europe/Berlin',
      '30 2 * * *',
      '2026-10-24T12:00Z',
      '2026-10-25T00:30Z',
    ],
    [
      'in the hour that comes twice',
      'America/New_York',
      '30 1 * * *',
      '2026-10-31T12:00Z',
      '2026-11-01T05:30Z',
    ],
    [
      'in the half hour that comes twice',
      'Australia/Lord_Howe',
      '45 1 * * *',
      '2026-04-04T00:00Z',
      '2026-04-04T14:45Z',
    ],
    ['where they never change', 'Asia/Tokyo', '30 2 * * *', '2026-03-28T20:00Z', '2026-03-29T17:30Z'],
  ])('a window begins %s (%s)', (_, zone, cron, after, expected) => {
    expect(begins(cron, zone, after)).toBe(`closed until ${expected}`)
  })

  test('one that begins in the hour that comes twice does not begin again', () => {
    const windows = allow(recurring('30 2 * * *', 0.5))

    expect(told(windows, '2026-10-25T00:45Z')).toBe('open until 2026-10-25T01:00Z')
    expect(told(windows, '2026-10-25T01:45Z')).toBe('closed until 2026-10-26T01:30Z')
  })

  test.each([
    ['Europe/Berlin', '2026-03-28T23:00Z', '2026-03-29T07:00Z'],
    ['Europe/Berlin', '2026-10-24T22:00Z', '2026-10-25T06:00Z'],
    ['America/New_York', '2026-03-08T05:00Z', '2026-03-08T13:00Z'],
    ['America/New_York', '2026-11-01T04:00Z', '2026-11-01T12:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T13:30Z', '2026-10-03T21:30Z'],
    ['Australia/Lord_Howe', '2026-04-04T13:00Z', '2026-04-04T21:00Z'],
  ])('eight hours are eight hours, whatever the clock of %s shows (%s)', (zone, from, until) => {
    const windows = deny(recurring('0 0 * * *', 8, { zone }))

    expect(toldAround(windows, from)).toEqual([`open until ${shown(at(from))}`, `closed until ${until}`])
    expect(toldAround(windows, until)[0]).toBe(`closed until ${until}`)
    expect(windowAt(windows, at(until)).open).toBe(true)
  })

  test('one over the whole day leaves the hour that a day is longer', () => {
    const windows = deny(recurring('0 0 * * *', 24))

    expect(told(windows, '2026-10-24T23:00Z')).toBe('closed until 2026-10-25T22:00Z')
    expect(told(windows, '2026-10-25T22:00Z')).toBe('open until 2026-10-25T23:00Z')
  })
})

describe('what is said of it', () => {
  test('outside of its windows', () => {
    expect(detail(allow(OFFICE_HOURS), '2026-11-28T14:00Z')).toBe(
      'Outside its windows until Mon 2026-11-30 09:00 CET',
    )
    expect(detail(allow({ ...OFFICE_HOURS, name: 'office hours' }), '2026-11-28T14:00Z')).toBe(
      'Outside its windows until Mon 2026-11-30 09:00 CET (office hours)',
    )
  })

  test('inside of one that denies, by its name', () => {
    expect(detail(deny(WEEKEND), '2026-11-28T14:00Z')).toBe('weekend freeze until Mon 2026-11-30 08:00 CET')
    expect(detail(deny({ ...WEEKEND, name: undefined }), '2026-11-28T14:00Z')).toBe(
      'Denied by its windows until Mon 2026-11-30 08:00 CET',
    )
  })

  test('a name is not said to last longer than its window', () => {
    const both = { allow: [OFFICE_HOURS], deny: [WEEKEND] }

    expect(detail(both, '2026-11-28T14:00Z')).toBe(
      'weekend freeze; its windows open Mon 2026-11-30 09:00 CET',
    )
    expect(detail(both, '2026-11-30T07:00Z')).toBe('Outside its windows until Mon 2026-11-30 09:00 CET')
  })

  test('of several that deny the name of the one that ends last', () => {
    const friday = recurring('0 12 * * 5', 12, { name: 'friday afternoon' })

    for (const windows of [deny(WEEKEND, friday), deny(friday, WEEKEND)])
      expect(detail(windows, '2026-11-27T16:00Z')).toBe('weekend freeze until Mon 2026-11-30 08:00 CET')
  })

  test('a window that begins meanwhile is the reason from then on', () => {
    const windows = { allow: [OFFICE_HOURS], deny: [recurring('0 4 * * *', 2, { name: 'backup' })] }

    expect(detail(windows, '2026-11-27T02:59Z')).toBe('Outside its windows until Fri 2026-11-27 09:00 CET')
    expect(detail(windows, '2026-11-27T03:00Z')).toBe('backup; its windows open Fri 2026-11-27 09:00 CET')
    expect(detail(windows, '2026-11-27T05:00Z')).toBe('Outside its windows until Fri 2026-11-27 09:00 CET')
  })

  test('where no end is in sight, as far as was looked', () => {
    const daily = recurring('0 0 * * *', 25, { name: 'never' })
    const single2026 = single('2026-01-01T00:00Z', '2026-01-02T00:00Z')

    expect(detail(deny(daily), '2026-11-28T14:00Z')).toBe(
      'never; its windows do not open before Mon 2028-01-03 01:00 CET',
    )
    expect(detail(allow(single2026), '2026-11-28T14:00Z')).toBe(
      'Outside its windows; its windows do not open before Sun 2028-01-02 15:00 CET',
    )
    expect(detail(deny({ ...daily, name: undefined }), '2026-11-28T14:00Z')).toBe(
      'Denied by its windows; its windows do not open before Mon 2028-01-03 01:00 CET',
    )
  })

  test('the longest fits into what GitHub shows', () => {
    const name = 'n'.repeat(60)
    const zone = 'Antarctica/DumontDUrville'

    const sentences = [
      detail(deny(recurring('0 0 * * *', 25, { name, zone })), '2026-11-28T14:00Z'),
      detail(allow(recurring('0 0 1 * *', 1, { name, zone })), '2026-11-28T14:00Z'),
    ]

    for (const sentence of sentences) expect((sentence ?? '').length).toBeLessThanOrEqual(140)
    expect(sentences.every((sentence) => sentence?.includes(name))).toBe(true)
  })
})

describe('the cost', () => {
  test('a window without end over very many edges is followed for a while only', () => {
    const minutely = deny({ ...recurring('* * * * *', 1 / 60), name: 'always' })

    expect(told(minutely, '2026-11-28T14:00Z')).toBe('closed until out of sight')
    expect(detail(minutely, '2026-11-28T14:00Z')).toBe(
      'always; its windows do not open before Sun 2026-11-29 16:00 CET',
    )
    expect(told(allow(...minutely.deny), '2026-11-28T14:00Z')).toBe('open until out of sight')
  })

  test('ten thousand environments are asked in a moment', () => {
    const all = Array.from({ length: 10_000 }, (_, index) => ({
      allow: [recurring(`${index % 60} 9 * * 1-5`, 8)],
      deny: [WEEKEND],
    }))
    const look = (now: number): void => all.forEach((windows) => void windowAt(windows, now))
    look(at('2026-11-27T07:59Z'))

    const before = process.cpuUsage()
    for (let minute = 0; minute < 60; minute += 1) look(at('2026-11-27T08:00Z') + minute * MINUTE)
    const { user, system } = process.cpuUsage(before)

    expect((user + system) / 1_000 / 60).toBeLessThan(200)
  })
})

describe('whatever the windows', () => {
  const cron = fc
    .tuple(
      fc.constantFrom('0', '15', '*/20', '10,40'),
      fc.constantFrom('*', '2', '1-3', '*/6', '9', '23'),
      fc.constantFrom('*', '1', '25-31'),
      fc.constantFrom('*', '*', '3,10', '4,11'),
      fc.constantFrom('*', '*', '0', '1-5', '5'),
    )
    .map((fields) => fields.join(' '))
  const zone = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Tokyo')
  const repeated = fc
    .tuple(cron, fc.constantFrom(5, 20, 60, 90, 8 * 60, 26 * 60), zone)
    .map(([text, minutes, inZone]) => recurring(text, minutes / 60, { zone: inZone }))
  /** Two days around a change of the clocks, somewhere. */
  const now = fc
    .tuple(
      fc.constantFrom(
        '2026-03-08',
        '2026-03-29',
        '2026-04-05',
        '2026-10-04',
        '2026-10-25',
        '2026-11-01',
        '2026-07-01',
      ),
      fc.integer({ min: -24 * 60, max: 24 * 60 }),
    )
    .map(([day, minutes]) => at(day) + minutes * MINUTE)
  const once = fc
    .tuple(now, fc.integer({ min: 1, max: 3_000 }))
    .map(([from, minutes]) =>
      single(new Date(from).toISOString(), new Date(from + minutes * MINUTE).toISOString()),
    )
  const list = fc.array(fc.oneof({ weight: 4, arbitrary: repeated }, once), { maxLength: 3 })
  const windows: fc.Arbitrary<Windows> = fc.record({ allow: list, deny: list })

  /** Every beginning within this time, one by one; whether a moment is covered is seen from these alone. */
  function createOracle({ allow, deny }: Windows, from: number, until: number) {
    const stretches = (all: readonly Window[]): [number, number][] =>
      all.flatMap((window) => {
        if (window.kind === 'single') return [[window.from, window.until]]
        const found: [number, number][] = []
        let start = around(window, from - 2 * DAY).next
        while (start !== undefined && start < until) {
          found.push([start, start + window.durationSeconds * 1000])
          start = around(window, start).next
        }
        return found
      })
    const [allowed, denied] = [stretches(allow), stretches(deny)]
    const isIn = (all: [number, number][], moment: number): boolean =>
      all.some(([start, end]) => start <= moment && moment < end)
    return (moment: number): boolean => !isIn(denied, moment) && (allow.length === 0 || isIn(allowed, moment))
  }

  test('until is the first minute at which it is otherwise', () => {
    const span = 3 * DAY
    fc.assert(
      fc.property(windows, now, (given, moment) => {
        const isOpen = createOracle(given, moment, moment + span)
        const answer = windowAt(given, moment)

        expect(answer.open).toBe(isOpen(moment))
        let other = moment
        while (other < moment + span && isOpen(other) === answer.open) other += MINUTE
        if (other < moment + span) expect(shown(answer.until)).toBe(shown(other))
        else expect(answer.until ?? Infinity).toBeGreaterThanOrEqual(moment + span)
      }),
      { numRuns: 150 },
    )
  })

  test('what is remembered is what would be found anew', () => {
    fc.assert(
      fc.property(
        windows,
        now,
        fc.array(fc.integer({ min: 0, max: 4_000 }), { maxLength: 6 }),
        (given, moment, later) => {
          for (const minutes of later) {
            const asked = moment + minutes * MINUTE
            const { until, ...answer } = windowAt(given, asked)
            if (until !== undefined) expect({ until, ...answer }).toEqual(windowAt({ ...given }, asked))
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})
