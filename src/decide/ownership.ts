import type { Deployment } from '../deployment/deployment.ts'
import type { GitHub } from '../github/github.ts'
import type { Outcome } from './gate.ts'

/**
 * Refuses a commit that lies on none of the repository's own branches and tags: whoever may fork it can show any
 * commit under its name. Undefined: it may go on; so too where the token may not look. Rejects with `GitHubError`.
 */
export async function refuseForeign(
  { repository, sha, ref }: Pick<Deployment, 'repository' | 'sha' | 'ref'>,
  github: Pick<GitHub, 'isOwnCommit'>,
): Promise<Outcome | undefined> {
  if ((await github.isOwnCommit(repository, sha, ref)) !== 'no') return undefined
  return {
    kind: 'end',
    state: 'failed',
    reason: 'foreign_commit',
    detail: `Not deployed: ${sha.slice(0, 7)} is on no branch or tag of ${repository}, but perhaps on a fork’s. Push it to a branch there.`,
  }
}
