import { mkdirSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { secretsIn, secretsSaid } from '../config/values.ts'
import { nameOf, type Deployment, type StepResult } from '../deployment/deployment.ts'
import type { FailedReason } from '../deployment/reasons.ts'
import { FerrymanError, messageOf } from '../errors.ts'
import { recipeAt, type PlaybookRecipe, type Recipe } from '../deployment/recipe.ts'
import { clear, homeOf, isInstalled } from './ansible/galaxy.ts'
import { preparePlaybook, type Prepared } from './ansible/playbook.ts'
import { extraVariables, resolveVariables } from './ansible/variables.ts'
import { createUsers } from './another-user.ts'
import { commitInFolder } from './commit-in-folder.ts'
import { endForGood } from './ending.ts'
import { commandEnvironment } from './environment.ts'
import { createLimit } from './limits.ts'
import type { Begun, RunParts } from './parts.ts'
import { told } from './proc.ts'
import { carriersOf, namesOf } from './processes.ts'
import { listFolders } from './listing.ts'
import { carryOutStep, tellStuck, type Cause, type Failure, type StepFailure } from './step.ts'
import {
  compile,
  foldersOf,
  hookVariables,
  NOT_NOW,
  type CompileFacts,
  type Runbook,
  type Step,
} from './steps.ts'
import {
  archiveStep,
  commitBefore,
  configVariables,
  fetchStep,
  findPlacing,
  folderBefore,
  keepRelease,
  releaseVariables,
  switchStep,
  tellUnproved,
  wayBackOf,
  type Placing,
} from './place-release.ts'
import { folderOf } from './releases.ts'
import { recipeOfCommit, variablesOfCommit, withVariables } from './repository-file.ts'
import { goBack } from './way-back.ts'
import { checkOutStep } from './workspace/check-out.ts'
import { tidyStep } from './workspace/tidy.ts'
import { removeTree } from './workspace/remove.ts'
import { sshCommand } from './workspace/source.ts'

type Variables = Readonly<Record<string, string>>

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
      /** Of the step that failed, secrets masked; empty where none has. */
      readonly lastLines: readonly string[]
    }
  /** A hook says that the work may not begin yet. */
  | { readonly state: 'held'; readonly steps: readonly StepResult[]; readonly detail: string }
  | {
      readonly state: 'cancelled'
      readonly steps: readonly StepResult[]
      readonly reason: 'by_person'
      readonly detail: string
    }

/**
 * Carries a deployment out, step by step, and tells its log what happens. Answers truthfully; throws for nothing
 * that it can name, but `StillThere` when something of it cannot be ended and the server has to.
 */
