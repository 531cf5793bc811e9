import { refusal } from './answers.ts'
import type { RateLimits } from './rate-limits.ts'
import type { Route } from './routes.ts'
import { ownUserShape } from './shapes.ts'

/** What concerns the token itself: whose it is, and how much it may still ask. */
export const accountRoutes = (limits: RateLimits): readonly Route[] => [
  {
    method: 'GET',
    template: '/user',
    answer({ state, caller: { user, token } }) {
      if (user === undefined) throw refusal(401, 'Requires authentication')
      if (token.type === 'app') throw refusal(403, 'Resource not accessible by integration')
      return { status: 200, body: ownUserShape(state, user) }
    },
  },
  {
    method: 'GET',
    template: '/rate_limit',
    answer({ caller }) {
      const { limit, remaining, reset } = limits.of(caller)
      const core = { limit, remaining, used: limit - remaining, reset }
      const search = { limit: 30, remaining: 30, used: 0, reset }
      return { status: 200, body: { resources: { core, search }, rate: core } }
    },
  },
]
