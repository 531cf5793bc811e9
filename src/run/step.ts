import { join } from 'node:path'

import type { Deployment, StepResult } from '../deployment/deployment.ts'
import type { FailedReason } from '../deployment/reasons.ts'
import type { Recipe } from '../deployment/recipe.ts'
import { isInTrouble, readAccount, recapLines, type Account } from './ansible/recap.ts'
import { playbookFailure, type PlaybookEnd } from './ansible/verdict.ts'
import { changedIn } from './changed.ts'
import { runCommand, type Ended } from './command.ts'
import { endConnections, type Leaving } from './ending.ts'
import { createLimit, type Limit, type Stop } from './limits.ts'
import { partOf } from './mark.ts'
import type { Begun, RunParts } from './parts.ts'
import { namesOf } from './processes.ts'
import type { ActionStep, CommandStep, Step } from './steps.ts'
import { usefulLine } from './useful-line.ts'

/** Why nothing, or nothing more, could be done. */
export interface Failure {
  readonly reason: FailedReason
  readonly detail: string
}

/** Why a run ends before its last step is done. */
export type Cause = Failure | { readonly reason: 'by_person'; readonly detail: string }

/** Why a step did not succeed. */
export type StepFailure = Cause & { readonly exitCode?: number | undefined }

type Variables = Readonly<Record<string, string>>

/** Runs one step, or leaves it out, and adds its result; answers why it did not succeed, if it did not. */
export async function carryOutStep(
  deployment: Deployment,
  step: Step,
  environment: Variables,
  parts: Begun,
): Promise<StepFailure | undefined> {
  if (step.kind === 'action') return perform(deployment, step, environment, parts)
  if (await leaveOut(deployment, step, environment, parts)) return undefined
  const failure = await runStep(deployment, step, environment, parts)
  if (failure !== undefined) await step.failed?.()
  return failure
}

/** Whether nothing has changed that the step is there for; then that is told, and its result. */
async function leaveOut(
  { recipe, sha }: Deployment,
  step: CommandStep,
  environment: Variables,
  { previousSha, log, masker, signal, results }: Begun,
): Promise<boolean> {
  if (step.onlyIfChanged === undefined || signal.aborted) return false
  const folder = step.folder ?? recipe.folder
  const path = environment['PATH'] ?? ''
  const changed = await changedIn(step.onlyIfChanged, { folder, sha, previousSha, path })
  if (changed.isChanged === true) return false
  const because = masker.mask(changed.because)
  if (changed.isChanged === undefined) {
    await log.line(`The next step runs whatever has changed: ${because}.`)
    return false
  }
  const { name, about } = namesOfStep(step, masker)
  await log.announce(announcement(name, about.label))
  await log.line(`skipped: ${because}`)
  results.push({ name, ...about, skipped: because, exitCode: undefined, signal: undefined, seconds: 0 })
  return true
}

/** What a step is called where it is told, secrets masked. */
function namesOfStep(
  { name, label, hook }: CommandStep,
  { mask }: RunParts['masker'],
): { readonly name: string; readonly about: Pick<StepResult, 'label' | 'hook'> } {
  return {
    name: mask(name),
    about: {
      ...(label === undefined ? {} : { label: mask(label) }),
      ...(hook === undefined ? {} : { hook }),
    },
  }
}

function announcement(name: string, label: string | undefined, user?: string): string {
  const notes = [label, user === undefined ? undefined : `as ${user}`].filter((note) => note !== undefined)
  return `$ ${name}${notes.length === 0 ? '' : `  # ${notes.join(', ')}`}`
}

/** The environment of a command that is another user's: what `env` says holds for everybody. */
function environmentOf(
  environment: Variables,
  variables: Variables,
  env: Readonly<Record<string, unknown>>,
): Variables {
  const { TMPDIR, ...others } = environment // it may be ours alone
  const kept = TMPDIR === undefined || !Object.hasOwn(env, 'TMPDIR') ? {} : { TMPDIR }
  const theirs = Object.entries(variables).filter(([name]) => !Object.hasOwn(env, name))
  return { ...others, ...kept, ...Object.fromEntries(theirs) }
}

