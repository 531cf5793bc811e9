import type { Deployment } from '../deployment/deployment.ts'
import { GitHubError, type GitHub } from '../github/github.ts'
import { isForbidden } from '../github/limits.ts'
import type { Store } from '../store/store.ts'
import { short } from './words.ts'

export interface AuthorParts {
  github(): Pick<GitHub, 'authorsOf'>
  readonly store: Pick<Store, 'noteAuthors'>
}

/**
 * Asks GitHub whose change the commit of a deployment is, and writes it down: what told of the deployment may not have
 * said so. Rejects with `GitHubError`, which says what the token lacks where that is it, and has written nothing then.
 */
export async function learnAuthors(
  { id, repository, sha }: Deployment,
  { github, store }: AuthorParts,
): Promise<void> {
  const authors = await github()
    .authorsOf(repository, sha)
    .catch((thrown: unknown) => {
      throw isHidden(thrown) ? lacking(thrown, sha) : thrown
    })
  await store.noteAuthors(id, authors)
}

/** Of what is not at GitHub nobody knows whose change it is. */
export const NO_AUTHORS: Pick<GitHub, 'authorsOf'> = { authorsOf: () => Promise.resolve([]) }

/** GitHub hides what a token may not read behind a 404, too. */
const isHidden = (thrown: unknown): thrown is GitHubError =>
  isForbidden(thrown) || (thrown instanceof GitHubError && thrown.status === 404)

const lacking = (thrown: GitHubError, sha: string): GitHubError => {
  const needs = `to see whose change ${short(sha)} is the token needs Contents: read and Pull requests: read (classic: repo)`
  return new GitHubError(`${thrown.message}; ${needs}`, thrown.status, thrown.headers, thrown)
}
