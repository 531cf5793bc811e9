import { expect, test } from 'vitest'

import { readCondition } from '../../src/config/condition.ts'
import { problemsOfShop, shop } from './written.ts'

const FORM = 'changed("path/**"), with one or more patterns in quotes'

test.each([
  ['changed("db/**")', ['db/**']],
  [`  changed( "a b/**" ,'it.txt' ) `, ['a b/**', 'it.txt']],
  ['changed("**/*.{sql,rb}", ".env")', ['**/*.{sql,rb}', '.env']],
])('%s means these patterns', (given, value) => {
  expect(readCondition(given)).toEqual({ value })
})

test.each([
  ['branch == "main"', FORM],
  ['changed()', FORM],
  ['changed("")', FORM],
  ['changed(db/**)', FORM],
  ['changed("a") || changed("b")', FORM],
  ['changed("!docs/**")', 'what has changed instead of what has not: "!docs/**" begins with "!"'],
  ['changed("a", "/db/**")', 'a path from the root of the repository, such as db/**, instead of "/db/**"'],
  ['changed("./db/**")', 'a path from the root of the repository, such as db/**, instead of "./db/**"'],
  ['changed("db/")', '"db/**", which is everything in that folder'],
])('%s is refused, with what is possible', (given, expected) => {
  expect(readCondition(given)).toEqual({ expected })
})

test('it belongs to a command, also to one of a hook', () => {
  const { recipe } = shop(
    'commands:\n  - {run: [./migrate], if: \'changed("db/**", "x")\'}\nhooks:\n  before:\n    - run: [make]\n      if: changed("Makefile")',
  )

  expect(recipe).toMatchObject({
    commands: [{ words: ['./migrate'], onlyIfChanged: ['db/**', 'x'] }],
    hooks: { before: [{ command: { words: ['make'], onlyIfChanged: ['Makefile'] } }] },
  })
})

test('another expression is an error that stands where it is', () => {
  expect(problemsOfShop('commands: [{run: [./migrate], if: "always()"}]')).toEqual([
    `config.yml:5:35 repositories.acme/shop.commands[0].if: expected ${FORM}, got "always()"`,
  ])
})
