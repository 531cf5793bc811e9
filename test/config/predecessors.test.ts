import { describe, expect, test } from 'vitest'

import { problemsOfShop, shop } from './written.ts'

const HEAD = 'commands: [[id]]\nlane: one\nenvironments:\n'
const orderOf = (lines: string) => shop(`${HEAD}${lines}`).after
const problems = (lines: string) => problemsOfShop(`${HEAD}${lines}`)

describe('the order of environments', () => {
  test('names who takes a commit first, in whichever case, and how long ago', () => {
    expect(orderOf('  Staging: {}\n  production: {after: staging, bake: 30m}\n')).toEqual({
      environment: 'Staging',
      bakeSeconds: 1_800,
    })
    expect(orderOf('  production: {after: Staging}\n  staging: {}\n')).toEqual({
      environment: 'staging',
      bakeSeconds: 0,
    })
    expect(orderOf('  production: {}\n')).toBeUndefined()
  })

  test('may have three places', () => {
    expect(orderOf('  test: {}\n  staging: {after: test}\n  production: {after: staging}\n')).toEqual({
      environment: 'staging',
      bakeSeconds: 0,
    })
  })
})

describe('an order in which something could never begin', () => {
  test.each([
    [
      'after a name that is misspelled',
      '  staging: {}\n  production: {after: stagign}\n',
      '9:20 repositories.acme/shop.environments.production.after: is no environment of acme/shop: did you mean staging?',
    ],
    [
      'after a name that is none',
      '  staging: {}\n  production: {after: qa}\n',
      '9:20 repositories.acme/shop.environments.production.after: is no environment of acme/shop: there are staging, production',
    ],
    [
      'after itself',
      '  production: {after: Production}\n',
      '8:20 repositories.acme/shop.environments.production.after: names its own environment: name the one that takes commits before it',
    ],
    [
      'in a circle',
      '  first: {after: Third}\n  second: {after: first}\n  Third: {after: second}\n  production: {after: first}\n',
      '8:15 repositories.acme/shop.environments.first.after: leads back to where it began (first after Third after second after first): none of them could ever begin',
    ],
  ])('%s is refused', (_what, lines, problem) => {
    expect(problems(lines)).toEqual([`config.yml:${problem}`])
  })

  test('two circles are two problems', () => {
    const lines = '  a: {after: b}\n  b: {after: a}\n  production: {after: production}\n'

    expect(problems(lines)).toHaveLength(2)
  })

  test('is not complained about twice where the environment that is named is wrong itself', () => {
    expect(problems('  staging: 5\n  production: {after: staging}\n')).toHaveLength(1)
  })
})

describe('the time to bake', () => {
  test.each([
    [
      'without after',
      '{bake: 30m}',
      '9:20 …bake: has no effect without after, which names the environment to wait for',
    ],
    ['of more than a month', '{after: staging, bake: 31d}', '9:36 …bake: expected at most 30d, got "31d"'],
    ['of nothing', '{after: staging, bake: 0}', '9:36 …bake: expected more than 0 seconds, got 0'],
    [
      'of a word',
      '{after: staging, bake: long}',
      '9:36 …bake: expected a number of seconds or a text like 24h, got "long"',
    ],
  ])('%s is refused', (_what, entry, problem) => {
    const place = 'repositories.acme/shop.environments.production.'

    expect(problems(`  staging: {}\n  production: ${entry}\n`)).toEqual([
      `config.yml:${problem.replace('…', place)}`,
    ])
  })
})

test('after and bake belong to one environment, and beside them the way there is told', () => {
  expect(
    problems('  staging: {}\nafter: staging\n').concat(problemsOfShop('commands: [[id]]\nbake: 30m\n')),
  ).toEqual([
    'config.yml:9:5 repositories.acme/shop.after: belongs to one of the environments: write {environments: {production: {after: …}}}',
    'config.yml:6:5 repositories.acme/shop.bake: belongs to one of the environments: write {environments: {production: {bake: …}}}',
  ])
})
