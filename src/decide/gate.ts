import type { EnvironmentConfig } from '../config/config.ts'
import type { Deployment } from '../deployment/deployment.ts'
import type { Closed } from '../deployment/gates.ts'
import type { CancelledReason, FailedReason, HoldReason } from '../deployment/reasons.ts'
import { GitHubError, type GitHub, type MadeDeployment, type ReportedChecks } from '../github/github.ts'
import { isForbidden } from '../github/limits.ts'
import type { Creation } from '../github/pace.ts'
import type { Pace } from '../pace.ts'
import type { Elapsed } from './elapsed.ts'
import { judge, judgeAll, namesOf, notOurs, type Judgement } from './checks.ts'
import { isOfGate } from './gates.ts'

/** What a look at a held deployment came to. */
export type Outcome =
  | { readonly kind: 'made'; readonly made: MadeDeployment }
  /** It may go, and GitHub has made it already, or is not told. */
  | { readonly kind: 'through' }
  | Waiting
  /** Somebody has cancelled it meanwhile. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'end'; readonly state: 'failed'; readonly reason: FailedReason; readonly detail: string }
  | {
      readonly kind: 'end'
      readonly state: 'cancelled'
      readonly reason: CancelledReason
      readonly detail: string
    }

export interface Waiting {
  readonly kind: 'wait'
  readonly reason: HoldReason
  readonly detail: string
  /** After which time to look again, if nothing happens before; undefined: only then. */
  readonly lookAgainMs: number | undefined
  /** When it ends by itself, where that is known. */
  readonly until?: number | undefined
  /** Since when it has waited for this, where that is not only now. */
  readonly since?: number | undefined
}

export interface GateParts {
  github(): GitHub
  /** Writes down that GitHub is about to be asked for the deployment; answers whether it still waits. */
  asking(deployment: Deployment): Promise<boolean>
  /** Writes down when its checks were seen to pass. */
  checked(deployment: Deployment, at: number): Promise<void>
  /** What one of its other gates makes of it, being closed; undefined: they are open. */
  closed(deployment: Deployment): Promise<Outcome | undefined>
  /** How many deployments GitHub takes; statuses use it up, too. */
  pace(): Pace<Creation>
  readonly clock: () => number
  readonly elapsed: Elapsed
}

export type Wanted = Pick<EnvironmentConfig, 'via' | 'requiredContexts' | 'checksWaitSeconds'> & ChecksAsked

const LOOK_AGAIN_MS = 60_000
/** CI needs a moment to say that it has begun. */
const SILENCE_MS = 60_000

/**
 * Lets a deployment through when the checks of its commit have passed and its other gates are open: GitHub makes its
 * deployment then, where it has not and is to be told at all. Where our token may not read checks, GitHub is handed their names and says no
 * itself. What waits at another gate has passed its checks before; they are looked at again when that gate opens.
 * Rejects with `GitHubError`.
 */
export async function passGate(deployment: Deployment, wanted: Wanted, parts: GateParts): Promise<Outcome> {
  const { github, elapsed, clock } = parts
  const { hold, id, githubId, createdAt } = deployment
  const lookedAt = clock()
  const isMade = githubId !== undefined
  const earlier =
    deployment.wasAsked && !isMade && wanted.via === 'github'
      ? await madeBefore(deployment, github())
      : undefined
  if (earlier !== undefined) return { kind: 'made', made: earlier }
  const wasAtGate = hold !== undefined && isOfGate(hold.reason)
  const closed = wasAtGate ? await parts.closed(deployment) : undefined
  if (closed !== undefined) return closed
  const required = requiredOf(deployment, wanted)
  const ask = async (contexts: readonly string[] | 'all'): Promise<Outcome> => {
    const shut = await parts.closed(deployment)
    if (shut !== undefined) return shut
    if (required.length > 0) await parts.checked(deployment, lookedAt)
    return isMade || wanted.via === 'none' ? { kind: 'through' } : create(deployment, contexts, parts)
  }
  if (required.length === 0) return ask([])

  const since = sinceOf(deployment, wasAtGate ? clock() : createdAt)
  const age = elapsed(`checks of ${id} since ${since}`, since)
  const limitMs = wanted.checksWaitSeconds * 1000
  const answer = (judgement: Judgement): Outcome | undefined =>
    outcomeOf(judgement, { deployment, since, age, limitMs })

  const reported = await readable(() => github().reportedChecks(deployment.repository, deployment.sha))
  const judgement = reported === undefined ? undefined : judge(required, reported)
  // What was reported first is not all that will be.
  const youth = elapsed(`deployment ${id}`, createdAt)
  if (required === 'all' && youth < SILENCE_MS && judgement?.verdict !== 'failed')
    return waiting('its checks', { since, age }, SILENCE_MS - youth)
  if (judgement !== undefined) return answer(judgement) ?? (await ask([]))
  if (isMade && deployment.origin === 'deployment') throw new GitHubError(UNREADABLE, 403, {}, undefined)
  return askGitHubToCheck(required, { ask, answer, since, age, limitMs })
}

