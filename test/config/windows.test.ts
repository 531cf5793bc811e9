import { chmodSync, readFileSync } from 'node:fs'

import { describe, expect, test } from 'vitest'

import { loadConfig } from '../../src/config/load.ts'
import { windowAt } from '../../src/decide/windows.ts'
import { GITHUB, load, problemsOfShop, shop, written } from './written.ts'

const NINE = `{cron: '0 9 * * 1-5', duration: 8h}`

describe('what windows mean', () => {
  test('recurring ones, in the zone that they share or in their own', () => {
    const { windows } = shop(`commands: [[id]]
windows:
  zone: Europe/Berlin
  allow:
    - ${NINE}
    - {cron: ' 0 1 * * * ', duration: 2d12h, zone: Asia/Tokyo, name: night}
`)

    expect(windows).toEqual({
      allow: [
        {
          kind: 'recurring',
          cron: '0 9 * * 1-5',
          durationSeconds: 28_800,
          zone: 'Europe/Berlin',
          name: undefined,
        },
        { kind: 'recurring', cron: '0 1 * * *', durationSeconds: 216_000, zone: 'Asia/Tokyo', name: 'night' },
      ],
      deny: [],
    })
  })

  test('one that comes once', () => {
    const { windows } = shop(`commands: [[id]]
windows: {deny: [{from: 2026-12-20T00:00, until: 2027-01-02 08:00, zone: Europe/Berlin, name: christmas}]}
`)

    expect(windows?.deny).toEqual([
      {
        kind: 'single',
        from: Date.parse('2026-12-19T23:00Z'),
        until: Date.parse('2027-01-02T07:00Z'),
        zone: 'Europe/Berlin',
        name: 'christmas',
      },
    ])
  })

  test('an environment has those of its repository, or its own, or none', () => {
    const { repositories } = load(`${GITHUB}repositories:
  acme/shop:
    commands: [[id]]
    windows: {zone: UTC, allow: [${NINE}]}
    environments:
      staging: {folder: /srv/a, windows: {}}
      canary: {folder: /srv/b, windows: {zone: UTC, deny: [${NINE}]}}
      production: {folder: /srv/c}
  acme/blog: {folder: /srv/d, commands: [[id]], windows: {zone: UTC, allow: [${NINE}]}}
`)
    const of = (repository: string, environment: string) =>
      repositories.get(repository)?.environments.get(environment)?.windows

    expect(of('acme/shop', 'staging')).toBeUndefined()
    expect(of('acme/shop', 'canary')).toMatchObject({ allow: [], deny: [{ cron: '0 9 * * 1-5' }] })
    expect(of('acme/shop', 'production')).toMatchObject({ allow: [{ cron: '0 9 * * 1-5' }], deny: [] })
    expect(of('acme/blog', 'production')).toBe(of('acme/shop', 'production'))
  })

  test('the example of the documentation, and what it says of it', () => {
    const page = readFileSync('docs/gates.md', 'utf8')
    const [, example = ''] = /```yaml\n(windows:.*?)```/s.exec(page) ?? []
    const section = page.slice(page.indexOf('## Windows'))
    const [, shown = ''] = /```text\n(.*?)```/s.exec(section) ?? []
    const said = [...shown.matchAll(/^queued: Held as \S+: (.+)$/gm)].map(([, detail]) => detail)
    const { windows } = shop(`commands: [[id]]\n${example}`)

    const answers = ['2026-11-26T20:00Z', '2026-11-28T14:00Z', '2027-01-02T06:00Z'].map((at) =>
      windowAt(windows, Date.parse(at)),
    )

    expect(said).toHaveLength(3)
    expect(answers.map((answer) => (answer.open ? undefined : answer.detail))).toEqual(said)
  })

  test.each([
    ['1m', 60],
    ['90m', 5400],
    ['366d', 31_622_400],
    ['2d16h30m', 232_200],
  ])('%s', (duration, seconds) => {
    const { windows } = shop(
      `commands: [[id]]\nwindows: {zone: UTC, deny: [{cron: '0 9 * * *', duration: ${duration}}]}`,
    )

    expect(windows?.deny).toMatchObject([{ durationSeconds: seconds }])
  })
})

