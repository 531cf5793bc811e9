import {
  peel,
  userCalled,
  type CheckRun,
  type Commit,
  type CommitStatus,
  type Deployment,
  type DeploymentStatus,
  type GitHubState,
  type Repository,
  type User,
} from './state.ts'

/** GitHub's way to write a time: seconds, UTC. */
export const timeText = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')

/** An id that is unique across GitHub's kinds of things. */
export const nodeId = (kind: string, id: number | string): string =>
  `${kind}_${Buffer.from(`${kind}:${id}`).toString('base64url')}`

/** Where people look at things; GitHub has another host for it. */
export const htmlUrl = ({ url }: GitHubState): string => new URL('/', url).href.replace(/\/$/, '')

export const fullName = ({ owner, name }: Repository): string => `${owner}/${name}`
export const repositoryUrl = ({ url }: GitHubState, repository: Repository): string =>
  `${url}/repos/${fullName(repository)}`

/** A user as it stands inside of other things. */
export function userShape(state: GitHubState, { login, id, type }: User) {
  const url = `${state.url}/users/${encodeURIComponent(login)}`
  return {
    login,
    id,
    node_id: nodeId('U', id),
    avatar_url: `${htmlUrl(state)}/avatars/u/${id}?v=4`,
    gravatar_id: '',
    url,
    html_url: `${htmlUrl(state)}/${login}`,
    followers_url: `${url}/followers`,
    following_url: `${url}/following{/other_user}`,
    gists_url: `${url}/gists{/gist_id}`,
    starred_url: `${url}/starred{/owner}{/repo}`,
    subscriptions_url: `${url}/subscriptions`,
    organizations_url: `${url}/orgs`,
    repos_url: `${url}/repos`,
    events_url: `${url}/events{/privacy}`,
    received_events_url: `${url}/received_events`,
    type,
    user_view_type: 'public',
    site_admin: false,
  }
}

/** The user behind a token, as `GET /user` tells it. */
export function ownUserShape(state: GitHubState, user: User) {
  return {
    ...userShape(state, user),
    name: user.login,
    company: null,
    blog: '',
    location: null,
    email: null,
    hireable: null,
    bio: null,
    twitter_username: null,
    notification_email: null,
    public_repos: 0,
    public_gists: 0,
    followers: 0,
    following: 0,
    created_at: timeText(0),
    updated_at: timeText(0),
  }
}

/** GitHub's own number for Actions; any other app has that of its robot. */
const appId = (state: GitHubState, slug: string): number =>
  slug === 'github-actions' ? 15_368 : userCalled(state, `${slug}[bot]`).id

/** An app, that acts with an installation token or reports checks. */
export const appShape = (state: GitHubState, slug: string) => ({
  id: appId(state, slug),
  slug,
  node_id: nodeId('A', slug),
  owner: userShape(state, { login: 'acme', id: 1, type: 'Organization' }),
  name: slug,
  description: null,
  external_url: 'https://example.org',
  html_url: `${htmlUrl(state)}/apps/${slug}`,
  created_at: timeText(0),
  updated_at: timeText(0),
  permissions: { deployments: 'write', metadata: 'read' },
  events: ['deployment'],
})

/** A deployment, in answers and in events. */
export function deploymentShape(state: GitHubState, deployment: Deployment) {
  const { id, repository, creator, byApp } = deployment
  const url = `${repositoryUrl(state, repository)}/deployments/${id}`
  return {
    url,
    id,
    node_id: nodeId('DE', id),
    task: deployment.task,
    original_environment: deployment.originalEnvironment,
    environment: deployment.environment,
    description: deployment.description,
    created_at: timeText(deployment.createdAt),
    updated_at: timeText(deployment.updatedAt),
    statuses_url: `${url}/statuses`,
    repository_url: repositoryUrl(state, repository),
    creator: userShape(state, creator),
    sha: deployment.sha,
    ref: deployment.ref,
    payload: deployment.payload,
    transient_environment: deployment.isTransient,
    production_environment: deployment.isProduction,
    performed_via_github_app: byApp ? appShape(state, creator.login.replace('[bot]', '')) : null,
  }
}

/** A deployment status; a link that was not given is empty text. */
export function deploymentStatusShape(state: GitHubState, deployment: Deployment, status: DeploymentStatus) {
  const deploymentUrl = `${repositoryUrl(state, deployment.repository)}/deployments/${deployment.id}`
  return {
    url: `${deploymentUrl}/statuses/${status.id}`,
    id: status.id,
    node_id: nodeId('DES', status.id),
    state: status.state,
    creator: userShape(state, status.creator),
    description: status.description,
    environment: status.environment,
    target_url: status.logUrl,
    created_at: timeText(status.createdAt),
    updated_at: timeText(status.createdAt),
    deployment_url: deploymentUrl,
    repository_url: repositoryUrl(state, deployment.repository),
    environment_url: status.environmentUrl,
    log_url: status.logUrl,
    performed_via_github_app: status.byApp
      ? appShape(state, status.creator.login.replace('[bot]', ''))
      : null,
  }
}

