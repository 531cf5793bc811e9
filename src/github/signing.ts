import { setTimeout as pause } from 'node:timers/promises'

import type { Octokit } from '@octokit/rest'

import type { AppTokens } from './app.ts'

/** GitHub needs a moment until all of it knows a token that it has made: octokit's auth-app waits for that, too. */
const FRESH_MS = 1_000

/**
 * Gives every request what its address needs. One whose token is refused is made once more with a new one, and,
 * since that one may be too new, once more after a moment. A request that was refused so has done nothing.
 */
export function signAs({ hook }: Octokit, tokens: AppTokens): void {
  hook.wrap('request', async (request, options) => {
    const signed = (word: string) => {
      options.headers.authorization = `bearer ${word}` // of other options the inner hooks hear nothing
      return request(options)
    }
    const place = placeIn(options)
    if (place === undefined) return signed(tokens.own())
    const token = await tokens.of(place)
    try {
      return await signed(token)
    } catch (thrown) {
      if (!isRefused(thrown)) throw thrown
      tokens.forget(token)
    }
    const fresh = await tokens.of(place)
    try {
      return await signed(fresh)
    } catch (thrown) {
      if (!isRefused(thrown)) throw thrown
      await pause(FRESH_MS)
      return signed(fresh)
    }
  })
}

const isRefused = (thrown: unknown): boolean =>
  thrown instanceof Error && Reflect.get(thrown, 'status') === 401

/** What an installation has to cover for a request; undefined for what only the App itself may ask. */
function placeIn({ url, ...parameters }: Readonly<Record<string, unknown>> & { url: string }) {
  const named = (name: string): string => encodeURIComponent(String(parameters[name]))
  if (url.startsWith('/app') || url.endsWith('/installation')) return undefined
  return url.startsWith('/orgs/') ? `/orgs/${named('org')}` : `/repos/${named('owner')}/${named('repo')}`
}
