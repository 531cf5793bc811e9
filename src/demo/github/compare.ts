import { htmlUrl, fullName, commitShape, repositoryUrl } from './shapes.ts'
import { existing, type AskedThere, type Outcome, type Route } from './routes.ts'
import { resolve, type Commit, type Repository } from './state.ts'

/** How two commits stand to each other: https://docs.github.com/rest/commits/commits#compare-two-commits */
export const compareRoute: Route = {
  method: 'GET',
  template: '/repos/{owner}/{repo}/compare/{basehead}',
  right: { permission: 'contents', level: 'read', scopes: ['repo'] },
  answer: compare,
}

function compare({ state, repository, param, query }: AskedThere): Outcome {
  const [from = '', to = ''] = param('basehead').split('...')
  const base = existing(resolve(repository, from))
  const head = existing(resolve(repository, to))
  const [ofBase, ofHead] = [historyOf(repository, base), historyOf(repository, head)]
  const ahead = ofHead.filter((commit) => !ofBase.includes(commit)).toReversed()
  const behind = ofBase.filter((commit) => !ofHead.includes(commit))
  const mergeBase = existing(ofBase.find((commit) => ofHead.includes(commit)))
  const url = `${repositoryUrl(state, repository)}/compare/${from}...${to}`
  const html = `${htmlUrl(state)}/${fullName(repository)}/compare/${from}...${to}`
  const page = Number(query.get('page') ?? 1)
  const perPage = Number(query.get('per_page') ?? 30)
  return {
    status: 200,
    body: {
      url,
      html_url: html,
      permalink_url: html,
      diff_url: `${html}.diff`,
      patch_url: `${html}.patch`,
      base_commit: commitShape(state, repository, base),
      merge_base_commit: commitShape(state, repository, mergeBase),
      status: statusOf(ahead.length, behind.length),
      ahead_by: ahead.length,
      behind_by: behind.length,
      total_commits: ahead.length,
      commits: ahead
        .slice((page - 1) * perPage, page * perPage)
        .map((commit) => commitShape(state, repository, commit)),
      ...(page === 1 ? { files: [] } : {}),
    },
  }
}

function statusOf(ahead: number, behind: number): 'identical' | 'ahead' | 'behind' | 'diverged' {
  if (ahead > 0) return behind > 0 ? 'diverged' : 'ahead'
  return behind > 0 ? 'behind' : 'identical'
}

/** The commit and everything before it, nearest first. */
function historyOf({ commits }: Repository, from: Commit): readonly Commit[] {
  const seen = new Set<Commit>([from])
  for (const { parents } of seen)
    for (const sha of parents) {
      const parent = commits.get(sha)
      if (parent !== undefined) seen.add(parent)
    }
  return [...seen]
}
