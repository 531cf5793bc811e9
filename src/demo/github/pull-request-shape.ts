import { repositoryShape } from './repository-shape.ts'
import { fullName, htmlUrl, nodeId, repositoryUrl, timeText, userShape } from './shapes.ts'
import {
  repositoryCalled,
  userCalled,
  type BranchEnd,
  type GitHubState,
  type PullRequest,
  type Repository,
} from './state.ts'

/** A pull request, in answers and in events. */
export function pullRequestShape(state: GitHubState, repository: Repository, request: PullRequest) {
  const { number, action, title, base, head, merged, commits = 1 } = request
  const author = userShape(state, userCalled(state, request.author))
  const now = timeText(state.clock())
  const id = repository.id * 10_000 + number
  const { html, ...places } = placesOf(state, repository, request)
  return {
    ...places,
    html_url: html,
    id,
    node_id: nodeId('PR', id),
    number,
    state: action === 'closed' ? 'closed' : 'open',
    locked: false,
    title,
    user: author,
    body: null,
    created_at: now,
    updated_at: now,
    closed_at: action === 'closed' ? now : null,
    merged_at: merged === undefined ? null : now,
    merge_commit_sha: merged?.sha ?? null,
    assignee: null,
    assignees: [],
    requested_reviewers: [],
    requested_teams: [],
    labels: [],
    milestone: null,
    draft: false,
    head: endShape(state, repository, head),
    base: endShape(state, repository, base),
    _links: linksOf(places, html),
    author_association: 'MEMBER',
    auto_merge: null,
    active_lock_reason: null,
    merged: merged !== undefined,
    mergeable: null,
    rebaseable: null,
    mergeable_state: 'unknown',
    merged_by: merged === undefined ? null : userShape(state, userCalled(state, merged.by)),
    comments: 0,
    review_comments: 0,
    maintainer_can_modify: false,
    commits,
    additions: 1,
    deletions: 0,
    changed_files: 1,
  }
}

function endShape(state: GitHubState, here: Repository, { branch, sha, repository: name }: BranchEnd) {
  const repository = name === undefined ? here : (repositoryCalled(state, name) ?? here)
  return {
    label: `${repository.owner}:${branch}`,
    ref: branch,
    sha,
    user: userShape(state, userCalled(state, repository.owner, 'Organization')),
    repo: {
      ...repositoryShape(state, repository),
      allow_squash_merge: true,
      allow_merge_commit: true,
      allow_rebase_merge: true,
      allow_auto_merge: false,
      delete_branch_on_merge: false,
      allow_update_branch: false,
      use_squash_pr_title_as_default: false,
    },
  }
}

function placesOf(state: GitHubState, repository: Repository, { number, head }: PullRequest) {
  const api = repositoryUrl(state, repository)
  const html = `${htmlUrl(state)}/${fullName(repository)}/pull/${number}`
  return {
    html,
    url: `${api}/pulls/${number}`,
    diff_url: `${html}.diff`,
    patch_url: `${html}.patch`,
    issue_url: `${api}/issues/${number}`,
    commits_url: `${api}/pulls/${number}/commits`,
    review_comments_url: `${api}/pulls/${number}/comments`,
    review_comment_url: `${api}/pulls/comments{/number}`,
    comments_url: `${api}/issues/${number}/comments`,
    statuses_url: `${api}/statuses/${head.sha}`,
  }
}

const linksOf = (places: Omit<ReturnType<typeof placesOf>, 'html'>, html: string) => ({
  self: { href: places.url },
  html: { href: html },
  issue: { href: places.issue_url },
  comments: { href: places.comments_url },
  review_comments: { href: places.review_comments_url },
  review_comment: { href: places.review_comment_url },
  commits: { href: places.commits_url },
  statuses: { href: places.statuses_url },
})
