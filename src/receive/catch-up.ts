import { setTimeout as pause } from 'node:timers/promises'

import { GitHubError } from '../github/github.ts'
import { limitOf, reserveUntil } from '../github/limits.ts'
import { createWaker } from '../waker.ts'
import type { Hook, NewDelivery, Store } from '../store/store.ts'
import { createMissedCommits, deploysByItself } from './missed-commits.ts'
import { createMissedDeliveries, type MissedDeliveriesParts } from './missed-deliveries.ts'
import { createMissedDeployments, type MissedDeploymentsParts } from './missed-deployments.ts'

export interface CatchUpParts
  extends Omit<MissedDeploymentsParts, 'store' | 'take'>, Omit<MissedDeliveriesParts, 'store' | 'pause'> {
  readonly store: Pick<Store, 'known' | 'hooks' | 'heads'>
  /** Records it as its webhook would have been; `missed` where GitHub was asked whether it should still run. */
  take(
    delivery: NewDelivery,
    body: unknown,
    missed: { readonly overtaken: string | undefined } | undefined,
  ): Promise<unknown>
  /** How long between two rounds; undefined: it is switched off. */
  intervalMs(): number | undefined
}

export interface CatchUp {
  /** Begins a round now. */
  wake(): void
  /** The configuration, and with it everything, may be another one: begins a round that takes nothing for known. */
  startOver(): void
  /** Notes the hook that a signed delivery came from. */
  heard(delivery: Pick<NewDelivery, 'headers'>, body: unknown): void
  stop(): void
}

/** One thing to look at, and what it is called in the log. */
interface Place {
  readonly fields: Readonly<Record<string, unknown>>
  /** What the token lacks where it may not look; it is then left alone for an hour. */
  readonly needs?: string
  look(): Promise<number | undefined>
}

/** Of many repositories the first go at once; the others leave GitHub's hourly budget to what matters more. */
const AT_ONCE = 20
const PACE_MS = 1_000
const PATIENCE_MS = 60_000
const LONGEST_MS = 60 * 60_000
/** What is left of the budget for reports, checks and deployments of our own. */
const RESERVE = 0.2
/** What the token may not see, or is no more, may be seen later. */
const BARRED_MS = 60 * 60_000
/** So many failures one after the other mean that GitHub is away. */
const AWAY_AFTER = 3
const LONGEST_REST_MS = 2 * 60 * 60_000

