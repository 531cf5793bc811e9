import type { Caller } from './access.ts'
import { refusal } from './answers.ts'
import type { User } from './state.ts'

export interface Budget {
  readonly limit: number
  remaining: number
  /** Seconds since 1970. */
  reset: number
}

/** The primary rate limit: one budget for each user and each App, and one for everybody without a token. */
export interface RateLimits {
  of(caller: Caller): Budget
  /** Takes one request from the budget, or refuses it. */
  spend(caller: Caller): void
  /** For tests that run out of requests. */
  set(user: User, left: { readonly remaining: number; readonly reset: number }): void
}

const HOUR_SECONDS = 3_600

/** Full budgets, renewed every hour. */
export function createRateLimits(clock: () => number): RateLimits {
  const budgets = new Map<string, Budget>()
  const of = ({ user, app }: Caller): Budget => {
    const key = user?.login.toLowerCase() ?? (app === undefined ? '' : `app ${app.id}`)
    const now = Math.floor(clock() / 1000)
    const known = budgets.get(key)
    if (known !== undefined && known.reset > now) return known
    const limit = key === '' ? 60 : 5_000
    const fresh = { limit, remaining: limit, reset: now + HOUR_SECONDS }
    budgets.set(key, fresh)
    return fresh
  }
  return {
    of,
    spend(caller) {
      const budget = of(caller)
      if (budget.remaining === 0)
        throw refusal(403, `API rate limit exceeded for user ID ${caller.user?.id ?? 0}.`)
      budget.remaining -= 1
    },
    set(user, left) {
      budgets.set(user.login.toLowerCase(), { limit: 5_000, ...left })
    },
  }
}

/** The budget as every answer shows it. */
export const limitHeaders = ({ limit, remaining, reset }: Budget): Record<string, string> => ({
  'x-ratelimit-limit': String(limit),
  'x-ratelimit-remaining': String(remaining),
  'x-ratelimit-used': String(limit - remaining),
  'x-ratelimit-reset': String(reset),
  'x-ratelimit-resource': 'core',
})
