import type { EnvironmentConfig } from '../config/config.ts'
import { FerrymanError, problem } from '../errors.ts'
import type { GitHub, RepositoryFacts } from '../github/github.ts'
import type { Store } from '../store/store.ts'
import { short } from './words.ts'

/** A commit, pinned. */
export interface CommitAsked {
  readonly sha: string
  /**
   * A branch or a tag where one was named, else the full id: commands may check it out. In full, `refs/heads/v1`, where it was
   * asked for so and the other of the two has the same name.
   */
  readonly ref: string
  /** What was asked for, to be shown. */
  readonly said: string
}

interface CommitPlace {
  readonly environment: EnvironmentConfig
  /** Undefined where the token may not see the repository. */
  readonly facts: RepositoryFacts | undefined
}

export interface CommitParts {
  github(): Pick<GitHub, 'resolveRef' | 'isOwnCommit'>
  readonly store: Pick<Store, 'refFor'>
}

/**
 * The commit that is meant at this moment by a branch, a tag, a commit, `:current` or `:previous`; without any of these
 * it is the environment's `default_ref`, else the head of its branch. Throws `nothing_deployed`, `commit_foreign`, `ownership_unclear`, or what
 * `GitHub.resolveRef` does; rejects with `GitHubError`.
 */
export async function commitAsked(
  given: string | undefined,
  { environment, facts }: CommitPlace,
  { github, store }: CommitParts,
): Promise<CommitAsked> {
  const ref = given ?? environment.defaultRef
  const repository = facts?.name ?? environment.repository
  const deployed = await deployedAsked(ref, environment, store)
  if (deployed !== undefined) return deployed
  const branch = environment.branch ?? facts?.defaultBranch
  if (ref === undefined && branch === undefined) throw problem('ref_unreadable', { repository, ref: 'HEAD' })
  const { kind, sha, name } = await github().resolveRef(repository, ref ?? `refs/heads/${branch}`)
  const isOwn = kind === 'commit' ? await github().isOwnCommit(repository, sha) : 'yes'
  if (isOwn === 'no' || isOwn === 'unclear') throw refusalOf(isOwn, repository, sha)
  const bare = name.replace(/^refs\/(heads|tags)\//, '')
  const isAmbiguous = ref !== undefined && ref !== bare && (await hasNamesake(repository, name, github()))
  return { sha, ref: isAmbiguous ? name : bare, said: ref ?? bare }
}

/** What is meant by `:current`, `:previous` and `#12`; undefined for all else. Throws `nothing_deployed`. */
export async function deployedAsked(
  ref: string | undefined,
  { repository, name: environment }: EnvironmentConfig,
  { refFor }: CommitParts['store'],
): Promise<CommitAsked | undefined> {
  if (ref !== ':current' && ref !== ':previous' && !isNumber(ref)) return undefined
  const deployed = await refFor({ configuredAs: repository.toLowerCase(), environment }, ref)
  if (deployed === undefined) throw problem('nothing_deployed', { ref, repository, environment })
  return { sha: deployed.sha, ref: deployed.sha, said: ref }
}

/** `#12`: what that deployment put in place. */
const isNumber = (ref: string | undefined): ref is `#${number}` => /^#\d{1,15}$/.test(ref ?? '')

/** Whether a tag is called like this branch, or a branch like this tag: commands must not take one for the other. */
async function hasNamesake(
  repository: string,
  name: string,
  github: Pick<GitHub, 'resolveRef'>,
): Promise<boolean> {
  const [, kind, bare] = /^refs\/(heads|tags)\/(.+)$/.exec(name) ?? []
  if (bare === undefined) return false
  try {
    await github.resolveRef(repository, `refs/${kind === 'heads' ? 'tags' : 'heads'}/${bare}`)
    return true
  } catch (thrown) {
    if (thrown instanceof FerrymanError && thrown.code === 'ref_unknown') return false
    throw thrown
  }
}

const refusalOf = (isOwn: 'no' | 'unclear', repository: string, sha: string): FerrymanError =>
  problem(isOwn === 'no' ? 'commit_foreign' : 'ownership_unclear', { repository, sha: short(sha) })
