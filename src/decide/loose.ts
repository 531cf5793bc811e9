import type { Deployment } from '../deployment/deployment.ts'
import { GitHubError, type GitHub } from '../github/github.ts'
import type { ReportsFor, Store } from '../store/store.ts'
import { madeBefore } from './gate.ts'

export interface LooseParts {
  readonly store: Pick<Store, 'bind'>
  github(): GitHub
  readonly reports: ReportsFor
  readonly clock: () => number
}

/**
 * Lets GitHub hear of the end of a deployment of our own that it may have made without our hearing of it: the
 * answer was lost. The end does not depend on GitHub; where it is away, its webhook still binds the row by its nonce.
 */
export async function bindLoose(ended: Deployment, parts: LooseParts): Promise<void> {
  if (!ended.wasAsked || ended.githubId !== undefined) return
  const made = await madeBefore(ended, parts.github()).catch(unlessAway)
  if (made !== undefined)
    await parts.store.bind(ended.id, made, { at: parts.clock(), reports: parts.reports })
}

function unlessAway(thrown: unknown): undefined {
  if (!(thrown instanceof GitHubError)) throw thrown
}
