import { expect, test } from 'vitest'

import type { StepResult } from '../../src/deployment/deployment.ts'
import { createMasker } from '../../src/logs/redact.ts'
import type { Stop } from '../../src/run/limits.ts'
import type { Begun } from '../../src/run/parts.ts'
import { carryOutStep } from '../../src/run/step.ts'
import type { ActionStep } from '../../src/run/steps.ts'
import { runningDeployment } from '../support/running.ts'

/** Carries out an action that needs no command; answers its failure, what is told and what is kept. */
async function actFor(perform: ActionStep['perform'], signal = new AbortController().signal) {
  const lines: string[] = []
  const results: StepResult[] = []
  const line = async (text: string): Promise<void> => void lines.push(text)
  const log = { line, announce: line, mark() {}, lastLines: () => [] }
  let now = 0
  const parts = { log, results, signal, masker: createMasker(['sesame-open']), clock: () => (now += 500) }
  const step: ActionStep = { kind: 'action', name: 'open sesame-open', perform, onFailure: 'ends' }
  const failure = await carryOutStep(runningDeployment(), step, {}, parts as unknown as Begun)
  return { failure, lines, results }
}

test('an action is told, and is a step of the history without an exit code', async () => {
  const { failure, lines, results } = await actFor(async () => undefined)

  expect(failure).toBeUndefined()
  expect(lines).toEqual(['open •••'])
  expect(results).toEqual([
    { name: 'open •••', action: 'done', exitCode: undefined, signal: undefined, seconds: 0.5 },
  ])
})

test('why an action failed is told, without secrets', async () => {
  const { failure, lines, results } = await actFor(async () => ({
    reason: 'folder_missing',
    detail: 'There is no sesame-open.',
  }))

  expect(failure).toEqual({ reason: 'folder_missing', detail: 'There is no •••.' })
  expect(lines).toEqual(['open •••', 'There is no •••.'])
  expect(results.map(({ action }) => action)).toEqual(['failed'])
})

test('an action that was done when the run had to end is the last thing that is done', async () => {
  const ending = new AbortController()
  const stop: Stop = { kind: 'by_person', detail: 'Cancelled by mona' }

  const { failure } = await actFor(async () => {
    ending.abort(stop)
    return undefined
  }, ending.signal)

  expect(failure).toEqual({ reason: 'by_person', detail: 'Cancelled by mona' })
})