/** Does what is code of our own. Each command in it has a result, and so has the whole. */
async function perform(
  deployment: Deployment,
  step: ActionStep,
  variables: Variables,
  parts: Begun,
): Promise<StepFailure | undefined> {
  const { log, masker, signal, clock, results } = parts
  const name = masker.mask(step.name)
  if (signal.aborted) return stopped(signal, name, parts)
  await log.announce(name)
  log.mark()
  const startedAt = clock()
  let note: string | undefined
  const failure = await step.perform({
    ...parts,
    variables,
    note: (text) => (note = masker.mask(text)),
    run: (command, environment) => runStep(deployment, command, environment, parts),
    lastLine: () => usefulLine(log.lastLines(50)),
  })
  const cause = failure ?? (signal.aborted ? await stopped(signal, name, parts) : undefined)
  results.push({
    name,
    ...(step.hook === undefined ? {} : { hook: step.hook }),
    action: cause === undefined ? 'done' : 'failed',
    ...(cause === undefined && note !== undefined ? { note } : {}),
    exitCode: undefined,
    signal: undefined,
    seconds: (clock() - startedAt) / 1000,
  })
  if (cause === undefined) return undefined
  const detail = masker.mask(cause.detail)
  if (!signal.aborted) await log.line(detail)
  return { ...cause, detail }
}

async function runStep(
  deployment: Deployment,
  step: CommandStep,
  environment: Variables,
  parts: Begun,
): Promise<StepFailure | undefined> {
  const { log, masker, signal, clock, folder, results, begun } = parts
  const { recipe } = deployment
  const { name, about } = namesOfStep(step, masker)
  const { label } = about
  if (signal.aborted) return stopped(signal, name, parts)
  const other = step.runAs === undefined ? undefined : await parts.users.as(step.runAs)
  const announced = log.announce(announcement(name, label, other && step.runAs))
  announced.catch(() => {}) // told below, when nothing is left of the command
  log.mark()
  if (other !== undefined && 'why' in other) {
    const detail = `${other.why} ${other.hint}`
    await announced
    await log.line(detail)
    results.push(notBegun(name, about, detail))
    return { reason: 'config_invalid', detail }
  }
  const become = other?.words
  const whole = other === undefined ? environment : environmentOf(environment, other.variables, recipe.env)
  const startedAt = clock()
  const silence = silenceLimit(recipe)
  const listen = (): void => {
    if (step.mayBeSilent !== true) silence.start()
  }
  const ownLimit = limitOf(step)
  const anySignal = AbortSignal.any([
    signal,
    silence.signal,
    ...(ownLimit === undefined ? [] : [ownLimit.signal]),
  ])
  let cause: Promise<Cause> | undefined
  const stop = (): Promise<Cause> => (cause ??= stopped(anySignal, name, parts))
  const runId = runIdOf(step, parts)
  const result = await runCommand({
    ...parts,
    runId,
    signal: anySignal,
    interrupting: () => void stop(),
    stuck: (pids) => tellStuck(pids, parts),
    leaveProcesses: step.leaveProcesses ?? recipe.leaveProcesses,
    argv: step.argv,
    folder: step.folder ?? recipe.folder,
    environment: { ...whole, ...step.environment, FERRYMAN_RUN_ID: runId },
    become,
    pipe: join(folder, `output-${results.length + 1}`),
    async record(process) {
      await announced // what cannot be told must not begin, and need not wait for the database either
      await parts.record(process, signal)
      begun.push(process)
      listen()
      ownLimit?.start()
    },
    write(chunk) {
      const writing = log.write(chunk)
      if (writing === undefined) listen()
      else silence.pause() // while the log is busy the command has to wait
      return writing?.then(listen)
    },
  }).finally(() => {
    silence.close()
    ownLimit?.close()
  })
  await announced
  const seconds = (clock() - startedAt) / 1000
  if (result.kind === 'not_started') {
    if (anySignal.aborted) return stop()
    const detail = masker.mask(result.detail)
    await log.line(detail)
    results.push(notBegun(name, about, detail))
    return { reason: result.reason, detail }
  }
  const { exitCode, signal: killedBy, isStopped } = result
  const account = step.kind === 'playbook' ? await seePlaybookOut(folder, parts) : undefined
  const recap = account?.kind === 'complete' ? { recap: account.recap } : {}
  results.push({ name, ...about, exitCode, signal: killedBy, seconds, ...recap })
  log.flush()
  const ending = exitCode === undefined ? `ended by ${killedBy ?? 'a signal'}` : `exit ${exitCode}`
  await log.line(`${ending} (${seconds.toFixed(1)} s)`)
  await tellLeaving(result.leaving, parts)
  if (result.isOutputHeld) await log.line(OUTPUT_HELD)
  if (isStopped) return stop()
  if (parts.stopping.aborted && isTerminated(result)) return terminated(name, parts)
  if (account !== undefined)
    return judge(account, { exitCode, signal: killedBy, hasTags: hasTags(recipe) }, parts)
  if (exitCode === 0) {
    await step.succeeded?.()
    return undefined
  }
  return {
    reason: 'command_failed',
    exitCode,
    detail: masker.mask(failed(label ?? name, exitCode, killedBy, usefulLine(log.lastLines(50)))),
  }
}

