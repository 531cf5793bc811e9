import type { EnvironmentConfig } from '../config/config.ts'
import { nameOf, type Deployment } from '../deployment/deployment.ts'
import { GitHubError } from '../github/github.ts'
import { limitOf } from '../github/limits.ts'
import type { Journal } from '../logs/journal.ts'
import type { ReportsFor, Store } from '../store/store.ts'
import { passGate, type GateParts, type Outcome, type Waiting } from './gate.ts'
import type { History } from './history.ts'

export interface LookParts extends GateParts {
  readonly store: Pick<Store, 'bind' | 'hold' | 'landmarks' | 'move'>
  readonly history: History
  /** What the configuration says now of where a deployment goes; undefined when it is not there any more. */
  environmentOf(deployment: Deployment): EnvironmentConfig | undefined
  readonly reports: ReportsFor
  readonly journal: Journal
  /** Something was let through, or ended. */
  moved(): void
}

/** How long GitHub is asked in vain before a deployment ends. */
const PATIENCE_MS = 24 * 60 * 60_000

export interface Looked {
  /** After how many milliseconds to look again; undefined: when something happens. */
  readonly lookAgainMs: number | undefined
  /** GitHub was asked in vain; `limited`: it asks for patience, from everybody who holds this token. */
  readonly vain?: 'failed' | 'limited'
}

/**
 * One look at what waits to go to one environment from one branch by itself: the newest commit that may go is
 * let through, and what is older gives way to it. `failures`: how many looks failed before this one.
 */
export async function look(
  waiting: readonly Deployment[],
  failures: number,
  parts: LookParts,
): Promise<Looked> {
  const [first] = waiting
  const environment = first === undefined ? undefined : parts.environmentOf(first)
  if (first === undefined || environment === undefined) return { lookAgainMs: undefined }
  const changed = waiting.filter((one) => !isWanted(one, environment))
  for (const one of changed) await settle(one, noLongerWanted(one, environment), parts)
  const wanted = waiting.filter((one) => !changed.includes(one))
  try {
    return { lookAgainMs: await letThrough(wanted, environment, parts) }
  } catch (thrown) {
    if (!(thrown instanceof GitHubError)) throw thrown
    const outcome = patience(thrown, failures, parts.clock())
    for (const one of wanted)
      if (one.hold !== undefined) await settle(one, inVain(one, outcome, parts.clock()), parts)
    const { limited } = limitOf(thrown, parts.clock())
    return { lookAgainMs: outcome.lookAgainMs, vain: limited ? 'limited' : 'failed' }
  }
}

async function letThrough(
  waiting: readonly Deployment[],
  environment: EnvironmentConfig,
  parts: LookParts,
): Promise<number | undefined> {
  if (waiting.length === 0) return undefined
  const { onBranch, off } = await parts.history.newestFirst(waiting)
  for (const one of off) {
    const detail = `${one.sha.slice(0, 7)} is not on ${one.branch} any more.`
    await settle(one, { kind: 'end', state: 'cancelled', reason: 'not_on_branch', detail }, parts)
  }
  let lookAgainMs: number | undefined
  for (const [place, one] of onBranch.entries()) {
    const isThrough =
      one.hold === undefined || (await settle(one, await decideHeld(one, environment, parts), parts, soonest))
    if (!isThrough) continue
    for (const older of onBranch.slice(place + 1)) await supersede(older, one, parts)
    return undefined
  }
  return lookAgainMs

  function soonest({ lookAgainMs: ms }: Waiting): void {
    lookAgainMs = Math.min(ms, lookAgainMs ?? ms)
  }
}

async function decideHeld(
  deployment: Deployment,
  environment: EnvironmentConfig,
  parts: LookParts,
): Promise<Outcome> {
  const { repository, sha } = deployment
  const { live, firstSeenSha } = await parts.store.landmarks(deployment.id)
  if (live !== undefined) {
    const there = await parts.history.compare(repository, sha, live.sha)
    if (there?.status === 'identical' || there?.status === 'ahead') {
      const what = there.status === 'identical' ? 'this commit' : `${live.sha.slice(0, 7)}, which is newer,`
      const detail = `#${live.number} has deployed ${what} already.`
      return { kind: 'end', state: 'cancelled', reason: 'overtaken', detail }
    }
  } else if (firstSeenSha !== undefined) {
    const there = await parts.history.compare(repository, sha, firstSeenSha)
    if (there?.status === 'ahead') {
      const detail = `${deployment.branch} was at ${firstSeenSha.slice(0, 7)}, which is newer, when Ferryman first saw it.`
      return { kind: 'end', state: 'cancelled', reason: 'before_first_sight', detail }
    }
  }
  return passGate(deployment, environment, parts)
}

