import { notFound, refusal } from './answers.ts'
import { between } from './history.ts'
import { paged, type AskedThere, type Outcome, type Route } from './routes.ts'
import { commitShape, fullName, htmlUrl, repositoryUrl } from './shapes.ts'
import { resolve } from './state.ts'

export const compareRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/repos/{owner}/{repo}/compare/{basehead}',
    right: { permission: 'contents', level: 'read', scopes: ['repo'] },
    answer: compare,
  },
]

function compare(asked: AskedThere): Outcome {
  const { state, repository } = asked
  const [from = '', to = '', ...more] = asked.param('basehead').split('...')
  const [base, head] = [resolve(repository, from), resolve(repository, to)]
  if (base === undefined || head === undefined || more.length > 0) throw notFound()
  const { mergeBase, ahead, behind } = between(repository, base, head)
  if (mergeBase === undefined) throw refusal(404, `No common ancestor between ${from} and ${to}.`)
  const name = `${from}...${to}`
  const page = `${htmlUrl(state)}/${fullName(repository)}/compare`
  const isFirstPage = [null, '1'].includes(asked.query.get('page'))
  return paged(asked, ahead, (commits) => ({
    url: `${repositoryUrl(state, repository)}/compare/${name}`,
    html_url: `${page}/${name}`,
    permalink_url: `${page}/${repository.owner}:${base.sha.slice(0, 7)}...${repository.owner}:${head.sha.slice(0, 7)}`,
    diff_url: `${page}/${name}.diff`,
    patch_url: `${page}/${name}.patch`,
    base_commit: commitShape(state, repository, base),
    merge_base_commit: commitShape(state, repository, mergeBase),
    status: statusOf(ahead.length, behind.length),
    ahead_by: ahead.length,
    behind_by: behind.length,
    total_commits: ahead.length,
    commits: commits.map((commit) => commitShape(state, repository, commit)),
    ...(isFirstPage ? { files: [] } : {}),
  }))
}

function statusOf(ahead: number, behind: number): 'identical' | 'ahead' | 'behind' | 'diverged' {
  if (ahead > 0 && behind > 0) return 'diverged'
  if (ahead > 0) return 'ahead'
  return behind > 0 ? 'behind' : 'identical'
}
