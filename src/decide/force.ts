import type { EnvironmentConfig } from '../config/config.ts'
import { nameOf, type Deployment, type Forced } from '../deployment/deployment.ts'
import { isFinal } from '../deployment/state.ts'
import { problem } from '../errors.ts'
import type { Journal } from '../logs/journal.ts'
import { cut, oneLine } from '../logs/one-line.ts'
import type { ReportsFor, Store } from '../store/store.ts'

/** Who wants something, and why; words from outside. */
export interface Words {
  readonly by: string
  readonly reason: string | undefined
}

const MOST_NAME = 100
const MOST_REASON = 200

/** Who it is and why, as it is kept and told: one line, secrets masked. */
export function wordsOf({ by, reason = '' }: Words, mask: (text: string) => string): Words {
  const said = (text: string, most: number): string => cut(oneLine(mask(text.trim())), most)
  return { by: said(by, MOST_NAME), reason: reason.trim() === '' ? undefined : said(reason, MOST_REASON) }
}

/** Who forces it, and why. Throws `force_reason_missing`, or `force_forbidden` where the configuration says so. */
export function forcedBy(
  { by, reason }: Words,
  environment: Pick<EnvironmentConfig, 'repository' | 'name' | 'force'> | undefined,
): Forced {
  if (environment?.force === false)
    throw problem('force_forbidden', { repository: environment.repository, environment: environment.name })
  if (reason === undefined) throw problem('force_reason_missing', {})
  return { by, why: reason }
}

export interface ForceParts {
  readonly store: Pick<Store, 'deployment' | 'force'>
  environmentOf(deployment: Deployment): EnvironmentConfig | undefined
  mask(text: string): string
  /** What is owed to the outside world when something has been forced. */
  readonly reports: ReportsFor
  readonly clock: () => number
  readonly journal: Journal
  /** It may go now: look at it. */
  forced(deployment: Deployment): void
}

/** What a wish to force came to, and the deployment as it was then. */
export type Forcing =
  | {
      /** `forced_already`: what whoever did it said then stays. */
      readonly outcome: 'forced' | 'forced_already' | 'begun_already' | 'ended_already'
      readonly deployment: Deployment
    }
  | { readonly outcome: 'unknown' }

/**
 * Lets a deployment that has not begun pass what stands in its way, but for what nobody can replace. Throws
 * `force_reason_missing` and `force_forbidden`; rejects, having done nothing, when the database is away.
 */
export async function force(id: number, words: Words, parts: ForceParts): Promise<Forcing> {
  const { store, mask, clock, reports, journal } = parts
  for (;;) {
    const found = await store.deployment(id)
    if (found === undefined) return { outcome: 'unknown' }
    if (isFinal(found.state)) return { outcome: 'ended_already', deployment: found }
    const forced = forcedBy(wordsOf(words, mask), parts.environmentOf(found))
    if (found.forced !== undefined) return { outcome: 'forced_already', deployment: found }
    if (found.state !== 'queued') return { outcome: 'begun_already', deployment: found }
    const deployment = await store.force(id, forced, { at: clock(), reports })
    if (deployment !== undefined) {
      journal.info('deployment:forced', { deployment: nameOf(deployment), id, ...forced })
      parts.forced(deployment)
      return { outcome: 'forced', deployment }
    }
    // It has moved on since we looked. States only go forward, so that this ends.
  }
}
