import type { Deployment, StepResult } from '../deployment/deployment.ts'
import { commitInFolder } from './commit-in-folder.ts'
import { endForGood } from './ending.ts'
import type { Begun } from './parts.ts'
import { told } from './proc.ts'
import { carriersOf, namesOf } from './processes.ts'
import { carryOutStep, tellStuck, type Cause, type Failure, type StepFailure } from './step.ts'
import { hookVariables, NOT_NOW, type Runbook, type Step } from './steps.ts'
import { folderOf } from './releases.ts'
import type { RunResult } from './result.ts'
import type { Ready } from './prepare.ts'

type Variables = Readonly<Record<string, string>>

interface CarriedWith extends Record<'variables' | 'inPlace', Variables> {
  /** Asked for when the hooks before the work have let it begin. */
  ready(): Promise<Ready | Failure>
}

/** Runs the hooks before the work, the work, and what puts it in place and proves it; ends at the first that may not fail. */
export async function carryOut(
  deployment: Deployment,
  { before, work, activate, verify }: Runbook,
  { variables, inPlace, ready }: CarriedWith,
  parts: Begun,
): Promise<RunResult> {
  const { results: steps, log, signal } = parts
  const { sha } = deployment
  const stop = (cause: StepFailure): Promise<RunResult> => breakOff(deployment, cause, parts)
  for (const step of before) {
    const failure = await carryOutStep(deployment, step, { ...variables, ...hookVariables(step) }, parts)
    if (failure === undefined) continue
    const then = signal.aborted ? 'ends' : afterFailureOf(step, failure)
    if (then === 'ends') return stop(failure)
    if (then === 'holds') return { state: 'held', steps, detail: notYet(failure) }
    await log.line('That does not keep the work from beginning.')
  }
  // The hooks may have fetched what it is about.
  const prepared = await ready()
  if ('reason' in prepared) {
    await tellLiving(deployment, parts)
    return refuse(prepared, parts)
  }
  await parts.workBegins()
  for (const step of [...prepared.before, ...work]) {
    const failure = await carryOutStep(deployment, step, { ...variables, ...prepared.ofWork }, parts)
    if (failure === undefined) continue
    if (signal.aborted || afterFailureOf(step, failure) === 'ends') return stop(failure)
    await log.line('The next step begins all the same (continue_on_error).')
  }
  const commit = (): Promise<string | undefined> => commitInPlace(deployment, variables['PATH'] ?? '', parts)
  // What is put in place brings no history of its own along.
  const built = activate.length === 0 ? undefined : await commit()
  for (const step of activate) {
    const failure = await carryOutStep(deployment, step, variables, parts)
    if (failure !== undefined) return stop(failure)
  }
  for (const step of verify) {
    const failure = await carryOutStep(deployment, step, { ...inPlace, ...hookVariables(step) }, parts)
    if (failure === undefined || (!signal.aborted && afterFailureOf(step, failure) === 'goes_on')) continue
    return stop(isUnverified(failure) ? { ...failure, reason: 'verification_failed' } : failure)
  }
  await tellLiving(deployment, parts)
  const found = activate.length === 0 ? await commit() : built
  const deployedSha = found === sha ? undefined : found
  if (deployedSha !== undefined)
    await log.line(
      `${deployment.recipe.kind === 'ansible' ? 'The playbook reports' : 'The folder is now at'} ${deployedSha.slice(0, 7)}, asked for ${sha.slice(0, 7)}.`,
    )
  return { state: 'succeeded', steps, deployedSha }
}

/** What is not cut short by a person or by the server's end says that the work is not good. */
const isUnverified = ({ reason }: StepFailure): boolean => reason !== 'by_person' && reason !== 'interrupted'

/** Ends a run of which nothing has begun. */
export async function refuse(
  { reason, detail }: Failure,
  { log, masker, results }: Begun,
): Promise<RunResult> {
  const masked = masker.mask(detail)
  await log.line(masked)
  return { state: 'failed', steps: results, reason, detail: masked, lastLines: log.lastLines(LAST_LINES) }
}

/** Ends a run before its last step. */
export async function breakOff(deployment: Deployment, cause: StepFailure, parts: Begun): Promise<RunResult> {
  const lastLines = parts.log.lastLines(LAST_LINES)
  if (parts.signal.aborted) await endRest(parts)
  else await tellLiving(deployment, parts)
  return endedBy(cause, parts.results, lastLines)
}

/** So many lines of a failed step are told with its failure. */
const LAST_LINES = 10

/** What a failure of a step means for the run. */
function afterFailureOf(
  { onFailure }: Step,
  { reason, exitCode }: StepFailure,
): 'ends' | 'goes_on' | 'holds' {
  if (reason === 'interrupted' || reason === 'by_person') return 'ends'
  if (onFailure === 'holds_on_75') return exitCode === NOT_NOW ? 'holds' : 'ends'
  return onFailure
}

const notYet = ({ detail }: StepFailure): string => `A hook says that it may not begin yet: ${detail}`

/** A run that has to end leaves nothing, also of what its earlier steps had left to run on. */
async function endRest(parts: Begun): Promise<void> {
  const lastOfEach = new Map(parts.begun.map((process) => [process.runId, process]))
  for (const last of lastOfEach.values())
    await endForGood(last, { ...parts, stuck: (pids) => tellStuck(pids, parts) })
}

/** Names what lives on after a run that ended by itself. */
async function tellLiving({ recipe }: Deployment, { log, begun }: Begun): Promise<void> {
  const runIds = [...new Set(begun.map(({ runId }) => runId))]
  const since = Math.min(...begun.map(({ startTicks }) => Number(startTicks)))
  const living = await told(() => runIds.flatMap((runId) => carriersOf(runId, undefined, since)))
  const where = recipe.leaveProcesses ? '' : ', in a session of its own'
  if (living.length > 0) await log.line(`Still running${where}: ${namesOf(living)}`)
}

/** What a playbook does is elsewhere, so that only it can say which commit is there; and if several, the odd one. */
async function commitInPlace(
  { recipe, sha, repository }: Deployment,
  path: string,
  { reported, log, asking }: Begun,
): Promise<string | undefined> {
  if (recipe.kind === 'heroku') return sha
  if (asking !== undefined) return undefined
  if (recipe.kind !== 'ansible') {
    // A clone that was deployed in before may be where releases are now: what is in them did not come from there.
    const within = recipe.releases && folderOf(recipe.releases, '')
    return commitInFolder(recipe.folder, { sha, repository, path, within })
  }
  if (reported.length === 0)
    await log.line('Version not verified: the playbook did not report ferryman_deployed_sha.')
  return reported.find((one) => one !== sha) ?? reported[0]
}

function endedBy(
  { reason, detail }: Cause,
  steps: readonly StepResult[],
  lastLines: readonly string[],
): RunResult {
  return reason === 'by_person'
    ? { state: 'cancelled', steps, reason, detail }
    : { state: 'failed', steps, reason, detail, lastLines }
}