export async function run(given: Deployment, parts: RunParts): Promise<RunResult> {
  const { log, previousSha, directory, runId, asking } = parts
  const folder = join(directory, runId)
  const found = given.recipe.releases && (await findPlacing(given, given.recipe.releases))
  const placing = found === undefined || 'reason' in found ? undefined : found
  const temporary = placing === undefined && given.recipe.workspace !== undefined
  const workspace = temporary ? join(parts.checkouts.workspaces, runId) : placing?.folder
  const deployment = workspace === undefined ? given : inCheckout(given, workspace)
  const tellNoMore = tellStopping(parts)
  const users = createUsers(deployment.payload, runId)
  const begun: Begun = { ...parts, folder, users, results: [], reported: [], begun: [], lent: [] }
  try {
    const introduced = log.announce(introduction(deployment, asking))
    introduced.catch(() => {}) // told below, when nothing else is under way
    if (found !== undefined && 'reason' in found) return await refuse(found, begun)
    const listed = await listFolders(foldersOf(deployment))
    const facts = { previousSha, folder, workspace, listed, asking }
    const compiled = compile(deployment, facts)
    if ('reason' in compiled) return await refuse(compiled, begun)
    const environment = await prepare(deployment, { folder, workspace, placing }, parts)
    await introduced
    if ('reason' in environment) return await refuse(environment, begun)
    const { variables } = environment
    const inPlace = placing === undefined ? variables : { ...variables, ...configVariables(placing, 'after') }
    // As the server's configuration has it, until the commit is there and may have its say.
    let plan: Plan = { deployment, runbook: { ...compiled, ...placingSteps(placing) }, variables, inPlace }
    let isReady = false
    const carriedOut = await withinLimit(deployment, parts, async (signal) => {
      const running = { ...begun, signal }
      const missing = await bringSource(deployment, { workspace, placing, variables }, running)
      if (missing !== undefined) return missing
      const heard = await hearCommit(plan, { facts, placing }, running)
      if ('reason' in heard) return refuse(heard, running)
      plan = heard
      const isThere = placing?.isThere === true
      const book = { ...heard.runbook, ...(isThere ? { work: [] } : {}) }
      // Where nothing comes before the work, what keeps it from beginning keeps all from beginning.
      isReady = book.before.length > 0
      const ready = async (): Promise<Ready | Failure> => {
        const prepared = await prepareWork(heard.deployment, heard.variables, running)
        isReady ||= !('reason' in prepared)
        return isThere && !('reason' in prepared) ? { ...prepared, before: [] } : prepared
      }
      return withinLimit(heard.deployment, running, (inner) =>
        carryOut(heard.deployment, book, { ...heard, ready }, { ...running, signal: inner }),
      )
    }).catch((thrown: unknown) => endUnwritable(thrown, begun))
    if (!isReady) return carriedOut
    const { runbook } = plan
    const isBad = carriedOut.state !== 'succeeded' && placing?.isPlaced === true
    const back = isBad ? await planBack(plan, { facts, placing, configured: deployment }, begun) : plan
    const result = await goBack(back.deployment, carriedOut, back, begun)
    if (result.state !== 'succeeded' && placing !== undefined) await tellUnproved(placing, log)
    if (result.state === 'succeeded' && placing !== undefined)
      await keepRelease(placing, { sha: result.deployedSha ?? given.sha, at: given.startedAt ?? 0 }, log)
    if (result.state === 'failed' && result.reason === 'log_unwritable') return result
    const now = result.state === 'succeeded' ? plan.inPlace : plan.variables
    await tellHooks(plan.deployment, result, { runbook, variables: now }, begun)
    if (asking === undefined) await tidy(deployment, { result, variables }, begun)
    return result
  } catch (thrown) {
    return await endUnwritable(thrown, begun) // while `finally` waits, nobody else would take what it throws
  } finally {
    tellNoMore()
    for (const forget of begun.lent) forget()
    await users.takeBack()
    // What the commands put there may be beyond our rights; that changes nothing about how they ended.
    await rm(folder, { recursive: true, force: true }).catch(() => {})
    if (temporary && workspace !== undefined)
      await removeTree(workspace).catch((thrown: unknown) =>
        log.line(`The checkout could not be removed: ${messageOf(thrown)}. The next start tries again.`),
      )
  }
}

const inCheckout = (deployment: Deployment, workspace: string): Deployment => ({
  ...deployment,
  recipe: recipeAt(deployment.recipe, workspace),
})

/** What is carried out, and with which variables. */
interface Plan {
  readonly deployment: Deployment
  readonly runbook: Runbook
  readonly variables: Variables
  /** The same when it is in place. */
  readonly inPlace: Variables
}

