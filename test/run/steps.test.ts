import { expect, test } from 'vitest'

import { compile, type CompileFacts, type Runbook } from '../../src/run/steps.ts'
import { runningDeployment } from '../support/running.ts'
import { recipe, SHA } from '../support/samples.ts'

const FACTS: CompileFacts = {
  previousSha: undefined,
  folder: '/run',
  workspace: undefined,
  listed: new Map(),
}

const compiled = (command: readonly string[], given: Parameters<typeof runningDeployment>[0] = {}) =>
  compile(runningDeployment({ ...given, recipe: recipe({ commands: [command] }) }), FACTS)

test('placeholders are filled within their argument, which stays one', () => {
  const { work } = compiled(
    ['git', 'checkout', '{sha}', 'in {environment} for {payload.reason}{previous_sha}'],
    {
      payload: '{"reason":"a; b {sha}"}',
    },
  ) as Runbook

  expect(work).toEqual([
    {
      kind: 'command',
      onFailure: 'ends',
      name: `git checkout ${SHA} 'in production for a; b {sha}'`,
      argv: ['git', 'checkout', SHA, 'in production for a; b {sha}'],
    },
  ])
})

test('the name is what a person would type', () => {
  const words = ['echo', '', "it's", '$HOME', '--format=%H', 'a b']

  expect(compiled(words)).toMatchObject({ work: [{ name: `echo '' 'it'\\''s' '$HOME' --format=%H 'a b'` }] })
})

test('a payload that is no JSON fills nothing', () => {
  expect(compiled(['echo', '<{payload.reason}>'], { payload: '' })).toMatchObject({
    work: [{ argv: ['echo', '<>'] }],
  })
})
