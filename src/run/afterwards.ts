import type { Deployment } from '../deployment/deployment.ts'
import { FerrymanError, messageOf } from '../errors.ts'
import { StillThere } from './ending.ts'
import { createLimit } from './limits.ts'
import type { Begun } from './parts.ts'
import { carryOutStep } from './step.ts'
import { hookVariables, type Runbook, type Step } from './steps.ts'
import { tidyStep } from './workspace/tidy.ts'
import type { RunResult } from './result.ts'

type Variables = Readonly<Record<string, string>>

/** Runs what follows the work; however it fares, the result stays what it is. */
export async function tellHooks(
  deployment: Deployment,
  result: RunResult,
  { runbook, variables }: { readonly runbook: Runbook; readonly variables: Variables },
  parts: Begun,
): Promise<void> {
  const { log, signal } = parts
  const steps = hooksAfter(result, runbook)
  if (steps.length === 0 || signal.aborted) return
  const { timeoutSeconds } = deployment.recipe.hooks
  const limit = createLimit(timeoutSeconds, {
    kind: 'timed_out',
    detail: `The time limit of ${timeoutSeconds} s for hooks was reached`,
  })
  const told = {
    FERRYMAN_RESULT: result.state,
    ...(result.state === 'failed' ? { FERRYMAN_REASON: result.reason, FERRYMAN_DETAIL: result.detail } : {}),
  }
  limit.start()
  try {
    const ending = AbortSignal.any([signal, limit.signal])
    for (const step of steps) {
      const environment = { ...variables, ...hookVariables(step), ...told }
      const failure = await carryOutStep(deployment, step, environment, { ...parts, signal: ending })
      if (failure !== undefined)
        await log.line(`A hook failed; the deployment has ${result.state} all the same.`)
      if (ending.aborted) return
    }
  } catch (thrown) {
    // The work is done; its log says no more.
    if (!(thrown instanceof FerrymanError) || thrown.code !== 'log_unwritable') throw thrown
  } finally {
    limit.close()
  }
}

/** Keeps what a success has fetched small, where it is time for that. Nobody else is held up by it for long. */
export async function tidy(
  deployment: Deployment,
  { result, variables }: { readonly result: RunResult; readonly variables: Variables },
  parts: Begun,
): Promise<void> {
  const { workspace } = deployment.recipe
  if (workspace === undefined || result.state !== 'succeeded' || parts.signal.aborted) return
  const step = await tidyStep(deployment, { ...parts.checkouts, workspace, variables })
  if (step === undefined) return
  const limit = createLimit(TIDY_SECONDS, { kind: 'timed_out', detail: `${TIDY_SECONDS} s have passed` })
  limit.start()
  try {
    await carryOutStep(deployment, step, variables, {
      ...parts,
      signal: AbortSignal.any([parts.signal, limit.signal]),
    })
  } catch (thrown) {
    if (thrown instanceof StillThere) throw thrown
    await parts.log.line(`That could not be done: ${messageOf(thrown)}`) // and the work is done
  } finally {
    limit.close()
  }
}

const TIDY_SECONDS = 300

/** Hooks hear of what has happened: not of what was taken back, nor of what a server that stops has cut short. */
function hooksAfter(result: RunResult, { afterSuccess, afterFailure }: Runbook): readonly Step[] {
  if (result.state === 'succeeded') return afterSuccess
  return result.state === 'failed' && result.reason !== 'interrupted' ? afterFailure : []
}