/** The plan with what a file of the commit says of it, where the configuration lets it. */
async function hearCommit(
  plan: Plan,
  { facts, placing }: { readonly facts: CompileFacts; readonly placing: Placing | undefined },
  begun: Begun,
): Promise<Plan | Failure> {
  const { log, checkouts } = begun
  const { variables, runbook, deployment: given } = plan
  const { workspace } = facts
  if (workspace === undefined) return plan
  // A release has no history of its own any more.
  const repository = placing?.isThere === true ? checkouts.mirrors.pathOf(given.configuredAs) : workspace
  const place = { repository, workspace, path: variables['PATH'] ?? '', tell: log.line }
  const recipe = await recipeOfCommit(given, place)
  if ('reason' in recipe) {
    if (placing?.isThere !== true) return recipe
    await log.line(
      `${recipe.detail} Release ${placing.release} is there all the same, with what the configuration of the server says.`,
    )
    return plan
  }
  if (recipe === given.recipe) return plan
  const deployment = { ...given, recipe }
  const compiled = compile(deployment, facts)
  if ('reason' in compiled) return compiled
  const own = variablesOfCommit(recipe, given.recipe)
  hide(own, begun)
  const { activate, wayBack } = runbook
  return { ...plan, deployment, runbook: { ...withVariables(compiled, own, recipe), activate, wayBack } }
}

/** What a commit calls a password is masked as long as the run: its words are nothing for the logs of others. */
function hide(own: Variables, { masker, lent }: Begun): void {
  const secrets = Object.entries(own).flatMap(([name, text]) => secretsSaid(name, text))
  lent.push(...secrets.map((secret) => masker.lend(secret)))
}

/**
 * The plan for the way back: its hooks are run in what has come back, and told of that. In the release that is not good
 * they would start just that again. What the commit of what comes back says itself counts, as far as that is known.
 */
async function planBack(
  plan: Plan,
  { facts, placing, configured }: { facts: CompileFacts; placing: Placing; configured: Deployment },
  begun: Begun,
): Promise<Plan> {
  const { log, checkouts } = begun
  const workspace = folderBefore(placing)
  const there = <Any extends Recipe>(recipe: Any): Any => inFolder(recipe, placing.folder, workspace)
  const base = there(configured.recipe)
  const sha = base.inRepository && (await commitBefore(placing))
  let recipe = there(plan.deployment.recipe)
  if (sha !== undefined) {
    const repository = checkouts.mirrors.pathOf(configured.configuredAs)
    const place = { repository, workspace, path: plan.variables['PATH'] ?? '', tell: log.line }
    const heard = await recipeOfCommit({ ...configured, recipe: base, sha }, place)
    if ('reason' in heard) await log.line(`${heard.detail} What this deployment has heard counts instead.`)
    else recipe = heard
  }
  const deployment = { ...plan.deployment, recipe }
  const compiled = compile(deployment, { ...facts, workspace })
  const own = variablesOfCommit(recipe, base)
  hide(own, begun)
  const { verify } = 'reason' in compiled ? plan.runbook : withVariables(compiled, own, recipe)
  const told = { FERRYMAN_RELEASE: workspace, FERRYMAN_WORKSPACE: workspace, PREVIOUS_CONFIG: '' }
  return {
    ...plan,
    deployment,
    runbook: { ...plan.runbook, verify },
    variables: { ...plan.inPlace, ...told },
  }
}

/** The recipe in another folder instead of this one. */
const inFolder = <Any extends Recipe>(recipe: Any, from: string, to: string): Any =>
  `${recipe.folder}/`.startsWith(`${from}/`)
    ? { ...recipe, folder: `${to}${recipe.folder.slice(from.length)}` }
    : recipe

/** What puts the release in place, and what takes it back again. */
const placingSteps = (placing: Placing | undefined): Pick<Runbook, 'activate' | 'wayBack'> | undefined =>
  placing && {
    activate: [switchStep(placing)],
    wayBack: wayBackOf(placing),
  }

/** Whoever reads along learns what a server that stops will do. */
function tellStopping({ stopping, log }: RunParts): () => void {
  const tell = (): void => void log.line(String(stopping.reason))
  stopping.addEventListener('abort', tell, { once: true })
  return () => stopping.removeEventListener('abort', tell)
}

const introduction = (deployment: Deployment, asking: RunParts['asking']): string => {
  const { repository, environment, sha, ref, actor, creator, task, forced } = deployment
  if (asking !== undefined)
    return `${repository} ${environment}: dry run of ${task} ${sha} (${ref}), asked for by ${actor}`
  const through = actor === creator ? '' : ` through ${creator}`
  const force = forced === undefined ? '' : `, forced by ${forced.by}: ${forced.why}`
  return `${nameOf(deployment)}: ${task} ${sha} (${ref}), asked for by ${actor}${through}${force}`
}

