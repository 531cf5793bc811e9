import { setTimeout as pause } from 'node:timers/promises'

import type { EnvironmentConfig, RepositoryConfig } from '../config/config.ts'
import { GitHubError, type GitHub } from '../github/github.ts'
import { limitOf, unlessForbidden } from '../github/limits.ts'
import type { Journal } from '../logs/journal.ts'
import type { Store } from '../store/store.ts'
import { createWaker } from '../waker.ts'

export interface FirstSightParts {
  readonly store: Pick<Store, 'see' | 'seen'>
  github(): GitHub
  repositories(): Iterable<RepositoryConfig>
  /** A repository was looked at; undefined where the token may not see it. */
  looked(githubId: number | undefined, configuredAs: string): void
  readonly clock: () => number
  readonly journal: Journal
}

export interface FirstSight {
  /** Whether the place, `repository/environment` in lower case, is still to be looked at if it was not seen yet. */
  isOwed(place: string): boolean

  /** The configuration may name something new. */
  wake(): void
  stop(): void
}

const RETRY_MS = 60_000
const LONGEST_MS = 60 * 60_000
/** Of many repositories the first go at once; the others leave GitHub's hourly budget to what matters more. */
const AT_ONCE = 20
const PACE_MS = 1_000

/**
 * Notes where the branch of every new environment stands, and of every environment whose branch was changed:
 * what lies before that was somebody else's, and is never deployed by itself.
 */
export function startFirstSight(parts: FirstSightParts): FirstSight {
  const { store, journal, clock } = parts
  const ended = new AbortController()
  /** Where the token may not look: asked once per life. */
  const unknown = new Set<string>()
  let alarm: NodeJS.Timeout | undefined

  const waker = createWaker(async () => {
    clearTimeout(alarm)
    let asked = 0
    let again: number | undefined
    try {
      const seen = await store.seen()
      for (const repository of parts.repositories()) {
        const places = placesIn(repository, seen).filter(({ key }) => !unknown.has(key))
        if (places.length === 0) continue
        if ((asked += 1) > AT_ONCE) await pause(PACE_MS, undefined, { signal: ended.signal })
        const later = await lookAt(repository, places).catch((thrown: unknown) => laterAfter(thrown))
        if (later === undefined) continue
        again = Math.min(later.afterMs, again ?? Infinity)
        if (later.isForAll) break
      }
    } catch (thrown) {
      if (ended.signal.aborted) return
      journal.error('first-sight:broken', { error: thrown })
      again = RETRY_MS
    }
    if (again !== undefined && !ended.signal.aborted) alarm = setTimeout(waker.wake, again)
  })

  async function lookAt({ name }: RepositoryConfig, places: readonly Place[]): Promise<void> {
    const facts = await parts.github().repository(name).catch(unlessForbidden)
    for (const { environment, key } of places) {
      if (facts === undefined) {
        unknown.add(key)
        journal.warn('first-sight:unknown', { repository: name, environment: environment.name })
        continue
      }
      const branch = environment.branch ?? facts.defaultBranch
      const sha = await parts.github().branchHead(facts.name, branch).catch(unlessForbidden)
      const { repository: configured, name: environmentName } = environment
      const place = { repository: facts.name, repositoryGithubId: facts.githubId, branch, sha, at: clock() }
      await store.see({ ...place, configuredAs: configured.toLowerCase(), environment: environmentName })
      journal.info('environment:first-seen', { environment: `${name}/${environmentName}`, branch, sha })
    }
    parts.looked(facts?.githubId, name.toLowerCase())
  }
  /** `isForAll`: the next repository would be answered the same. */
  function laterAfter(thrown: unknown): { afterMs: number; isForAll: boolean } {
    if (!(thrown instanceof GitHubError)) throw thrown
    journal.warn('first-sight:postponed', { error: thrown.message })
    const { retryAt, limited } = limitOf(thrown, clock())
    const afterMs = Math.min(Math.max(RETRY_MS, (retryAt ?? 0) - clock()), LONGEST_MS)
    return { afterMs, isForAll: limited || thrown.status === 401 }
  }
  waker.wake()
  return {
    isOwed: (place) => !unknown.has(place),
    wake() {
      unknown.clear() // the token may be another one now
      waker.wake()
    },
    stop() {
      ended.abort()
      waker.stop()
      clearTimeout(alarm)
    },
  }
}

interface Place {
  readonly environment: EnvironmentConfig
  readonly key: string
}

/** Environments that deploy by themselves and have not been seen with their branch. */
const placesIn = ({ environments }: RepositoryConfig, seen: ReadonlyMap<string, string>): readonly Place[] =>
  [...environments.values()]
    .map((environment) => ({
      environment,
      key: `${environment.repository}/${environment.name}`.toLowerCase(),
    }))
    .filter(({ environment: { deployOn, branch }, key }) => {
      const known = seen.get(key)
      return deployOn !== 'none' && (known === undefined || (branch !== undefined && branch !== known))
    })