/** So old may be what was seen of its checks when it begins. */
const FRESH_MS = 60_000

/**
 * Why a deployment may not begin although its gates are open: its checks were not seen to pass lately, since it has
 * waited for its turn, or they have moved. Pure.
 */
export function staleChecks(deployment: Deployment, asked: ChecksAsked, now: number): Closed | undefined {
  if (requiredOf(deployment, asked).length === 0) return undefined
  const age = now - (deployment.checkedAt ?? -Infinity)
  if (age >= 0 && age <= FRESH_MS) return undefined // else the clock was set back, too
  const detail = 'Its checks are looked at again before it begins'
  return { reason: 'checks_stale', detail, until: undefined }
}

/** It has waited for its checks since it came; after another gate, since that has opened; after its turn, since that came. */
const sinceOf = ({ hold }: Deployment, otherwise: number): number =>
  hold?.reason === 'checks_pending' || hold?.reason === 'checks_stale' ? hold.since : otherwise

/** A gate that is closed, as what a look comes to. Until when is a matter of the clock, which may be set meanwhile. */
export const atGate = ({ reason, detail, until }: Closed, now: number): Waiting => ({
  kind: 'wait',
  reason,
  detail,
  until,
  lookAgainMs: until === undefined ? undefined : Math.min(Math.max(1_000, until - now), LOOK_AGAIN_MS),
})

const UNREADABLE =
  'The token may not read the checks that enforce_required_contexts or even_when_forced ask for'

/** Which checks count for this deployment. */
export type ChecksAsked = Pick<
  EnvironmentConfig,
  'requiredContexts' | 'enforceRequiredContexts' | 'evenWhenForced'
>

/**
 * The checks that a deployment has to show. Of what others made GitHub has seen to them itself, unless they are
 * enforced. Some nobody can skip, by no force and by no empty list at GitHub. Pure.
 */
export function requiredOf(
  { origin, forced }: Pick<Deployment, 'origin' | 'forced'>,
  { requiredContexts = [], enforceRequiredContexts, evenWhenForced }: ChecksAsked,
): readonly string[] | 'all' {
  if (forced !== undefined || (origin === 'deployment' && !enforceRequiredContexts)) return evenWhenForced
  return requiredContexts === 'all' ? 'all' : [...new Set([...requiredContexts, ...evenWhenForced])]
}

interface Asking extends Omit<Age, 'deployment'> {
  ask(contexts: readonly string[] | 'all'): Promise<Outcome>
  answer(judgement: Judgement): Outcome | undefined
}

/** GitHub looks at the checks itself, and says no with a 409. */
async function askGitHubToCheck(
  required: readonly string[] | 'all',
  { ask, answer, since, age, limitMs }: Asking,
): Promise<Outcome> {
  try {
    return await ask(required)
  } catch (thrown) {
    if (!(thrown instanceof GitHubError) || !isAboutChecks(thrown)) throw thrown
    const checks = thrown.contexts.map(({ context, state }) => ({ name: context, word: state }))
    if (checks.length === 0)
      return age < limitMs
        ? waiting('the required checks', { since, age }, Math.min(LOOK_AGAIN_MS, limitMs - age))
        : failed('wait_expired', `Not deployed: ${thrown.message}`)
    const outcome = answer(judgeAll(required === 'all' ? notOurs(checks) : checks))
    if (outcome !== undefined) return outcome
    // GitHub takes a skipped check for a failed one; branch protection does not, and neither do we. The others
    // it has to find green all the same.
    const skipped = new Set(checks.map(({ name }) => name.toLowerCase()))
    return ask(required === 'all' ? [] : required.filter((name) => !skipped.has(name.toLowerCase())))
  }
}

const isAboutChecks = ({ status, contexts, message }: GitHubError): boolean =>
  status === 409 && (contexts.length > 0 || /status checks failed/i.test(message))

