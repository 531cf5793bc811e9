import type { Deployment } from '../deployment/deployment.ts'
import { FerrymanError } from '../errors.ts'
import { cut } from '../logs/one-line.ts'
import { createLimit, type Stop } from './limits.ts'
import type { Begun } from './parts.ts'
import type { RunResult } from './result.ts'
import { carryOutStep, type StepFailure } from './step.ts'
import { hookVariables, type Runbook, type Step } from './steps.ts'

const LONGEST_CAUSE = 80

type Variables = Readonly<Record<string, string>>

/**
 * Brings back what was there before, where what is in place has not proved to be good: also where somebody cancelled
 * that, or the log could not be written. Only what a server that stops has cut short stays as it is, since that may be
 * the new version of itself. What became of it is told with the result.
 */
export async function goBack(
  deployment: Deployment,
  result: RunResult,
  { runbook, variables }: { readonly runbook: Runbook; readonly variables: Variables },
  parts: Begun,
): Promise<RunResult> {
  const { wayBack, verify } = runbook
  if (wayBack?.isDue() !== true || (result.state !== 'failed' && result.state !== 'cancelled')) return result
  if (result.reason === 'interrupted') return result
  const { to, steps } = wayBack
  await parts.log.line(`Going back to ${to}.`)
  const failure =
    (await putBack(deployment, steps, variables, parts)) ??
    (await proveAgain(deployment, { result, verify, variables }, parts))
  const outcome =
    failure === undefined
      ? `rolled back to ${to}`
      : `the application may be unstable: rolling back to ${to} failed as well (${failure.detail})`
  await parts.log.line(`${outcome.charAt(0).toUpperCase()}${outcome.slice(1)}.`)
  // GitHub takes 140 characters, and how it stands now must be among them.
  return { ...result, detail: `${cut(result.detail.replace(/\.$/, ''), LONGEST_CAUSE)}; ${outcome}` }
}

/** What is not begun for want of a log, or ended by impatience, would leave what is not good: so nothing ends this. */
async function putBack(
  deployment: Deployment,
  steps: readonly Step[],
  variables: Variables,
  parts: Begun,
): Promise<StepFailure | undefined> {
  const log = { ...parts.log, announce: parts.log.line }
  const { signal } = new AbortController()
  for (const step of steps) {
    const failure = await carryOutStep(deployment, step, variables, { ...parts, log, signal })
    if (failure !== undefined) return failure
  }
  return undefined
}

interface Proving {
  readonly result: RunResult
  readonly verify: readonly Step[]
  readonly variables: Variables
}

/** Makes effective what came back. Somebody who has cancelled already can do no more: that has the limit of hooks. */
async function proveAgain(
  deployment: Deployment,
  { result, verify, variables }: Proving,
  parts: Begun,
): Promise<StepFailure | undefined> {
  const { timeoutSeconds, hooks } = deployment.recipe
  const isCancelled = result.state === 'cancelled'
  const seconds = isCancelled ? Math.min(timeoutSeconds, hooks.timeoutSeconds) : timeoutSeconds
  const limit = createLimit(seconds, {
    kind: 'timed_out',
    detail: `The time limit of ${seconds} s was reached`,
  })
  const leave = new AbortController()
  const stop: Stop = { kind: 'interrupted', detail: 'Interrupted: Ferryman was stopped while it went back' }
  const leaving = (): void => leave.abort(stop)
  parts.leaving.addEventListener('abort', leaving, { once: true })
  if (parts.leaving.aborted) leaving()
  limit.start()
  const signal = AbortSignal.any([
    limit.signal,
    leave.signal,
    ...(parts.signal.aborted ? [] : [parts.signal]),
  ])
  try {
    for (const step of verify) {
      const environment = { ...variables, ...hookVariables(step), FERRYMAN_ROLLBACK: '1' }
      const failure = await carryOutStep(deployment, step, environment, { ...parts, signal })
      if (failure === undefined) continue
      const isCutShort = signal.aborted || failure.reason === 'interrupted'
      if (isCutShort || step.onFailure !== 'goes_on') return failure
    }
    return undefined
  } catch (thrown) {
    if (!(thrown instanceof FerrymanError) || thrown.code !== 'log_unwritable') throw thrown
    return { reason: 'log_unwritable', detail: thrown.message }
  } finally {
    limit.close()
    parts.leaving.removeEventListener('abort', leaving)
  }
}
