import { CommitDetails, GivenPullRequest, PullRequestAuthors, PullRequests, read } from './answers.ts'
import { GitHubError, type GitHub } from './github.ts'
import { placeOf, unlessStatus, type Requests } from './requests.ts'

/** `GitHub.commit`. */
export async function commitFacts(
  { rest, ask }: Requests,
  repository: string,
  sha: string,
): ReturnType<GitHub['commit']> {
  // The files of a commit come in pages too.
  const wanted = { ...placeOf(repository), ref: sha, per_page: 1 }
  const answer = await unlessStatus(
    [404, 422],
    ask((common) => rest.repos.getCommit({ ...wanted, ...common })),
  )
  return answer && read(answer, CommitDetails, { what: 'a commit' })
}

/** GitHub's own account: it makes the commits of merges, squashes and edits on its pages. */
const GITHUB_ITSELF = 'web-flow'

/** `GitHub.authorsOf`. */
export async function authorsOf(
  requests: Requests,
  repository: string,
  sha: string,
): ReturnType<GitHub['authorsOf']> {
  const commit = await commitFacts(requests, repository, sha)
  if (commit === undefined)
    throw new GitHubError(`GitHub shows no commit ${sha.slice(0, 7)} of ${repository}`, 404, {}, undefined)
  const wanted = { ...placeOf(repository), commit_sha: sha }
  const listed = await requests.askAll((page) =>
    requests.rest.repos.listPullRequestsAssociatedWithCommit({ ...wanted, ...page }),
  )
  const openers = listed.flatMap((answer) => read(answer, PullRequestAuthors, { what: 'pull requests' }))
  const all = [commit.author?.login, commit.committer, ...openers]
  return [...new Set(all.flatMap((login) => login ?? []))].filter((login) => login !== GITHUB_ITSELF)
}

/** `GitHub.mergeOf`. */
export async function mergeOf(
  { rest, ask }: Requests,
  repository: string,
  sha: string,
  branch: string,
): ReturnType<GitHub['mergeOf']> {
  const wanted = { ...placeOf(repository), commit_sha: sha, per_page: 100 }
  const listed = await unlessStatus(
    [422],
    ask((common) => rest.repos.listPullRequestsAssociatedWithCommit({ ...wanted, ...common })),
  )
  const found = (listed && read(listed, PullRequests, { what: 'pull requests' }))?.find(
    ({ merged_at, merge_commit_sha, base }) =>
      typeof merged_at === 'string' && merge_commit_sha === sha && base.ref === branch,
  )
  if (found === undefined) return undefined
  const one = { ...placeOf(repository), pull_number: found.number }
  const answer = await ask((common) => rest.pulls.get({ ...one, ...common }))
  return read(answer, GivenPullRequest, { what: 'a pull request' })
}