/** What cannot be told ends the run; all else that is thrown goes on. */
async function endUnwritable(thrown: unknown, { log, results: steps }: Begun): Promise<RunResult> {
  if (!(thrown instanceof FerrymanError) || thrown.code !== 'log_unwritable') throw thrown
  const detail = thrown.message
  await log.line(`${detail} What would follow here is missing, and nothing more was begun.`)
  return { state: 'failed', steps, reason: 'log_unwritable', detail, lastLines: [] }
}

async function refuse({ reason, detail }: Failure, { log, masker, results }: Begun): Promise<RunResult> {
  const masked = masker.mask(detail)
  await log.line(masked)
  return { state: 'failed', steps: results, reason, detail: masked, lastLines: log.lastLines(LAST_LINES) }
}

/** So many lines of a failed step are told with its failure. */
const LAST_LINES = 10

/** What the work is run with. */
interface Ready {
  /** Beside the variables of all commands, for the work alone: hooks learn nothing of how a playbook is run. */
  readonly ofWork: Variables
  /** What has to be done before the work. */
  readonly before: readonly Step[]
}

/** Where it runs, if that is not always the same folder. */
interface Where {
  readonly workspace: string | undefined
  readonly placing: Placing | undefined
}

/** The private folder with what the steps need, and the environment of every command; or why nothing can run. */
async function prepare(
  deployment: Deployment,
  { folder, workspace, placing }: Where & { readonly folder: string },
  parts: RunParts,
): Promise<{ readonly variables: Variables } | Failure> {
  const payloadFile = join(folder, 'payload.json')
  // At once: this is little, and the way to the thread pool and back takes longer, several times.
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(payloadFile, deployment.payload, { mode: 0o600 })
  try {
    const env = Object.fromEntries(
      Object.entries(deployment.recipe.env).map(([name, value]) => [name, parts.resolve(value)]),
    )
    parts.masker.add(
      Object.entries(deployment.recipe.env).flatMap(([name, value]) =>
        secretsIn(name, value, env[name] ?? ''),
      ),
    )
    const release = placing === undefined ? {} : releaseVariables(placing)
    const side = { ...parts, payloadFile, workspace, release, env: { ...sshFor(deployment.recipe), ...env } }
    return { variables: commandEnvironment(deployment, parts.server, side) }
  } catch (thrown) {
    return configFailure(thrown)
  }
}

/** The key that opens the source is for commands, too. */
const sshFor = ({ workspace }: Recipe): Variables =>
  workspace?.sshKeyFile === undefined
    ? {}
    : { GIT_SSH_COMMAND: sshCommand(workspace.sshKeyFile, workspace.knownHostsFile) }

/** What of the configuration cannot be read any more is a failure with a name. */
function configFailure(thrown: unknown): Failure {
  if (!(thrown instanceof FerrymanError)) throw thrown
  return { reason: 'config_invalid', detail: `${thrown.message} ${thrown.hint}` }
}

/**
 * What is to be deployed: the checkout of the commit, or what a release is made of, where the recipe has either; answers
 * how the run ends when it cannot be had.
 */
async function bringSource(
  deployment: Deployment,
  { workspace: path, placing, variables }: Where & { readonly variables: Variables },
  parts: Begun,
): Promise<RunResult | undefined> {
  const { workspace, releases } = deployment.recipe
  if (path === undefined) return undefined
  if (placing?.isThere === true) {
    await parts.log.line(`Release ${placing.release} is there: nothing is fetched, and no command is run.`)
    return undefined
  }
  // What was deployed last stays known in its mirror, whatever is only tried meanwhile.
  const environmentInMirror = `${deployment.environment}${parts.asking === undefined ? '' : ' (dry run)'}`
  const kept = { ...deployment, environment: environmentInMirror }
  const checkOut = workspace && checkOutStep(kept, { ...parts.checkouts, workspace, path, variables })
  const { environment, user } = parts.server
  const archive =
    releases?.source &&
    placing &&
    archiveStep(deployment, releases.source, placing, {
      hide: (secrets) => parts.masker.add(secrets.filter((one) => one !== '')),
      resolve: parts.resolve,
      environment,
      home: environment['HOME'] ?? user.home,
    })
  const bring = archive ?? checkOut
  if (bring === undefined) return undefined
  const step = placing === undefined ? bring : fetchStep(deployment, placing, bring)
  const failure = await carryOutStep(deployment, step, variables, parts)
  return failure && breakOff(deployment, failure, parts)
}

