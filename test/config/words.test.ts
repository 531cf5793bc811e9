import { execFileSync } from 'node:child_process'

import fc from 'fast-check'
import { load } from 'js-yaml'
import { expect, test } from 'vitest'

import { YAML_SCHEMA } from '../../src/config/positions.ts'
import { flowList, splitWords } from '../../src/config/words.ts'

test.each([
  ['fab -R {env} deploy:sha={sha}', ['fab', '-R', '{env}', 'deploy:sha={sha}']],
  ['  a   b ', ['a', 'b']],
  [`a 'b  c' "d e"f`, ['a', 'b  c', 'd ef']],
  [`a '' ""`, ['a', '', '']],
  [String.raw`a\ b \"c "d\"e\x" 'f\'`, ['a b', '"c', String.raw`d"e\x`, 'f\\']],
  ['\'a&&b\' "c;d" e\\|f', ['a&&b', 'c;d', 'e|f']],
])('%s', (command, words) => {
  expect(splitWords(command)).toEqual({ words })
})

test.each(['a && b', 'a | b', 'a; b', 'a > b', 'a < b', 'a `b`', 'a $(b)', 'a &'])(
  '%s needs a shell',
  (command) => {
    expect(splitWords(command)).toMatchObject({ wrong: expect.stringContaining('needs a shell') as unknown })
  },
)

test.each(['a "b', "a 'b", 'a \\'])('%s is not closed', (command) => {
  expect(splitWords(command)).toEqual({ wrong: 'the quotes are not closed' })
})

test('it splits as a shell does', () => {
  const piece = fc.constantFrom(
    'a',
    'b{sha}',
    ' ',
    '  ',
    '\t',
    "'x y'",
    '"x y"',
    '\\ ',
    '\\\\',
    '"\\""',
    "''",
    '"\\n"',
    '%',
    '=',
    "'\"'",
  )
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 8 }), (pieces) => {
      const command = pieces.join('')
      const printed = execFileSync('/bin/sh', [
        '-c',
        `set -f; for word in ${command}; do printf '%s\\0' "$word"; done`,
      ])

      expect(splitWords(command)).toEqual({ words: printed.toString().split('\0').slice(0, -1) })
    }),
    { numRuns: 60 },
  )
})

test('words are shown as a list that YAML reads back', () => {
  expect(flowList(['git', 'checkout', '--detach', '{sha}', '8080', 'a b'])).toBe(
    '[git, checkout, --detach, "{sha}", "8080", "a b"]',
  )
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('true', '-', '--x', '.5', '1e3', '~', 'null', '0x1', './a', '*a', '<<'),
  )
  fc.assert(
    fc.property(fc.array(word, { minLength: 1 }), (words) => {
      expect(load(flowList(words), { schema: YAML_SCHEMA })).toEqual(words)
    }),
  )
})
