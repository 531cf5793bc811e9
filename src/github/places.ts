import { Branch, Compared, read, Repository } from './answers.ts'
import type { Comparison, RepositoryFacts } from './github.ts'
import { placeOf, unlessStatus, type Requests } from './requests.ts'

/** `GitHub.branchHead`. */
export async function branchHead(
  { rest, ask }: Requests,
  repository: string,
  branch: string,
): Promise<string | undefined> {
  if (['', '.', '..'].includes(branch)) return undefined // no branch, and another address
  const answer = await unlessStatus(
    [404],
    ask((common) => rest.repos.getBranch({ ...placeOf(repository), branch, ...common })),
  )
  if (answer === undefined) return undefined
  const { name, commit } = read(answer, Branch, { what: 'a branch' })
  return name === branch ? commit.sha : undefined // GitHub leads a renamed branch to its new name
}

/** `GitHub.compare`. */
export async function compare(
  { rest, ask }: Requests,
  repository: string,
  base: string,
  head: string,
): Promise<Comparison | undefined> {
  // The files of a comparison are all on its first page: https://docs.github.com/rest/commits/commits#compare-two-commits
  const wanted = { ...placeOf(repository), basehead: `${base}...${head}`, per_page: 1, page: 2 }
  const answer = await unlessStatus(
    [404],
    ask((common) => rest.repos.compareCommitsWithBasehead({ ...wanted, ...common })),
  )
  return answer && read(answer, Compared, { what: 'a comparison' })
}

/** `GitHub.repository`. */
export async function repositoryFacts(
  requests: Requests,
  repository: string,
): Promise<RepositoryFacts | undefined> {
  const seen = await seenRepository(requests, repository)
  if (seen === undefined) return undefined
  const { canPush: _, ...facts } = seen
  return facts
}

/** The repository, and what the token may do there; undefined where it does not see it. */
export async function seenRepository({ rest, ask }: Requests, repository: string) {
  const answer = await unlessStatus(
    [404],
    ask((common) => rest.repos.get({ ...placeOf(repository), ...common })),
  )
  return answer && read(answer, Repository, { what: 'a repository' })
}
