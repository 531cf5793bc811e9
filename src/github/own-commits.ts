import { Heads, read } from './answers.ts'
import type { GitHub, Ownership } from './github.ts'
import { unlessForbidden } from './limits.ts'
import { compare, repositoryFacts } from './places.ts'
import { commitCalled, fullNamesOf, isRefName, refCalled } from './refs.ts'
import { hasMore, placeOf, type Answer, type Requests } from './requests.ts'

const MOST_KEPT = 10_000
/** Of branches, and of tags, a hundred to a page: a commit at the head of one of them is seen there. */
const MOST_PAGES = 30
/** A commit behind a head is seen by comparing the two, with a question each. */
const MOST_COMPARED = 100

/**
 * `GitHub.isOwnCommit`. GitHub shows the commits of every fork in the repository itself too, by their ids, so
 * that being shown there proves nothing. What was on a branch once is taken for its own from then on.
 */
export function createOwnCommits(requests: Requests): GitHub['isOwnCommit'] {
  const known = new Set<string>()
  return async (repository, sha, ref) => {
    const key = `${repository.toLowerCase()} ${sha}`
    if (known.has(key)) return 'yes'
    const answer = await search(requests, { repository, sha, ref }).catch(unlessForbidden)
    if (answer !== 'yes') return answer ?? 'unknown'
    if (known.size >= MOST_KEPT) known.clear()
    known.add(key)
    return answer
  }
}

interface Asked {
  readonly repository: string
  readonly sha: string
  /** What it is said to be on. */
  readonly ref: string | undefined
}

/** The likely places first; then everything that there is, up to the limits above: past them it is unclear. */
async function search(requests: Requests, { repository, sha, ref }: Asked): Promise<Ownership> {
  const compared = new Set<string>()
  const isOn = async (head: string): Promise<boolean> => {
    if (head === sha) return true
    if (compared.has(head)) return false
    compared.add(head)
    // As seen from the head, so that no commits have to be listed.
    const found = await compare(requests, repository, head, sha)
    return found?.status === 'behind' || found?.status === 'identical'
  }
  const isOnRef = async (name: string): Promise<boolean> => {
    const [found] = await refCalled(requests, repository, name)
    return found !== undefined && (await isOn(found.sha))
  }

  for (const name of namesOf(ref, sha)) if (await isOnRef(name)) return 'yes'
  const facts = await repositoryFacts(requests, repository)
  if (facts === undefined) return 'unknown'
  if (await isOnRef(`refs/heads/${facts.defaultBranch}`)) return 'yes'
  if ((await commitCalled(requests, repository, sha)) === undefined) return 'no'
  const { heads, isAll } = await headsOf(requests, repository, sha)
  if (heads.has(sha)) return 'yes'
  for (const head of heads) {
    if (compared.size >= MOST_COMPARED && !compared.has(head)) return 'unclear'
    if (await isOn(head)) return 'yes'
  }
  return isAll ? 'no' : 'unclear'
}

const namesOf = (ref: string | undefined, sha: string): readonly string[] =>
  ref === undefined || !isRefName(ref) || sha.startsWith(ref.toLowerCase())
    ? []
    : fullNamesOf(ref).toReversed() // more often a branch

interface HeadsRead {
  readonly heads: ReadonlySet<string>
  /** There are no more. */
  readonly isAll: boolean
}

/** Where the branches and tags are, as far as they are read; no further once the commit is among them. */
async function headsOf(requests: Requests, repository: string, sha: string): Promise<HeadsRead> {
  const { rest, askAll } = requests
  const heads = new Set<string>()
  let isAll = true
  for (const list of [rest.repos.listBranches, rest.repos.listTags]) {
    let pages = 0
    const isEnough = (answer: Answer): boolean => {
      for (const head of read(answer, Heads, { what: 'branches or tags' })) heads.add(head)
      pages += 1
      isAll &&= pages < MOST_PAGES || !hasMore(answer)
      return heads.has(sha) || pages === MOST_PAGES
    }
    await askAll((page) => list({ ...placeOf(repository), ...page }), isEnough)
    if (heads.has(sha)) break
  }
  return { heads, isAll }
}
