import type { Deployment } from '../deployment/deployment.ts'
import type { GitHub } from '../github/github.ts'
import type { Store } from '../store/store.ts'

export interface AuthorParts {
  github(): Pick<GitHub, 'authorsOf'>
  readonly store: Pick<Store, 'noteAuthors'>
}

/**
 * Asks GitHub whose change the commit of a deployment is, and writes it down: what told of the deployment may not have
 * said so. Rejects with `GitHubError`, and has written nothing then.
 */
export async function learnAuthors(
  { id, repository, sha }: Deployment,
  { github, store }: AuthorParts,
): Promise<void> {
  await store.noteAuthors(id, await github().authorsOf(repository, sha))
}