/** Writes down what a look came to; answers whether the deployment may run now. */
async function settle(
  deployment: Deployment,
  outcome: Outcome,
  { store, reports, clock, journal, moved }: LookParts,
  waits?: (waiting: Waiting) => void,
): Promise<boolean> {
  const about = { deployment: nameOf(deployment), id: deployment.id }
  switch (outcome.kind) {
    case 'made': {
      const bound = await store.bind(deployment.id, outcome.made, { at: clock(), reports })
      if (bound === undefined) journal.error('deployment:bound-elsewhere', about)
      else journal.info('deployment:released', { ...about, github_id: outcome.made.githubId })
      moved()
      return bound?.state === 'queued'
    }
    case 'wait': {
      const { reason, detail } = outcome
      waits?.(outcome)
      if (deployment.hold?.reason === reason && deployment.hold.detail === detail) return false
      const isSame = deployment.hold?.reason === reason
      const since = isSame ? (deployment.hold?.since ?? clock()) : clock()
      await store.hold(deployment.id, { reason, detail, since })
      if (!isSame) journal.info('deployment:held', { ...about, reason, detail })
      return false
    }
    case 'end': {
      const { state, reason, detail } = outcome
      const ended = await store.move(deployment.id, 'queued', state, { at: clock(), reason, detail, reports })
      if (ended !== undefined) journal.info('deployment:ended', { ...about, state, reason, detail })
      moved()
      return false
    }
    default:
      return outcome satisfies never
  }
}

const supersede = (older: Deployment, newer: Deployment, parts: LookParts): Promise<boolean> =>
  settle(
    older,
    { kind: 'end', state: 'cancelled', reason: 'superseded', detail: `Superseded by #${newer.number}.` },
    parts,
  )

const isWanted = (deployment: Deployment, { deployOn, branch }: EnvironmentConfig): boolean =>
  deployOn === deployment.origin && (branch === undefined || branch === deployment.branch)

function noLongerWanted(deployment: Deployment, { deployOn, branch }: EnvironmentConfig): Outcome {
  const now = deployOn === deployment.origin ? `branch is ${branch}` : `deploy_on is ${deployOn}`
  const detail = `The configuration was changed while it waited: ${now} now.`
  return { kind: 'end', state: 'failed', reason: 'config_removed', detail }
}

const SHORTEST_MS = 2_000
const LONGEST_MS = 5 * 60_000
const FORBIDDEN_MS = 10 * 60_000

/** How long to wait before GitHub is asked again, and what to say meanwhile. */
function patience(thrown: GitHubError, failures: number, now: number): Waiting {
  const { limited, retryAt } = limitOf(thrown, now)
  const backoff = Math.min(SHORTEST_MS * 2 ** Math.min(failures, 10), LONGEST_MS)
  if (limited) {
    const lookAgainMs = Math.max(retryAt === undefined ? 60_000 : retryAt - now, 1_000)
    return { kind: 'wait', reason: 'github_unavailable', detail: thrown.message, lookAgainMs }
  }
  const isForbidden = [401, 403, 404].includes(thrown.status ?? 0)
  return {
    kind: 'wait',
    reason: isForbidden ? 'github_forbids' : 'github_unavailable',
    detail: thrown.message,
    lookAgainMs: isForbidden ? Math.max(backoff, FORBIDDEN_MS) : backoff,
  }
}

/** GitHub is asked for a day; what is older than that should not go anywhere by itself. */
function inVain(deployment: Deployment, waiting: Waiting, now: number): Outcome {
  if (now - deployment.createdAt < PATIENCE_MS) return waiting
  const detail = `Not deployed within 24 h: ${waiting.detail}`
  return { kind: 'end', state: 'failed', reason: 'wait_expired', detail }
}
