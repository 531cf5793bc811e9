import { createPace, type Pace } from '../pace.ts'

/** What makes content at GitHub: a status on the way, the status of an end, a deployment of our own. */
export type Creation = 'progress' | 'final' | 'deployment'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/**
 * GitHub refuses whoever makes more than about 80 things a minute or 500 an hour, and recommends one a second:
 * https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api. We stay a little below, since
 * others may use the same token. After a burst it goes on one by one, so that nobody waits for a whole hour; and
 * each kind leaves something to the one that matters more: work comes before words, an end before a beginning.
 * The numbers below are those of 480 an hour.
 */
export function createGitHubPace(perHour: number): Pace<Creation> {
  const share = (count: number): number => Math.round((count * perHour) / 480)
  const together = [
    { most: share(60), ms: MINUTE },
    { most: share(480), ms: HOUR },
  ]
  const statuses = { eachMs: HOUR / share(360), of: ['progress', 'final'] } as const
  return createPace<Creation>({
    progress: [...together, { most: share(40), ms: MINUTE }, { most: share(60), ...statuses }],
    final: [...together, { most: share(100), ...statuses }],
    deployment: [...together, { most: share(240), ms: HOUR, of: ['deployment'] }],
  })
}

/**
 * How many requests a minute looks may make: those that only their time has called for, and twice as many where
 * something has happened. GitHub takes about 900 a minute
 * (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits).
 */
export const createRequestPace = (perMinute: number): Pace<'timer' | 'event'> =>
  createPace<'timer' | 'event'>({
    timer: [{ most: perMinute, ms: MINUTE }],
    event: [{ most: 2 * perMinute, ms: MINUTE }],
  })

/** The same, after what GitHub was given before: its limits do not begin anew with us. */
export function resumedGitHubPace(
  perHour: number,
  given: Readonly<Record<'statuses' | 'deployments', readonly number[]>>,
): Pace<Creation> {
  const pace = createGitHubPace(perHour)
  pace.resume('final', given.statuses)
  pace.resume('deployment', given.deployments)
  return pace
}