/** What GitHub says of a commit or tag without a signature. */
export const UNSIGNED = {
  verified: false,
  reason: 'unsigned',
  payload: null,
  signature: null,
  verified_at: null,
} as const

/** A commit with its message, author and parents. */
export function commitShape(
  state: GitHubState,
  repository: Repository,
  { sha, message, author, login, committer = login, parents, at }: Commit,
) {
  const place = repositoryUrl(state, repository)
  const person = { ...author, date: timeText(at) }
  const accountOf = (name: string | undefined) =>
    name === undefined ? null : userShape(state, userCalled(state, name))
  return {
    sha,
    node_id: nodeId('C', sha),
    url: `${place}/commits/${sha}`,
    html_url: `${htmlUrl(state)}/${fullName(repository)}/commit/${sha}`,
    comments_url: `${place}/commits/${sha}/comments`,
    commit: {
      url: `${place}/git/commits/${sha}`,
      author: person,
      committer: person,
      message,
      comment_count: 0,
      tree: { sha, url: `${place}/git/trees/${sha}` },
      verification: UNSIGNED,
    },
    author: accountOf(login),
    committer: accountOf(committer),
    parents: parents.map((parent) => ({
      sha: parent,
      url: `${place}/commits/${parent}`,
      html_url: `${htmlUrl(state)}/${fullName(repository)}/commit/${parent}`,
    })),
  }
}

/** A branch, unprotected, with its newest commit. */
export function branchShape(state: GitHubState, repository: Repository, name: string, commit: Commit) {
  const self = `${repositoryUrl(state, repository)}/branches/${name}`
  return {
    name,
    commit: commitShape(state, repository, commit),
    _links: { self, html: `${htmlUrl(state)}/${fullName(repository)}/tree/${name}` },
    protected: false,
    protection: {
      enabled: false,
      required_status_checks: { enforcement_level: 'off', contexts: [], checks: [] },
    },
    protection_url: `${self}/protection`,
  }
}

/** A branch as lists and events name it. */
export const branchSummary = (state: GitHubState, repository: Repository, name: string, sha: string) => ({
  name,
  commit: { sha, url: `${repositoryUrl(state, repository)}/commits/${sha}` },
  protected: false,
})

/** A tag as it is listed, with its commit, annotated or not. */
export function tagShape(state: GitHubState, repository: Repository, name: string) {
  const place = repositoryUrl(state, repository)
  const sha = peel(repository, repository.tags.get(name) ?? '')
  return {
    name,
    zipball_url: `${place}/zipball/refs/tags/${name}`,
    tarball_url: `${place}/tarball/refs/tags/${name}`,
    commit: { sha, url: `${place}/commits/${sha}` },
    node_id: nodeId('REF', `refs/tags/${name}`),
  }
}

/** A commit status as the combined status holds it. */
export function commitStatusShape(state: GitHubState, repository: Repository, status: CommitStatus) {
  return {
    url: `${repositoryUrl(state, repository)}/statuses/${status.sha}`,
    avatar_url: userShape(state, status.creator).avatar_url,
    id: status.id,
    node_id: nodeId('SC', status.id),
    state: status.state,
    description: status.description,
    target_url: status.targetUrl,
    context: status.context,
    created_at: timeText(status.createdAt),
    updated_at: timeText(status.createdAt),
  }
}

/** One run of a check. */
export function checkRunShape(state: GitHubState, repository: Repository, run: CheckRun) {
  const url = `${repositoryUrl(state, repository)}/check-runs/${run.id}`
  const page = `${htmlUrl(state)}/${fullName(repository)}/runs/${run.id}`
  return {
    id: run.id,
    name: run.name,
    node_id: nodeId('CR', run.id),
    head_sha: run.sha,
    external_id: '',
    url,
    html_url: page,
    details_url: page,
    status: run.status,
    conclusion: run.conclusion,
    started_at: timeText(run.startedAt),
    completed_at: run.status === 'completed' ? timeText(run.startedAt) : null,
    output: {
      title: null,
      summary: null,
      text: null,
      annotations_count: 0,
      annotations_url: `${url}/annotations`,
    },
    check_suite: { id: run.suiteId },
    app: appShape(state, run.app),
    pull_requests: [],
  }
}
