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

test('a value that is longer than an argument may be is refused, and names the file that has it', () => {
  const largest = 'ü'.repeat(65_535)
  const payload = JSON.stringify({ largest, more: `${largest}..` })

  expect(compiled(['echo', '.{payload.largest}'], { payload })).toMatchObject({ work: [{ kind: 'command' }] })
  expect(compiled(['echo', 'x'.repeat(131_072)])).toMatchObject({
    detail: expect.stringContaining(`The argument "${'x'.repeat(60)}…" was refused`),
  })
  expect(compiled(['echo', '{payload.more}'], { payload })).toEqual({
    reason: 'argument_refused',
    detail:
      'The argument "{payload.more}" was refused: filled it has 131072 bytes, and no program can be given more than 131071 in one. FERRYMAN_PAYLOAD_FILE has the payload as a file. (acme/shop/production#12)',
  })
})
