import type { Predecessor } from '../config/config.ts'
import { moment, type Closed, type Upstream } from '../deployment/gates.ts'
import { short, span } from './words.ts'

/**
 * Why a commit may not go on to an environment yet: the one that comes before has to have taken it with success, and
 * that long enough ago. Pure.
 */
export function judgePredecessor(
  sha: string,
  { environment, bakeSeconds }: Predecessor,
  { upstream, now }: { readonly upstream: Upstream | undefined; readonly now: number },
): Closed | undefined {
  const closed = (detail: string, until?: number): Closed => ({
    reason: 'earlier_environment',
    detail,
    until,
  })
  // What is known may be about another one, when the configuration has just been changed: it is asked about again.
  const there = upstream?.environment === environment ? upstream : undefined
  if (there?.bad !== undefined) {
    const { by, reason } = there.bad
    const why = reason === undefined ? '' : `: ${reason}`
    return closed(`${short(sha)} is marked bad on ${environment} by ${by}${why}`)
  }
  if (there?.success !== undefined) {
    const until = there.success.at + bakeSeconds * 1000
    if (now >= until) return undefined
    return closed(
      `${short(sha)} bakes on ${environment} until ${moment(until)} (${span(bakeSeconds)})`,
      until,
    )
  }
  if (there?.other === undefined)
    return closed(`Waiting for ${environment}: it has not had ${short(sha)} yet`)
  const { number, state } = there.other
  return closed(`${environment} #${number} ${FARES[state]} ${short(sha)}`)
}

/** What a try there that is no success does, or did, with the commit. */
const FARES = {
  queued: 'is still to deploy',
  running: 'is deploying',
  cancelling: 'is being cancelled with',
  failed: 'failed with',
  cancelled: 'was taken back with',
} as const satisfies Record<NonNullable<Upstream['other']>['state'], string>
