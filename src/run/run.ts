import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { secretsIn } from '../config/values.ts'
import { nameOf, type Deployment, type ProcessRecord, type StepResult } from '../deployment/deployment.ts'
import type { FailedReason } from '../deployment/reasons.ts'
import type { Recipe, Value } from '../deployment/recipe.ts'
import { FerrymanError } from '../errors.ts'
import type { LogWriter } from '../logs/logs.ts'
import type { Masker } from '../logs/redact.ts'
import { preparePlaybook } from './ansible/playbook.ts'
import { isInTrouble, readAccount, recapLines, type Account } from './ansible/recap.ts'
import { extraVariables } from './ansible/variables.ts'
import { playbookFailure } from './ansible/verdict.ts'
import { commitInFolder } from './commit-in-folder.ts'
import { runCommand } from './command.ts'
import { endConnections, type Patience } from './ending.ts'
import { commandEnvironment, type ServerSide } from './environment.ts'
import type { Guard } from './guard.ts'
import { createLimit, type Limit, type Stop } from './limits.ts'
import { carriersOf, programOf } from './processes.ts'
import type { Standby } from './standby.ts'
import { compile, type Step } from './steps.ts'
import { usefulLine } from './useful-line.ts'

export type RunResult =
  | {
      readonly state: 'succeeded'
      readonly steps: readonly StepResult[]
      readonly deployedSha: string | undefined
    }
  | {
      readonly state: 'failed'
      readonly steps: readonly StepResult[]
      readonly reason: FailedReason
      readonly detail: string
    }
  | {
      readonly state: 'cancelled'
      readonly steps: readonly StepResult[]
      readonly reason: 'by_person'
      readonly detail: string
    }

export interface RunParts {
  readonly log: LogWriter
  readonly masker: Masker
  readonly guard: Guard
  readonly standby: Standby
  /** Aborted with a `Stop` when the server has to end the run. */
  readonly signal: AbortSignal
  /** Milliseconds by a clock that nobody sets. */
  readonly clock: () => number
  readonly server: ServerSide
  resolve(value: Value): string
  record(process: ProcessRecord): Promise<void>
  readonly previousSha: string | undefined
  /** Random and hexadecimal. */
  readonly runId: string
  /** Where the run's private folder is made. */
  readonly directory: string
  readonly patience: Patience
}

/** Carries a deployment out, step by step, and tells its log what happens. Answers truthfully; throws for nothing that it can name. */
export async function run(deployment: Deployment, parts: RunParts): Promise<RunResult> {
  const { log, previousSha, directory, runId } = parts
  const folder = join(directory, runId)
  const steps: StepResult[] = []
  try {
    const introduced = log.line(introduction(deployment))
    introduced.catch(() => {}) // told below, when nothing else is under way
    const compiled = compile(deployment, previousSha, folder)
    if ('refused' in compiled) return await refuse('argument_refused', compiled.refused, parts)
    const environment = await prepare(deployment, folder, parts)
    await introduced
    if ('reason' in environment) return await refuse(environment.reason, environment.detail, parts)
    return await withinLimit(deployment, parts, (signal) =>
      carryOut(deployment, compiled.steps, environment.variables, {
        ...parts,
        signal,
        folder,
        results: steps,
        reported: [],
      }),
    )
  } catch (thrown) {
    if (thrown instanceof FerrymanError && thrown.code === 'log_unwritable')
      return { state: 'failed', steps, reason: 'log_unwritable', detail: thrown.message }
    throw thrown
  } finally {
    // What the commands put there may be beyond our rights; that changes nothing about how they ended.
    await rm(folder, { recursive: true, force: true }).catch(() => {})
  }
}

const introduction = (deployment: Deployment): string => {
  const { sha, ref, actor, creator, task } = deployment
  return `${nameOf(deployment)}: ${task} ${sha} (${ref}), asked for by ${actor}${actor === creator ? '' : ` through ${creator}`}`
}

async function refuse(reason: FailedReason, detail: string, { log, masker }: RunParts): Promise<RunResult> {
  const masked = masker.mask(detail)
  await log.line(masked)
  return { state: 'failed', steps: [], reason, detail: masked }
}