/** Its turn came, and there was nothing that could be run. */
const notBegun = (name: string, about: Pick<StepResult, 'label' | 'hook'>, note: string): StepResult => ({
  name,
  ...about,
  note,
  exitCode: undefined,
  signal: undefined,
  seconds: 0,
})

/** A step that may fail is ended alone: what others have started, and what the deployment is about, lives on. */
const runIdOf = ({ onFailure }: CommandStep, { runId }: RunParts): string =>
  onFailure === 'goes_on' ? partOf(runId) : runId

/** What stops Ferryman may tell its commands as well: systemd does, unless it is told otherwise. A shell says 143. */
const isTerminated = ({ exitCode, signal }: Pick<Ended, 'exitCode' | 'signal'>): boolean =>
  signal === 'SIGTERM' || exitCode === 143

async function terminated(name: string, { log }: RunParts): Promise<Failure> {
  const detail = `Interrupted: SIGTERM ended ${inShort(name)} while Ferryman was stopped. It is not started again by itself.`
  await log.line(detail)
  return { reason: 'interrupted', detail }
}

const OUTPUT_HELD =
  'What it has started and still lives has its output, which is read no longer: printing ends it (SIGPIPE). Let it print into a file.'

async function tellLeaving({ found, stayed }: Leaving, { log }: RunParts): Promise<void> {
  const ended = found - stayed.length
  if (ended > 0)
    await log.line(
      `Ended what it had left behind: ${ended} ${ended === 1 ? 'process' : 'processes'} of its group.`,
    )
  if (stayed.length > 0) await log.line(`Could not end what it had left behind: ${namesOf(stayed)}`)
}

/** Tells everybody that something of the run cannot be ended; until it has ended, nothing begins in its place. */
export function tellStuck(pids: readonly number[], { log, stuck }: RunParts): void {
  const names = namesOf(pids)
  stuck(names)
  void log.line(`Still there although killed: ${names}. The next in line waits until it has ended.`)
}

const silenceLimit = ({ silenceSeconds }: Recipe): Limit =>
  createLimit(silenceSeconds, { kind: 'silent', detail: `Nothing was printed for ${silenceSeconds} s` })

const limitOf = ({ timeoutSeconds }: CommandStep): Limit | undefined =>
  timeoutSeconds === undefined
    ? undefined
    : createLimit(timeoutSeconds, {
        kind: 'timed_out',
        detail: `Its time limit of ${timeoutSeconds} s was reached`,
      })

/** What the playbook says of itself, when nothing of it is left. */
async function seePlaybookOut(folder: string, { masker, runId, patience }: Begun): Promise<Account> {
  await endConnections(runId, patience)
  return readAccount(folder, (text) => masker.mask(text))
}

const hasTags = (recipe: Recipe): boolean =>
  recipe.kind === 'ansible' && recipe.options.tags.length + recipe.options.skipTags.length > 0

/** Tells the log how the hosts fared; answers why the playbook was no success, if it was none. */
async function judge(
  account: Account,
  ended: Pick<PlaybookEnd, 'exitCode' | 'signal' | 'hasTags'>,
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

/** The command is named by its first words, of a long path by its end; what went wrong matters more than all its arguments. */
function inShort(name: string): string {
  if (name.length <= 40) return name
  const [program = ''] = name.split(' ', 1)
  return program.includes('/') && program.length > 40
    ? `…${program.slice(-39)}`
    : `${name.slice(0, 39).trimEnd()}…`
}

function failed(
  name: string,
  exitCode: number | undefined,
  killedBy: string | undefined,
  line: string,
): string {
  const command = inShort(name)
  const how = exitCode === undefined ? `was ended by ${killedBy ?? 'a signal'}` : `exited with ${exitCode}`
  return line === '' ? `${command} ${how}` : `${command} ${how}: ${line}`
}
