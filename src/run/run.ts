import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { nameOf, wordsFor, type Deployment } from '../deployment/deployment.ts'
import { FerrymanError, messageOf } from '../errors.ts'
import { recipeAt } from '../deployment/recipe.ts'
import { createUsers } from './another-user.ts'
import { createLimit } from './limits.ts'
import type { Begun, RunParts } from './parts.ts'
import { listFolders } from './listing.ts'
import type { Failure } from './step.ts'
import { compile, foldersOf } from './steps.ts'
import { configVariables, findPlacing, keepRelease, makeRoom, tellUnproved } from './place-release.ts'
import { goBack } from './way-back.ts'
import { removeTree } from './workspace/remove.ts'
import type { RunResult } from './result.ts'
import { hearCommit, placingSteps, planBack, type Plan } from './hearing.ts'
import { bringSource, prepare, prepareWork, type Ready } from './prepare.ts'
import { tellHooks, tidy } from './afterwards.ts'
import { carryOut, refuse } from './carry-out.ts'

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
    const isUntold = result.state === 'failed' && result.reason === 'log_unwritable'
    const now = result.state === 'succeeded' ? plan.inPlace : plan.variables
    if (!isUntold) await tellHooks(plan.deployment, result, { runbook, variables: now }, begun)
    const isOver = result.state === 'failed' || result.state === 'cancelled'
    if (isOver && placing !== undefined) await makeRoom(placing, begun)
    if (asking === undefined && !isUntold) await tidy(deployment, { result, variables }, begun)
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

/** Whoever reads along learns what a server that stops will do. */
function tellStopping({ stopping, log }: RunParts): () => void {
  const tell = (): void => void log.line(String(stopping.reason))
  stopping.addEventListener('abort', tell, { once: true })
  return () => stopping.removeEventListener('abort', tell)
}

const introduction = (deployment: Deployment, asking: RunParts['asking']): string => {
  const { repository, environment, sha, ref, actor, creator, task, forced } = deployment
  const words = wordsFor(deployment)
  if (asking !== undefined)
    return `${repository} ${environment}: dry run of ${task} ${sha} (${ref}), asked for by ${actor}`
  const through = actor === creator ? '' : ` through ${creator}`
  const force = forced === undefined ? '' : `, forced by ${forced.by}: ${forced.why}`
  const why = words === undefined ? '' : `: ${words}`
  return `${nameOf(deployment)}: ${task} ${sha} (${ref}), asked for by ${actor}${through}${why}${force}`
}

/** What cannot be told ends the run; all else that is thrown goes on. */
async function endUnwritable(thrown: unknown, { log, results: steps }: Begun): Promise<RunResult> {
  if (!(thrown instanceof FerrymanError) || thrown.code !== 'log_unwritable') throw thrown
  const detail = thrown.message
  await log.line(`${detail} What would follow here is missing, and nothing more was begun.`)
  return { state: 'failed', steps, reason: 'log_unwritable', detail, lastLines: [] }
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