/** The private folder with what the steps need, and the environment of every command; or why nothing can run. */
async function prepare(
  deployment: Deployment,
  folder: string,
  parts: RunParts,
): Promise<{ readonly variables: Readonly<Record<string, string>> } | Failure> {
  const payloadFile = join(folder, 'payload.json')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(payloadFile, deployment.payload, { mode: 0o600 })
  try {
    const env = Object.fromEntries(
      Object.entries(deployment.recipe.env).map(([name, value]) => [name, parts.resolve(value)]),
    )
    parts.masker.add(
      Object.entries(deployment.recipe.env).flatMap(([name, value]) =>
        secretsIn(name, value, env[name] ?? ''),
      ),
    )
    const variables = commandEnvironment(deployment, parts.server, { ...parts, payloadFile, env })
    if (deployment.recipe.kind === 'commands') return { variables }
    const extra = extraVariables(deployment, parts.previousSha)
    const prepared = await preparePlaybook(deployment.recipe, folder, { variables, extra })
    if ('note' in prepared && prepared.note !== undefined) await parts.log.line(prepared.note)
    return prepared
  } catch (thrown) {
    if (thrown instanceof FerrymanError)
      return { reason: 'config_invalid', detail: `${thrown.message} ${thrown.hint}` }
    throw thrown
  }
}

/** Adds the time limit to the reasons for which the run may have to end; the first one counts. */
async function withinLimit(
  deployment: Deployment,
  { signal }: RunParts,
  work: (signal: AbortSignal) => Promise<RunResult>,
): Promise<RunResult> {
  const { timeoutSeconds } = deployment.recipe
  const detail = `The time limit of ${timeoutSeconds} s was reached`
  const limit = createLimit(timeoutSeconds, { kind: 'timed_out', detail })
  limit.start()
  try {
    return await work(AbortSignal.any([signal, limit.signal]))
  } finally {
    limit.close()
  }
}

/** A run that has begun. */
interface Begun extends RunParts {
  /** Its private folder. */
  readonly folder: string
  /** Filled step by step. */
  readonly results: StepResult[]
  /** The commits that a playbook says it has put in place. */
  readonly reported: string[]
}

async function carryOut(
  deployment: Deployment,
  steps: readonly Step[],
  environment: Readonly<Record<string, string>>,
  parts: Begun,
): Promise<RunResult> {
  const { results, log, runId } = parts
  const { sha } = deployment
  for (const step of steps) {
    const failure = await carryOutStep(deployment, step, environment, parts)
    if (failure !== undefined) return endedBy(failure, results)
  }
  const living = carriersOf(runId).map((pid) => `${programOf(pid)} (${pid})`)
  if (living.length > 0) await log.line(`Still running, in a session of its own: ${living.join(', ')}`)
  const found = await commitInPlace(deployment, environment['PATH'] ?? '', parts)
  const deployedSha = found === sha ? undefined : found
  if (deployedSha !== undefined)
    await log.line(
      `${deployment.recipe.kind === 'ansible' ? 'The playbook reports' : 'The folder is now at'} ${deployedSha.slice(0, 7)}, asked for ${sha.slice(0, 7)}.`,
    )
  return { state: 'succeeded', steps: results, deployedSha }
}

/** What a playbook does is elsewhere, so that only it can say which commit is there; and if several, the odd one. */
async function commitInPlace(
  { recipe, sha, repository }: Deployment,
  path: string,
  { reported, log }: Begun,
): Promise<string | undefined> {
  if (recipe.kind === 'commands') return commitInFolder(recipe.folder, { sha, repository, path })
  if (reported.length === 0)
    await log.line('Version not verified: the playbook did not report ferryman_deployed_sha.')
  return reported.find((one) => one !== sha) ?? reported[0]
}

interface Failure {
  readonly reason: FailedReason
  readonly detail: string
}

/** Why a run ends before its last step is done. */
type Cause = Failure | { readonly reason: 'by_person'; readonly detail: string }

function endedBy(cause: Cause, steps: readonly StepResult[]): RunResult {
  const { reason, detail } = cause
  return reason === 'by_person'
    ? { state: 'cancelled', steps, reason, detail }
    : { state: 'failed', steps, reason, detail }
}