interface Age {
  readonly deployment: Deployment
  readonly since: number
  readonly age: number
  readonly limitMs: number
}

/** What a judgement means; undefined: go on. */
function outcomeOf(judgement: Judgement, { deployment, since, age, limitMs }: Age): Outcome | undefined {
  switch (judgement.verdict) {
    case 'passed':
      return undefined
    case 'failed': {
      const names = namesOf(judgement.checks, ({ name, word }) => `${name} (${word})`)
      return failed('checks_failed', `Not deployed: ${names} on ${deployment.sha.slice(0, 7)}`)
    }
    case 'nothing':
      return age < SILENCE_MS
        ? waiting('its checks', { since, age }, SILENCE_MS - age)
        : failed('no_checks_reported', 'Not deployed: all checks are required, and none was reported')
    case 'pending': {
      const names = namesOf(judgement.checks)
      return age < limitMs
        ? waiting(names, { since, age }, Math.min(LOOK_AGAIN_MS, limitMs - age))
        : failed('wait_expired', `Not deployed: still waiting for ${names} after ${minutes(limitMs)}`)
    }
    default:
      return judgement satisfies never
  }
}

const failed = (reason: FailedReason, detail: string): Outcome => ({
  kind: 'end',
  state: 'failed',
  reason,
  detail,
})

const waiting = (
  names: string,
  { since, age }: Pick<Age, 'since' | 'age'>,
  lookAgainMs: number,
): Waiting => ({
  kind: 'wait',
  reason: 'checks_pending',
  since,
  detail: `Waiting for ${names}${age < 60_000 ? '' : `, ${minutes(age)}`}`,
  lookAgainMs,
})

const minutes = (ms: number): string =>
  ms < 60_000 ? `${Math.round(ms / 1000)} s` : `${Math.floor(ms / 60_000)} min`

/** Undefined where the token may not read checks: GitHub hides them behind a 403 or a 404. */
async function readable(ask: () => Promise<ReportedChecks>): Promise<ReportedChecks | undefined> {
  try {
    return await ask()
  } catch (thrown) {
    if (isForbidden(thrown) || (thrown instanceof GitHubError && thrown.status === 404)) return undefined
    throw thrown
  }
}

/** GitHub has no key against doing things twice: what was asked for before is looked for by our nonce. */
export async function madeBefore(
  deployment: Deployment,
  github: GitHub,
): Promise<MadeDeployment | undefined> {
  const { repository, sha, environment, task, nonce } = deployment
  const made = await github.deployments(repository, { sha, environment, task })
  return made.find(({ payload }) => Reflect.get(Object(payload), 'ferryman') === nonce)
}

const MOST_DESCRIPTION = 140

async function create(
  deployment: Deployment,
  requiredContexts: readonly string[] | 'all',
  { github, asking, pace, clock }: GateParts,
): Promise<Outcome> {
  const waitMs = pace().waitMs('deployment', clock())
  if (waitMs > 0) return outOfTurn(waitMs)
  const { repository, sha, environment, task, description, payload } = deployment
  if (!(await asking(deployment))) return { kind: 'gone' }
  const turn = pace().begin('deployment', clock())
  try {
    const made = await github().createDeployment(repository, {
      sha,
      environment,
      task,
      description: description.slice(0, MOST_DESCRIPTION).replace(/[\uD800-\uDBFF]$/, ''),
      payload: JSON.parse(payload) as Record<string, unknown>,
      requiredContexts,
    })
    if (made !== 'auto_merged') return { kind: 'made', made }
  } catch (thrown) {
    // What was refused with a reason was not made; anything else may have been.
    if (thrown instanceof GitHubError && (thrown.status ?? 500) < 500) turn.takeBack()
    if (!(thrown instanceof GitHubError) || isAboutChecks(thrown)) throw thrown
    if (thrown.status === 409 || thrown.status === 422) return failed('github_refused', thrown.message)
    throw thrown
  } finally {
    turn.end(clock())
  }
  const message = 'GitHub merged branches instead of making the deployment (202)'
  throw new GitHubError(message, undefined, {}, undefined)
}

const outOfTurn = (lookAgainMs: number): Waiting => ({
  kind: 'wait',
  reason: 'github_unavailable',
  detail: 'GitHub takes about 500 new deployments and statuses an hour; this one waits for its turn',
  lookAgainMs,
})
