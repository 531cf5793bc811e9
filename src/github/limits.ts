import { retryAfter } from '../retry-after.ts'
import { GitHubError, type GitHub } from './github.ts'

/** Whether an answer of GitHub's speaks of a limit on requests, and when it says that it will listen again. */
export interface Limit {
  readonly limited: boolean
  /** Milliseconds since 1970, by our clock. */
  readonly retryAt: number | undefined
}

/**
 * GitHub's own rules: a 403 or 429 is a limit when it says when to come back or that nothing remains; a bare
 * 403 is a missing right. https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
 */
export function limitOf({ status, headers, message }: GitHubError, now: number): Limit {
  const isExhausted = headers['x-ratelimit-remaining'] === '0'
  const theirNow = Date.parse(String(headers['date'])) || now // ours may have been set wrongly
  const resetAt = Number(headers['x-ratelimit-reset']) * 1000
  const theirs =
    retryAfter(headers['retry-after'], theirNow) ?? (isExhausted && resetAt > 0 ? resetAt : undefined)
  const retryAt = theirs === undefined ? undefined : theirs - theirNow + now
  const limited =
    status === 429 ||
    (status === 403 && (isExhausted || retryAt !== undefined || /rate limit/i.test(message)))
  return { limited, retryAt }
}

/** Until when to leave the rest of the hourly budget to what matters more; 0 while more than this share is left. */
export function reserveUntil({ budget }: Pick<GitHub, 'budget'>, now: number, share: number): number {
  if (budget === undefined || budget.resetAt <= now) return 0
  return budget.remaining < budget.limit * share ? budget.resetAt : 0
}

/** The token has no right to ask this, whenever it asks; a limit on requests is also a 403 and is no such answer. */
export const isForbidden = (thrown: unknown): thrown is GitHubError =>
  thrown instanceof GitHubError && thrown.status === 403 && !limitOf(thrown, 0).limited

/** Takes a missing right for an answer: nothing is known. */
export function unlessForbidden(thrown: unknown): undefined {
  if (!isForbidden(thrown)) throw thrown
}
