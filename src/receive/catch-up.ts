import { setTimeout as pause } from 'node:timers/promises'

import type { RepositoryConfig } from '../config/config.ts'
import { GitHubError, type GitHub } from '../github/github.ts'
import { limitOf } from '../github/limits.ts'
import { createWaker } from '../waker.ts'
import { createMissedDeployments, type MissedDeploymentsParts } from './missed-deployments.ts'

export interface CatchUpParts extends MissedDeploymentsParts {
  repositories(): Iterable<RepositoryConfig>
  /** How long between two rounds; undefined: it is switched off. */
  intervalMs(): number | undefined
}

export interface CatchUp {
  /** Begins a round now. */
  wake(): void
  /** The configuration, and with it everything, may be another one: begins a round that takes nothing for known. */
  startOver(): void
  stop(): void
}

/** Of many repositories the first go at once; the others leave GitHub's hourly budget to what matters more. */
const AT_ONCE = 20
const PACE_MS = 1_000
const PATIENCE_MS = 60_000
const LONGEST_MS = 60 * 60_000
/** What is left of the budget for reports, checks and deployments of our own. */
const RESERVE = 0.2
/** So many failures one after the other mean that GitHub is away. */
const AWAY_AFTER = 3

/** Fetches what GitHub holds and could not deliver: at the start, and from time to time. */
export function startCatchUp(parts: CatchUpParts): CatchUp {
  const { journal, clock } = parts
  const ended = new AbortController()
  const deployments = createMissedDeployments(parts)
  /** What went wrong with a repository last; it is said once. */
  const said = new Map<string, string>()
  let restUntil = 0
  let alarm: NodeJS.Timeout | undefined

  const waker = createWaker(async () => {
    clearTimeout(alarm)
    const intervalMs = parts.intervalMs()
    if (intervalMs === undefined) return
    let againAt = clock() + intervalMs
    try {
      if (clock() >= restUntil) againAt = Math.min(againAt, await round())
    } catch (thrown) {
      if (!ended.signal.aborted) journal.error('catch-up:broken', { error: thrown })
    }
    if (ended.signal.aborted) return
    if (restUntil > clock()) journal.info('catch-up:resting', { until: new Date(restUntil).toISOString() })
    const waitMs = Math.max(againAt, restUntil) - clock()
    alarm = setTimeout(waker.wake, Math.min(Math.max(waitMs, PACE_MS), LONGEST_MS))
  })

  /** Looks at every repository; answers when to look again at the latest. */
  async function round(): Promise<number> {
    let [asked, failures, againAt] = [0, 0, Infinity]
    for (const repository of parts.repositories()) {
      if ((asked += 1) > AT_ONCE) await pause(PACE_MS, undefined, { signal: ended.signal })
      restUntil = reserveUntil(parts.github(), clock())
      if (ended.signal.aborted || restUntil > clock() || failures >= AWAY_AFTER) break
      try {
        againAt = Math.min(againAt, (await deployments.lookAt(repository)) ?? Infinity)
        failures = 0
        said.delete(repository.name)
      } catch (thrown) {
        if (ended.signal.aborted) break
        if (!(thrown instanceof GitHubError)) throw thrown
        postpone(repository, thrown)
        failures = isAnswer(thrown) ? 0 : failures + 1
        if (restUntil > clock()) break
      }
    }
    return againAt
  }

  function postpone({ name }: RepositoryConfig, thrown: GitHubError): void {
    if (said.get(name) !== thrown.message)
      journal.warn('catch-up:postponed', { repository: name, error: thrown.message })
    said.set(name, thrown.message)
    const { limited, retryAt } = limitOf(thrown, clock())
    if (limited) restUntil = retryAt ?? clock() + PATIENCE_MS
  }
  waker.wake()
  return {
    wake: waker.wake,
    startOver() {
      deployments.forget()
      said.clear()
      restUntil = 0
      waker.wake()
    },
    stop() {
      ended.abort()
      waker.stop()
      clearTimeout(alarm)
    },
  }
}

/** GitHub itself has answered, if with a no. */
const isAnswer = ({ status }: GitHubError): boolean => status !== undefined && status < 500

/** Until when to leave the rest of the budget to others; 0 while there is enough for everybody. */
function reserveUntil({ budget }: GitHub, now: number): number {
  if (budget === undefined || budget.resetAt <= now) return 0
  return budget.remaining < budget.limit * RESERVE ? budget.resetAt : 0
}