/** Runs one step and adds its result; answers why the run ends here, if it does. */
async function carryOutStep(
  deployment: Deployment,
  step: Step,
  environment: Readonly<Record<string, string>>,
  parts: Begun,
): Promise<Cause | undefined> {
  const { log, masker, signal, clock, folder, results } = parts
  const { recipe } = deployment
  const name = masker.mask(step.name)
  if (signal.aborted) return stopped(signal, name, parts)
  const announced = log.line(`$ ${name}`)
  announced.catch(() => {}) // told below, when nothing is left of the command
  log.mark()
  const startedAt = clock()
  const silence = silenceLimit(recipe)
  const anySignal = AbortSignal.any([signal, silence.signal])
  let cause: Promise<Cause> | undefined
  const stop = (): Promise<Cause> => (cause ??= stopped(anySignal, name, parts))
  const result = await runCommand({
    ...parts,
    signal: anySignal,
    stopping: () => void stop().catch(() => {}), // told below, when nothing is left of the command
    argv: step.argv,
    folder: recipe.folder,
    environment,
    pipe: join(folder, `output-${results.length + 1}`),
    async record(process) {
      await parts.record(process)
      await announced // what cannot be told must not begin
      silence.start()
    },
    async write(chunk) {
      silence.pause() // while the log is busy the command has to wait
      await log.write(chunk)
      silence.start()
    },
  }).finally(silence.close)
  await announced
  const seconds = (clock() - startedAt) / 1000
  if (result.kind === 'not_started') {
    if (anySignal.aborted) return stop()
    const detail = masker.mask(result.detail)
    await log.line(detail)
    return { reason: result.reason, detail }
  }
  const { exitCode, signal: killedBy, isStopped, leftBehind } = result
  const account = recipe.kind === 'ansible' ? await seePlaybookOut(folder, parts) : undefined
  const recap = account?.kind === 'complete' ? { recap: account.recap } : {}
  results.push({ name, exitCode, signal: killedBy, seconds, ...recap })
  log.flush()
  const ending = exitCode === undefined ? `ended by ${killedBy ?? 'a signal'}` : `exit ${exitCode}`
  await log.line(`${ending} (${seconds.toFixed(1)} s)`)
  if (leftBehind > 0)
    await log.line(
      `Ended what it had left behind: ${leftBehind} ${leftBehind === 1 ? 'process' : 'processes'} of its group.`,
    )
  if (isStopped) return stop()
  if (account !== undefined) return judge(account, { exitCode, signal: killedBy }, parts)
  if (exitCode === 0) return undefined
  return {
    reason: 'command_failed',
    detail: masker.mask(failed(name, exitCode, killedBy, usefulLine(log.lastLines(50)))),
  }
}

const silenceLimit = ({ silenceSeconds }: Recipe): Limit =>
  createLimit(silenceSeconds, { kind: 'silent', detail: `Nothing was printed for ${silenceSeconds} s` })

/** What the playbook says of itself, when nothing of it is left. */
async function seePlaybookOut(folder: string, { masker, runId, patience }: Begun): Promise<Account> {
  await endConnections(runId, patience)
  return readAccount(folder, (text) => masker.mask(text))
}

/** Tells the log how the hosts fared; answers why the playbook was no success, if it was none. */
async function judge(
  account: Account,
  ended: { readonly exitCode: number | undefined; readonly signal: string | undefined },
  { log, masker, reported }: Begun,
): Promise<Failure | undefined> {
  const hosts = account.kind === 'complete' ? account.recap.hosts : []
  if (account.kind === 'complete') {
    reported.push(...account.commits)
    for (const line of recapLines(account.recap)) await log.line(line)
  }
  const failure = playbookFailure({ ...ended, account, lines: log.lastLines(50) })
  if (failure === undefined) return undefined
  const detail = masker.mask(failure.detail)
  if (!hosts.some(isInTrouble)) await log.line(detail)
  return { ...failure, detail }
}

/** Tells the log why the run has to end. */
async function stopped({ reason }: AbortSignal, name: string, { log, masker }: RunParts): Promise<Cause> {
  const { kind, detail } = reason as Stop
  const isLimit = kind === 'timed_out' || kind === 'silent'
  const sentence = masker.mask(isLimit ? `${detail} in ${name}.` : detail)
  await log.line(sentence)
  return { reason: kind, detail: sentence }
}

/** The command is named by its first words; what went wrong matters more than all its arguments. */
function failed(
  name: string,
  exitCode: number | undefined,
  killedBy: string | undefined,
  line: string,
): string {
  const command = name.length > 40 ? `${name.slice(0, 39).trimEnd()}…` : name
  const how = exitCode === undefined ? `was ended by ${killedBy ?? 'a signal'}` : `exited with ${exitCode}`
  return line === '' ? `${command} ${how}` : `${command} ${how}: ${line}`
}