describe('what is wrong with windows', () => {
  const KEY = 'repositories.acme/shop.windows'

  test.each([
    ['windows: closed', '6:5', '', 'expected a mapping with allow or deny, got "closed"'],
    ['windows: {alow: []}', '6:15', '.alow', 'unknown key; did you mean allow?'],
    ['windows: {zone: UTC, allow: []}', '6:26', '.allow', 'expected at least one window, got an empty list'],
    [
      `windows: {zone: UTC, deny: ${NINE}}`,
      '6:26',
      '.deny',
      'expected a list of windows such as [{cron: "0 9 * * 1-5", duration: 8h}], got a mapping',
    ],
    [
      'windows: {zone: UTC, deny: [weekend]}',
      '6:33',
      '.deny[0]',
      'expected a mapping with cron and duration, or with from and until, got "weekend"',
    ],
    [
      `windows: {zone: UTC, deny: [{corn: '0 9 * * *', duration: 8h}]}`,
      '6:34',
      '.deny[0].corn',
      'unknown key; did you mean cron?',
    ],
    [
      `windows: {zone: UTC, deny: [{cron: '0 24 * * *', duration: 8h}]}`,
      '6:34',
      '.deny[0].cron',
      'expected hours from 0 to 23, as its 2nd field, got "0 24 * * *"',
    ],
    [
      `windows: {zone: UTC, deny: [{cron: '0 0 30 2 *', duration: 8h}]}`,
      '6:34',
      '.deny[0].cron',
      'expected a day that exists, got "0 0 30 2 *"',
    ],
    [
      `windows: {zone: UTC, deny: [{cron: 9, duration: 8h}]}`,
      '6:34',
      '.deny[0].cron',
      'expected a cron expression such as "0 9 * * 1-5", or from and until, got 9',
    ],
    [
      `windows: {zone: UTC, deny: [{cron: '0 9 * * *'}]}`,
      '6:33',
      '.deny[0].duration',
      'is missing: expected a length of time like 8h, 90m or 2d12h',
    ],
    [
      `windows: {zone: UTC, deny: [{duration: 8h}]}`,
      '6:33',
      '.deny[0].cron',
      'is missing: expected a cron expression such as "0 9 * * 1-5", or from and until',
    ],
    [
      `windows: {zone: UTC, deny: [{cron: '0 9 * * *', duration: 0m}]}`,
      '6:53',
      '.deny[0].duration',
      'expected at least 1m, got "0m"',
    ],
    [
      `windows: {zone: UTC, deny: [{cron: '0 9 * * *', duration: 59s}]}`,
      '6:53',
      '.deny[0].duration',
      'expected at least 1m, got "59s"',
    ],
    [
      `windows: {zone: UTC, deny: [{cron: '0 9 * * *', duration: 367d}]}`,
      '6:53',
      '.deny[0].duration',
      'expected at most 366d, got "367d"',
    ],
    [
      `windows: {zone: UTC, deny: [{cron: '0 9 * * *', duration: 8}]}`,
      '6:53',
      '.deny[0].duration',
      'expected a length of time like 8h, 90m or 2d12h, got 8',
    ],
    [
      `windows: {zone: UTC, deny: [{cron: '0 9 * * *', duration: soon}]}`,
      '6:53',
      '.deny[0].duration',
      'expected a length of time like 8h, 90m or 2d12h, got "soon"',
    ],
    [
      `windows: {deny: [${NINE}]}`,
      '6:22',
      '.deny[0].zone',
      'is missing: expected an IANA time zone such as Europe/Berlin, here or beside allow and deny',
    ],
    [
      `windows: {zone: Europe/Berln, deny: [${NINE}]}`,
      '6:15',
      '.zone',
      'expected an IANA time zone such as Europe/Berlin, got "Europe/Berln": did you mean Europe/Berlin?',
    ],
    [
      `windows: {zone: New York, deny: [${NINE}]}`,
      '6:15',
      '.zone',
      'expected an IANA time zone such as Europe/Berlin, got "New York": did you mean America/New_York?',
    ],
    [
      `windows: {zone: '+01:00', deny: [${NINE}]}`,
      '6:15',
      '.zone',
      'expected an IANA time zone such as Europe/Berlin, got "+01:00"',
    ],
    [
      `windows: {zone: UTC, deny: [{from: 2026-12-20T00:00}]}`,
      '6:33',
      '.deny[0].until',
      'is missing: expected a local time such as 2026-12-20T08:00',
    ],
    [
      `windows: {zone: UTC, deny: [{until: 2026-12-20T00:00}]}`,
      '6:33',
      '.deny[0].from',
      'is missing: expected a local time such as 2026-12-20T08:00',
    ],
    [
      `windows: {zone: UTC, deny: [{from: 2026-12-20, until: 2027-02-29T00:00}]}`,
      '6:34',
      '.deny[0].from',
      'expected a local time such as 2026-12-20T08:00, got "2026-12-20"',
    ],
    [
      `windows: {zone: UTC, deny: [{from: 2026-12-20T00:00, until: 2027-02-29T00:00}]}`,
      '6:58',
      '.deny[0].until',
      'expected a local time such as 2026-12-20T08:00, got "2027-02-29T00:00"',
    ],
    [
      `windows: {zone: UTC, deny: [{from: 2026-12-20T00:00, until: 2026-12-20T00:00}]}`,
      '6:58',
      '.deny[0].until',
      'expected a time after from, got "2026-12-20T00:00"',
    ],
    [
      `windows: {zone: UTC, deny: [{cron: '0 9 * * *', from: 2026-12-20T00:00}]}`,
      '6:53',
      '.deny[0].from',
      'expected either cron and duration, or from and until, got "2026-12-20T00:00"',
    ],
    [
      `windows: {zone: UTC, deny: [{cron: '0 9 * * *', duration: 8h, name: "${'n'.repeat(61)}"}]}`,
      '6:67',
      '.deny[0].name',
      `expected a name of at most 60 characters, got "${'n'.repeat(59)}…`,
    ],
  ])('%s', (line, position, key, message) => {
    expect(problemsOfShop(`commands: [[id]]\n${line}`)).toEqual([
      `config.yml:${position} ${KEY}${key}: ${message}`,
    ])
  })

  test('in an environment too', () => {
    expect(
      problemsOfShop(
        `commands: [[id]]\nenvironments:\n  live:\n    windows: {zone: UTC, deny: [{crn: '0 9 * * *', duration: 8h}]}`,
      ),
    ).toEqual([
      'config.yml:8:38 repositories.acme/shop.environments.live.windows.deny[0].crn: unknown key; did you mean cron?',
    ])
  })
})

test('windows that let nothing through are warned of', () => {
  const file = written(`${GITHUB}repositories:
  acme/shop:
    commands: [[id]]
    windows: {zone: Europe/Berlin, allow: [${NINE}], deny: [{cron: '30 8 * * *', duration: 9h}]}
    environments:
      staging: {folder: /srv/a, windows: {zone: UTC, allow: [{from: 2026-01-01T00:00, until: 2026-01-02T00:00}]}}
      canary: {folder: /srv/b, windows: {zone: UTC, deny: [{cron: '0 0 * * *', duration: 23h}]}}
      production: {folder: /srv/c}
`)
  chmodSync(file, 0o600)

  expect(loadConfig(file, { environment: {}, now: Date.parse('2026-11-28T14:00Z') }).warnings).toEqual([
    'config.yml:5:5 repositories.acme/shop.windows: let no deployment begin before Mon 2028-01-03 09:00 CET',
    'config.yml:7:33 repositories.acme/shop.environments.staging.windows: let no deployment begin before Sun 2028-01-02 14:00 UTC',
  ])
})