/** What the work needs that lies in its folder; or why it cannot begin. */
async function prepareWork(
  deployment: Deployment,
  variables: Variables,
  parts: Begun,
): Promise<Ready | Failure> {
  const { recipe } = deployment
  if (recipe.kind !== 'ansible') return { ofWork: {}, before: [] }
  try {
    const prepared = await preparePlaybookOf(deployment, recipe, variables, parts)
    return 'reason' in prepared ? prepared : { ofWork: prepared.variables, before: prepared.before }
  } catch (thrown) {
    return configFailure(thrown)
  }
}

async function preparePlaybookOf(
  deployment: Deployment,
  recipe: PlaybookRecipe,
  variables: Readonly<Record<string, string>>,
  { folder, masker, log, installed, previousSha, resolve, asking }: RunParts & Pick<Begun, 'folder'>,
): Promise<Prepared | Failure> {
  const own = resolveVariables(recipe.options.extraVars, resolve)
  masker.add(own.secrets)
  const extra = extraVariables(deployment, previousSha, own.values)
  const kept = homeOf(installed, deployment.repository, deployment.environment)
  // What is only asked takes no lane: it installs nothing where a deployment may be installing.
  const home =
    asking === undefined || isInstalled(recipe.options.requirements, kept) ? kept : join(folder, 'installed')
  const prepared = await preparePlaybook(recipe, folder, { variables, extra, home })
  if ('reason' in prepared) return prepared
  masker.add(prepared.secrets)
  if (prepared.before.length > 0) await clear(home)
  for (const note of prepared.notes) await log.line(note)
  return prepared
}

/** Adds the time limit to the reasons for which the run may have to end; the first one counts. */
async function withinLimit<Result>(
  deployment: Deployment,
  { signal }: Pick<RunParts, 'signal'>,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
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

interface CarriedWith extends Record<'variables' | 'inPlace', Variables> {
  /** Asked for when the hooks before the work have let it begin. */
  ready(): Promise<Ready | Failure>
}

async function carryOut(
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

/** Ends a run before its last step. */
async function breakOff(deployment: Deployment, cause: StepFailure, parts: Begun): Promise<RunResult> {
  const lastLines = parts.log.lastLines(LAST_LINES)
  if (parts.signal.aborted) await endRest(parts)
  else await tellLiving(deployment, parts)
  return endedBy(cause, parts.results, lastLines)
}

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

/** Runs what follows the work; however it fares, the result stays what it is. */
async function tellHooks(
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
async function tidy(
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
    // The work is done; its log says no more.
    if (!(thrown instanceof FerrymanError) || thrown.code !== 'log_unwritable') throw thrown
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

/** A run that has to end leaves nothing, also of what its earlier steps had left to run on. */
async function endRest(parts: Begun): Promise<void> {
  const lastOfEach = new Map(parts.begun.map((process) => [process.runId, process]))
  for (const last of lastOfEach.values())
    await endForGood(last, { ...parts, stuck: (pids) => tellStuck(pids, parts) })
}

/** Names what lives on after a run that ended by itself. */
async function tellLiving({ recipe }: Deployment, { log, begun }: Begun): Promise<void> {
  const runIds = [...new Set(begun.map(({ runId }) => runId))]
  const living = await told(() => runIds.flatMap((runId) => carriersOf(runId)))
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
