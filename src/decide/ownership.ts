import type { Deployment } from '../deployment/deployment.ts'
import type { GitHub } from '../github/github.ts'
import { isRefName } from '../github/refs.ts'
import type { Elapsed } from './elapsed.ts'
import type { Outcome } from './gate.ts'
import { short } from './words.ts'

/**
 * Whether GitHub may have found the commit of a ref elsewhere than on the repository's own branches and tags: it shows
 * the commits of every fork there too, by their ids and as pull requests. Pure.
 */
export const mayBeForeign = (ref: string): boolean =>
  !isRefName(ref) || BY_ID.test(ref) || PULL.test(ref) || OTHER_REF.test(ref)

/** An id, or part of one, of which git takes four digits; also as `git describe` writes it: `v1-3-ga84d88e`. */
const BY_ID = /(?:^|-g)[0-9a-f]{4,64}$/i
const PULL = /^(?:refs\/)?pull\//
const OTHER_REF = /^refs\/(?!heads\/|tags\/)/

/** GitHub's answers may be a little behind its own webhooks: one "no" alone ends nothing. */
const BEHIND_MS = 5_000

/**
 * What stands in the way of a deployment that others made on GitHub of a commit that may be a fork's; undefined:
 * nothing. Rejects with `GitHubError`.
 */
export async function judgeOwnership(
  deployment: Deployment,
  { github, elapsed }: { github(): Pick<GitHub, 'isOwnCommit'>; readonly elapsed: Elapsed },
): Promise<Outcome | undefined> {
  const { id, origin, repository, sha, ref, createdAt } = deployment
  if (origin !== 'deployment' || !mayBeForeign(ref)) return undefined
  const refusal = await refuseForeign(deployment, github())
  const age = elapsed(`deployment ${id}`, createdAt)
  if (refusal === undefined || age >= BEHIND_MS) return refusal
  const detail = `GitHub does not show ${short(sha)} on ${PLACES[refusal.reason](repository)}`
  return { kind: 'wait', reason: 'commit_unchecked', detail, lookAgainMs: BEHIND_MS - age }
}

type Refusal = Outcome & {
  readonly kind: 'end'
  readonly state: 'failed'
  readonly reason: keyof typeof PLACES
}

const PLACES = {
  foreign_commit: (repository: string) => `a branch or tag of ${repository}`,
  ownership_unclear: (repository: string) => `the branches and tags of ${repository} that were looked at`,
} as const

/**
 * Refuses a commit that lies on none of the repository's own branches and tags: whoever may fork it can show any
 * commit under its name. One that may lie on those which nobody has looked at is refused with other words. Undefined: it may
 * go on; so too where the token may not look. Rejects with `GitHubError`.
 */
export async function refuseForeign(
  { repository, sha, ref }: Pick<Deployment, 'repository' | 'sha' | 'ref'>,
  github: Pick<GitHub, 'isOwnCommit'>,
): Promise<Refusal | undefined> {
  const answer = await github.isOwnCommit(repository, sha, ref)
  const refusal = { kind: 'end', state: 'failed' } as const
  if (answer === 'no')
    return {
      ...refusal,
      reason: 'foreign_commit',
      detail: `Not deployed: ${short(sha)} is on no branch or tag of ${repository}, but perhaps on a fork’s. Push it to a branch there.`,
    }
  if (answer === 'unclear')
    return {
      ...refusal,
      reason: 'ownership_unclear',
      detail: `Not deployed: ${short(sha)} is not on the branches and tags of ${repository} that were looked at. Name its branch or tag.`,
    }
  return undefined
}
