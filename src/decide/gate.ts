import type { EnvironmentConfig } from '../config/config.ts'
import type { Deployment } from '../deployment/deployment.ts'
import type { CancelledReason, FailedReason, HoldReason } from '../deployment/reasons.ts'
import { GitHubError, type GitHub, type MadeDeployment, type ReportedChecks } from '../github/github.ts'
import { judge, judgeAll, namesOf, type Judgement } from './checks.ts'
import { isForbidden } from './history.ts'

/** What a look at a held deployment came to. */
export type Outcome =
  | { readonly kind: 'made'; readonly made: MadeDeployment }
  | Waiting
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
  /** After which time to look again, if nothing happens before. */
  readonly lookAgainMs: number
}

export interface GateParts {
  github(): GitHub
  readonly clock: () => number
}

export type Wanted = Pick<EnvironmentConfig, 'requiredContexts' | 'checksWaitSeconds'>

const LOOK_AGAIN_MS = 60_000
/** CI needs a moment to say that it has begun. */
const SILENCE_MS = 60_000

/**
 * Lets a deployment through when the checks of its commit have passed: GitHub makes its deployment then. Where
 * our token may not read checks, GitHub is handed their names and says no itself. Rejects with `GitHubError`.
 */
export async function passGate(
  deployment: Deployment,
  { requiredContexts: required = [], checksWaitSeconds }: Wanted,
  { github, clock }: GateParts,
): Promise<Outcome> {
  const earlier = await madeBefore(deployment, github())
  if (earlier !== undefined) return { kind: 'made', made: earlier }
  if (required.length === 0) return create(deployment, [], github())

  const age = clock() - deployment.createdAt
  const limitMs = checksWaitSeconds * 1000
  const answer = (judgement: Judgement): Outcome | undefined =>
    outcomeOf(judgement, { deployment, age, limitMs })

  const reported = await readable(() => github().reportedChecks(deployment.repository, deployment.sha))
  if (reported !== undefined)
    return answer(judge(required, reported)) ?? (await create(deployment, [], github()))

  // GitHub knows of nothing yet, and would let it pass.
  if (required === 'all' && age < SILENCE_MS) return waiting('its checks', age, SILENCE_MS - age)
  try {
    return await create(deployment, required, github())
  } catch (thrown) {
    if (!(thrown instanceof GitHubError) || thrown.contexts.length === 0) throw thrown
    const checks = thrown.contexts.map(({ context, state }) => ({ name: context, word: state }))
    // GitHub takes a skipped check for a failed one; branch protection does not, and neither do we.
    return answer(judgeAll(checks)) ?? (await create(deployment, [], github()))
  }
}

interface Age {
  readonly deployment: Deployment
  readonly age: number
  readonly limitMs: number
}

/** What a judgement means; undefined: go on. */
function outcomeOf(judgement: Judgement, { deployment, age, limitMs }: Age): Outcome | undefined {
  switch (judgement.verdict) {
    case 'passed':
      return undefined
    case 'failed': {
      const names = namesOf(judgement.checks, ({ name, word }) => `${name} (${word})`)
      return failed('checks_failed', `Not deployed: ${names} on ${deployment.sha.slice(0, 7)}`)
    }
    case 'nothing':
      return age < SILENCE_MS
        ? waiting('its checks', age, SILENCE_MS - age)
        : failed('no_checks_reported', 'Not deployed: all checks are required, and none was reported')
    case 'pending': {
      const names = namesOf(judgement.checks)
      return age < limitMs
        ? waiting(names, age, Math.min(LOOK_AGAIN_MS, limitMs - age))
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

const waiting = (names: string, age: number, lookAgainMs: number): Waiting => ({
  kind: 'wait',
  reason: 'checks_pending',
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
async function madeBefore(deployment: Deployment, github: GitHub): Promise<MadeDeployment | undefined> {
  const { repository, sha, environment, task, nonce } = deployment
  const made = await github.deployments(repository, { sha, environment, task })
  return made.find(({ payload }) => Reflect.get(Object(payload), 'ferryman') === nonce)
}

const MOST_DESCRIPTION = 140

async function create(
  deployment: Deployment,
  requiredContexts: readonly string[] | 'all',
  github: GitHub,
): Promise<Outcome> {
  const { repository, sha, environment, task, description, payload } = deployment
  try {
    const made = await github.createDeployment(repository, {
      sha,
      environment,
      task,
      description: description.slice(0, MOST_DESCRIPTION).replace(/[\uD800-\uDBFF]$/, ''),
      payload: JSON.parse(payload) as Record<string, unknown>,
      requiredContexts,
    })
    if (made !== 'auto_merged') return { kind: 'made', made }
    const detail = 'GitHub merged branches instead of making the deployment; it is asked again'
    return { kind: 'wait', reason: 'github_unavailable', detail, lookAgainMs: 1_000 }
  } catch (thrown) {
    if (!(thrown instanceof GitHubError) || thrown.contexts.length > 0) throw thrown
    if (thrown.status === 409 || thrown.status === 422) return failed('github_refused', thrown.message)
    throw thrown
  }
}
