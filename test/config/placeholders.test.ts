import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { fill, PLACEHOLDERS, unknownPlaceholders } from '../../src/config/placeholders.ts'

const SHA = 'a84d88e7554fc1fa21bcbc4efae3c782a70d2b9d'
const values = (given: Partial<Parameters<typeof fill>[1]> = {}) => ({
  sha: SHA,
  ref: 'main',
  environment: 'production',
  task: 'deploy',
  repository: 'acme/shop',
  previousSha: undefined,
  workspace: undefined,
  payload: {},
  ...given,
})

describe('what is filled', () => {
  test.each([
    ['{sha}', SHA],
    ['{short_sha}', 'a84d88e'],
    ['--at={ref}', '--at=main'],
    ['{environment}/{env}', 'production/production'],
    ['{task} {repository}', 'deploy acme/shop'],
    ['[{previous_sha}]', '[]'],
    ['deploy:sha={sha}', `deploy:sha=${SHA}`],
    ['{payload.who}', 'mona'],
    ['{payload.deep.list.1}', '2'],
    ['{payload.deep}', '{"list":[1,2],"none":null,"camelCase":true}'],
    ['{payload.deep.camelCase}', 'true'],
    ['<{payload.deep.none}{payload.gone.further}>', '<>'],
  ])('%s becomes %s', (argument, filled) => {
    const payload = { who: 'mona', deep: { list: [1, 2], none: null, camelCase: true } }

    expect(fill(argument, values({ payload }))).toBe(filled)
  })

  test('the previous commit is there when there was one', () => {
    expect(fill('{previous_sha}', values({ previousSha: 'abc' }))).toBe('abc')
  })

  test.each([
    '{{sha}}',
    '{{ sha }}',
    '@{sha}',
    '${sha}',
    '%{http_code}',
    '{ sha }',
    '{a,b}',
    '{"a": 1}',
    '{}',
    '{SHA}',
  ])('%s stays as it is', (argument) => {
    expect(fill(argument, values())).toBe(argument)
    expect(unknownPlaceholders(argument)).toEqual([])
  })

  test('what an object inherits is not in the payload', () => {
    expect(fill('{payload.constructor.name}{payload.__proto__}', values({ payload: {} }))).toBe('')
    expect(fill('{payload.length}', values({ payload: 'text' }))).toBe('')
  })
})

test('the unknown ones are named in order', () => {
  const words =
    '{shaa} {sha} {payload} {payload.x} {print} {short-sha} {shortSha} {payload.} {payload..x} {payload.x.}'

  expect(unknownPlaceholders(words)).toEqual([
    'shaa',
    'payload',
    'print',
    'short-sha',
    'shortSha',
    'payload.',
    'payload..x',
    'payload.x.',
  ])
})

describe('what is refused', () => {
  test('a value that would become an option', () => {
    expect(fill('{ref}', values({ ref: '--upload-pack=id' }))).toEqual({
      refused: 'ref',
      because: 'begins with "-" and would be taken for an option',
    })
  })

  test('also behind a placeholder without a value', () => {
    expect(fill('{previous_sha}{ref}', values({ ref: '-x' }))).toMatchObject({ refused: 'ref' })
  })

  test('not where something stands before it', () => {
    expect(fill('refs/{ref}', values({ ref: '-x' }))).toBe('refs/-x')
  })

  test('a value that no process can be given', () => {
    expect(fill('x{payload.a}', values({ payload: { a: 'b\0c' } }))).toEqual({
      refused: 'payload.a',
      because: 'contains a NUL character',
    })
  })
})

describe('whatever the values are', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom(
      '{sha}',
      '{ref}',
      '{payload.a}',
      '-rf',
      '--',
      '; id',
      '$(id)',
      '{{x}}',
      "'",
      '\n',
      '\0',
      '$1',
      '$&',
    ),
  )
  const piece = fc.oneof(
    fc.constantFrom(...PLACEHOLDERS, 'payload.a').map((name) => `{${name}}`),
    fc.constantFrom('a', '=', '/', ' ', ':'),
  )
  const cases = fc.record({
    argument: fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join('')),
    ref: hostile,
    environment: hostile,
    task: hostile,
    repository: hostile,
    payload: fc.record({ a: hostile }),
  })

  test('an argument stays one text, and each value stands in it as it came', () => {
    fc.assert(
      fc.property(cases, ({ argument, ...given }) => {
        const all = values(given)
        const filled = fill(argument, all)
        if (typeof filled !== 'string') return
        // Behind a dot, no value can begin an argument.
        const one = (part: string): string => {
          const text = fill(`.${part}`, all)
          return typeof text === 'string' ? text.slice(1) : 'refused'
        }

        expect(filled).toBe(
          argument
            .split(/(\{[a-z_.]+\})/)
            .map(one)
            .join(''),
        )
      }),
    )
  })

  test('no value becomes an option', () => {
    fc.assert(
      fc.property(cases, ({ argument, ...given }) => {
        const filled = fill(argument, values(given))

        expect(typeof filled === 'string' && filled.startsWith('-')).toBe(false)
      }),
    )
  })

  test('a value is never read again', () => {
    fc.assert(
      fc.property(hostile, (ref) => {
        fc.pre(!ref.includes('\0'))

        expect(fill('x{ref}', values({ ref }))).toBe(`x${ref}`)
      }),
    )
  })
})
