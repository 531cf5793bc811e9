import { expect, test } from 'vitest'
import { problem } from '../../src/errors.ts'
import { createJournal } from '../../src/logs/journal.ts'
import { createMasker } from '../../src/logs/redact.ts'

const AT = Date.UTC(2026, 10, 21, 10, 54)

function journalInto(lines: string[], options: { pretty?: boolean; colour?: boolean } = {}) {
  return createJournal({
    write: (line) => lines.push(line),
    masker: createMasker(['s3cret-word']),
    clock: () => AT,
    pretty: options.pretty ?? false,
    colour: options.colour ?? false,
  })
}

test('an event is one line of JSON', () => {
  const lines: string[] = []

  journalInto(lines).info('deployment:claimed', {
    deployment: 'acme/shop/production#12',
    id: 12,
    reason: undefined,
  })

  expect(lines).toEqual([
    '{"time":"2026-11-21T10:54:00.000Z","level":"info","event":"deployment:claimed","deployment":"acme/shop/production#12","id":12}\n',
  ])
})

test('for people an event is a short line', () => {
  const lines: string[] = []
  const journal = journalInto(lines, { pretty: true })

  journal.info('deployment:claimed', {
    deployment: 'acme/shop/production#12',
    detail: 'two words',
    empty: '',
  })
  journalInto(lines, { pretty: true, colour: true }).warn('outbox:late', { seconds: 3 })

  expect(lines).toEqual([
    '10:54:00 deployment:claimed deployment=acme/shop/production#12 detail="two words" empty=""\n',
    '\u001b[90m10:54:00\u001b[39m \u001b[33moutbox:late\u001b[39m \u001b[90mseconds=\u001b[39m3\n',
  ])
})

test('no field can forge a line or reach the terminal', () => {
  const lines: string[] = []
  const fields = { 'na\nme': 'a\r\nb\u001b[2J\u009b\u2028c\u202e', event: 'forged:event' }

  journalInto(lines).info('a:b', fields)
  journalInto(lines, { pretty: true }).info('a:b', fields)

  expect(lines).toEqual([
    '{"time":"2026-11-21T10:54:00.000Z","level":"info","event":"a:b","na\\nme":"a\\r\\nb\\u001b[2J\\u009b\\u2028c\\u202e","event_":"forged:event"}\n',
    '10:54:00 a:b na\\nme="a\\r\\nb\\u001b[2J\\u009b\\u2028c\\u202e" event=forged:event\n',
  ])
})

test('secrets are masked in every field and in errors', () => {
  const lines: string[] = []
  const error = Object.assign(new Error('no s3cret-word here'), { code: 'ENOENT' })

  journalInto(lines).error('a:b', { text: 'the s3cret-word', nested: { deep: ['s3cret-word'] }, error })

  expect(lines.join('')).not.toContain('s3cret-word')
  expect(JSON.parse(lines.join(''))).toMatchObject({
    text: 'the •••',
    nested: '{"deep":["•••"]}',
    error: 'no ••• here',
    error_code: 'ENOENT',
  })
})

test('only an unexpected error shows where it came from', () => {
  const lines: string[] = []
  const journal = journalInto(lines)

  journal.error('a:b', { error: problem('data_dir_locked', { directory: '/data' }) })
  journal.error('a:b', { error: new TypeError('odd') })

  expect(JSON.parse(lines[0] ?? '')).toEqual({
    time: '2026-11-21T10:54:00.000Z',
    level: 'error',
    event: 'a:b',
    error: 'Another Ferryman is already running on /data.',
    error_code: 'data_dir_locked',
  })
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({
    error: 'odd',
    error_stack: expect.stringContaining('TypeError: odd'),
  })
})

test('whatever a field is, nothing is thrown', () => {
  const lines: string[] = []
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  const hostile = {
    toJSON() {
      throw new Error('no')
    },
  }

  journalInto(lines).info('a:b', {
    big: 10n,
    deep: { big: 10n },
    circular,
    hostile,
    symbol: Symbol('s'),
    not: NaN,
  })
  journalInto(lines).info('a:b', { long: 'x'.repeat(1_000_000) })
  createJournal({
    write: () => {
      throw new Error('the pipe is closed')
    },
    masker: createMasker([]),
    clock: () => AT,
    pretty: false,
    colour: false,
  }).info('a:b')

  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    big: '10',
    deep: '{"big":"10"}',
    circular: '[cannot be written]',
    hostile: '[cannot be written]',
    symbol: 'Symbol(s)',
    not: 'NaN',
  })
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ long: `${'x'.repeat(1999)}…` })
})
