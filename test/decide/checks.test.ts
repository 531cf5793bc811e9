import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { judge, namesOf } from '../../src/decide/checks.ts'
import type { CheckRun, ReportedChecks } from '../../src/github/github.ts'

let ids = 0
const run = (name: string, conclusion: string | undefined, given: Partial<CheckRun> = {}): CheckRun => ({
  id: (ids += 1),
  name,
  appId: 15_368,
  status: conclusion === undefined ? 'in_progress' : 'completed',
  conclusion,
  ...given,
})
const reported = (
  statuses: Readonly<Record<string, string>>,
  checkRuns: readonly CheckRun[] = [],
): ReportedChecks => ({
  statuses: Object.entries(statuses).map(([context, state]) => ({ context, state })),
  checkRuns,
})

test('every required check must have passed; one that was not reported is awaited', () => {
  const both = reported({ 'ci/test': 'success' }, [run('lint', 'success')])

  expect(judge(['ci/test', 'lint'], both)).toEqual({ verdict: 'passed' })
  expect(judge(['ci/test', 'lint', 'e2e'], both)).toEqual({
    verdict: 'pending',
    checks: [{ name: 'e2e', word: 'expected' }],
  })
})

test.each([
  ['success', 'passed'],
  ['neutral', 'passed'],
  ['skipped', 'passed'],
  ['failure', 'failed'],
  ['cancelled', 'failed'],
  ['timed_out', 'failed'],
  ['stale', 'failed'],
  ['startup_failure', 'failed'],
  ['a word of tomorrow', 'failed'],
  ['action_required', 'pending'],
])('a check that ended as %s has %s', (conclusion, verdict) => {
  expect(judge(['lint'], reported({}, [run('lint', conclusion)])).verdict).toBe(verdict)
})

test.each([
  ['success', 'passed'],
  ['failure', 'failed'],
  ['error', 'failed'],
  ['pending', 'pending'],
])('a status that says %s has %s', (state, verdict) => {
  expect(judge(['ci/test'], reported({ 'ci/test': state })).verdict).toBe(verdict)
})

test.each(['queued', 'in_progress', 'waiting', 'requested', 'pending'])(
  'a check that is %s is awaited',
  (status) => {
    const one = run('lint', undefined, { status })

    expect(judge(['lint'], reported({}, [one])).verdict).toBe('pending')
  },
)

test('a status and a check of the same name must both pass, whatever their case', () => {
  expect(judge(['CI'], reported({ ci: 'success' }, [run('Ci', 'failure')]))).toEqual({
    verdict: 'failed',
    checks: [{ name: 'Ci', word: 'failure' }],
  })
})

describe('of a check that ran more than once', () => {
  test('the newest run counts, in whichever order they come', () => {
    const [old, young] = [run('lint', 'failure'), run('lint', 'success')]

    expect(judge(['lint'], reported({}, [young, old])).verdict).toBe('passed')
    expect(judge(['lint'], reported({}, [old, young])).verdict).toBe('passed')
  })

  test('in two apps both count', () => {
    const runs = [run('lint', 'failure', { appId: 1 }), run('lint', 'success', { appId: 2 })]

    expect(judge(['lint'], reported({}, runs)).verdict).toBe('failed')
  })
})

describe('all', () => {
  test('means whatever was reported', () => {
    expect(judge('all', reported({ a: 'success' }, [run('b', 'skipped')])).verdict).toBe('passed')
    expect(judge('all', reported({ a: 'success' }, [run('b', undefined)])).verdict).toBe('pending')
  })

  test('is not met by silence', () => {
    expect(judge('all', reported({}))).toEqual({ verdict: 'nothing' })
  })
})

test('one that failed decides, however many are still awaited; nothing passes while one is not green', () => {
  const word = fc.constantFrom('success', 'skipped', 'failure', 'pending', 'error', 'expected')
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), word, { minKeys: 1 }), (given) => {
      const { verdict } = judge(['a', 'b', 'c', 'd'], reported(given))
      const words = Object.values(given)
      const bad = words.some((one) => one === 'failure' || one === 'error')
      const green = words.length === 4 && words.every((one) => one === 'success' || one === 'skipped')
      expect(verdict).toBe(bad ? 'failed' : green ? 'passed' : 'pending')
    }),
  )
})

test('of many names the first are shown', () => {
  const checks = ['a', 'b', 'b', 'c', 'd', 'e'].map((name) => ({ name, word: 'pending' }))

  expect(namesOf(checks)).toBe('a, b, c and 2 more')
  expect(namesOf(checks.slice(0, 2))).toBe('a, b')
})

test('what deployments report of themselves is waited for only where it is named', () => {
  const statuses = [
    { context: 'Ferryman/staging', state: 'pending' },
    { context: 'ci/test', state: 'success' },
  ]

  expect(judge('all', { statuses, checkRuns: [] })).toEqual({ verdict: 'passed' })
  expect(judge('all', { statuses: statuses.slice(0, 1), checkRuns: [] })).toEqual({ verdict: 'nothing' })
  expect(judge(['ferryman/staging'], { statuses, checkRuns: [] })).toMatchObject({ verdict: 'pending' })
})