/** Fetches what GitHub holds and could not deliver, or told nobody of: at the start, and from time to time. */
export function startCatchUp(parts: CatchUpParts): CatchUp {
  const { journal, clock } = parts
  const ended = new AbortController()
  const waited = (): Promise<unknown> => pause(PACE_MS, undefined, { signal: ended.signal })
  const deployments = createMissedDeployments(parts)
  const commits = createMissedCommits({
    ...parts,
    take: (delivery, body) => parts.take(delivery, body, undefined),
  })
  const deliveries = createMissedDeliveries({ ...parts, pause: waited })
  /** What went wrong with a place last; it is said once. */
  const said = new Map<string, string>()
  /** Until when a place that the token may not see is left alone. */
  const barredUntil = new Map<string, number>()
  /** The place that the last round did not come to, where its budget was spent or GitHub was away. */
  let stoppedAt: string | undefined
  let restUntil = 0
  /** One that is longer than GitHub's hour was begun before the clock was set back. */
  const isResting = (): boolean => restUntil > clock() && restUntil - clock() <= LONGEST_REST_MS
  let alarm: NodeJS.Timeout | undefined

  const waker = createWaker(async () => {
    clearTimeout(alarm)
    const intervalMs = parts.intervalMs()
    if (intervalMs === undefined) return
    let againAt = clock() + intervalMs
    try {
      if (!isResting()) againAt = Math.min(againAt, await round())
    } catch (thrown) {
      if (!ended.signal.aborted) journal.error('catch-up:broken', { error: thrown })
    }
    if (ended.signal.aborted) return
    if (isResting()) journal.info('catch-up:resting', { until: new Date(restUntil).toISOString() })
    const waitMs = (isResting() ? Math.max(againAt, restUntil) : againAt) - clock()
    alarm = setTimeout(waker.wake, Math.min(Math.max(waitMs, PACE_MS), LONGEST_MS))
  })

  const places = async (): Promise<readonly Place[]> => [
    ...[...parts.repositories()].map((repository) => ({
      fields: { repository: repository.name },
      look: () => deployments.lookAt(repository),
    })),
    ...(await deliveries.hooks()).map((hook) => ({
      fields: { hook: hook.id, [hook.kind]: hook.place },
      needs: NEEDS[hook.kind],
      look: () => deliveries.lookAt(hook),
    })),
    ...[...parts.repositories()].filter(deploysByItself).map((repository) => ({
      fields: { repository: repository.name, of: 'branches' },
      needs: 'Contents: read, Pull requests: read (classic: repo)',
      look: () => commits.lookAt(repository),
    })),
  ]

  /** Looks at every place, from where the last round has stopped; answers when to look again at the latest. */
  async function round(): Promise<number> {
    let [asked, failures, againAt] = [0, 0, Infinity]
    const all = beginningAt(await places(), stoppedAt)
    for (const [index, place] of all.entries()) {
      stoppedAt = keyOf(place)
      if (isBarred(place)) continue
      if ((asked += 1) > AT_ONCE) await waited()
      restUntil = reserveUntil(parts.github(), clock(), RESERVE)
      if (ended.signal.aborted || isResting() || failures >= AWAY_AFTER) return againAt
      try {
        againAt = Math.min(againAt, (await place.look()) ?? Infinity)
        failures = 0
        said.delete(keyOf(place))
      } catch (thrown) {
        if (ended.signal.aborted) return againAt
        // One of which nothing can be made, or that GitHub never has room for, is tried again when the others have had their turn.
        stoppedAt = keyOf(all[(index + 1) % all.length] ?? place)
        if (!(thrown instanceof GitHubError)) throw thrown
        postpone(place, thrown)
        failures = isAnswer(thrown) ? 0 : failures + 1
        if (isResting()) return againAt
      }
    }
    stoppedAt = undefined
    return againAt
  }

  const isBarred = (place: Place): boolean => {
    const leftMs = (barredUntil.get(keyOf(place)) ?? 0) - clock()
    return leftMs > 0 && leftMs <= BARRED_MS // else the clock was set back
  }

  function postpone(place: Place, thrown: GitHubError): void {
    const { limited, retryAt } = limitOf(thrown, clock())
    const needs = !limited && [403, 404].includes(thrown.status ?? 0) ? place.needs : undefined
    if (said.get(keyOf(place)) !== thrown.message)
      journal.warn('catch-up:postponed', {
        ...place.fields,
        error: thrown.message,
        needs,
      })
    said.set(keyOf(place), thrown.message)
    if (needs !== undefined) barredUntil.set(keyOf(place), clock() + BARRED_MS)
    if (limited) restUntil = retryAt ?? clock() + PATIENCE_MS
    // A token that GitHub does not know is no better at the next place, and many such questions lock a user out:
    // https://docs.github.com/rest/authentication/authenticating-to-the-rest-api#failed-login-limit
    else if (thrown.status === 401) restUntil = clock() + PATIENCE_MS
  }
  waker.wake()
  return {
    wake: waker.wake,
    startOver() {
      deployments.forget()
      deliveries.forget()
      said.clear()
      barredUntil.clear()
      stoppedAt = undefined
      restUntil = 0
      waker.wake()
    },
    heard(delivery, body) {
      deliveries.heard(delivery, body).catch((cause: unknown) => {
        if (!ended.signal.aborted) journal.warn('catch-up:hook-not-noted', { error: cause })
      })
    },
    stop() {
      ended.abort()
      waker.stop()
      clearTimeout(alarm)
    },
  }
}

const NEEDS = {
  repository: 'Webhooks: read and write (classic: admin:repo_hook)',
  organization: 'Organization webhooks: read and write (classic: admin:org_hook)',
  app: 'The key of the App that this hook is of (github.app)',
} as const satisfies Record<Hook['kind'], string>

const keyOf = ({ fields }: Place): string => JSON.stringify(fields)

/** The same from one of them on, and then those before it; from the first where that one is not there any more. */
function beginningAt(places: readonly Place[], key: string | undefined): readonly Place[] {
  const start = Math.max(
    0,
    places.findIndex((place) => keyOf(place) === key),
  )
  return [...places.slice(start), ...places.slice(0, start)]
}

/** GitHub itself has answered, if with a no. */
const isAnswer = ({ status }: GitHubError): boolean => status !== undefined && status < 500
