/** What the double of GitHub knows. Names are kept as given and compared without regard to case. */
export interface GitHubState {
  /** Where the API is, without a slash at the end. */
  readonly url: string
  readonly clock: () => number
  /** Counts up, for the ids of everything. */
  nextId(): number
  readonly users: Map<string, User>
  readonly tokens: Map<string, Token>
  /** By their ids. */
  readonly apps: Map<number, App>
  /** By `owner/name` in lower case; a renamed one under its old names too. */
  readonly repositories: Map<string, Repository>
  /** By their ids. */
  readonly gists: Map<string, Gist>
}

/** Files that somebody put beside all repositories, with what they hold by name. */
export interface Gist {
  readonly id: string
  readonly owner: User
  readonly description: string | null
  readonly isPublic: boolean
  readonly files: ReadonlyMap<string, string>
  readonly createdAt: number
}

export interface User {
  readonly login: string
  readonly id: number
  readonly type: 'User' | 'Bot' | 'Organization'
}

export type Level = 'read' | 'write'

/** An access token. Without `repositories` it reaches all of them; `expiresAt` is in milliseconds since 1970. */
export type Token = {
  readonly login: string
  readonly repositories?: readonly string[]
  readonly expiresAt?: number
  /** Of an App, whose token it is. */
  readonly installation?: number
} & (
  | { readonly type: 'classic'; readonly scopes: readonly string[] }
  | { readonly type: 'fine-grained' | 'app'; readonly permissions: Readonly<Record<string, Level>> }
)

export interface App {
  readonly id: number
  readonly slug: string
  /** PEM. */
  readonly publicKey: string
  readonly installations: Installation[]
}

export interface Installation {
  readonly id: number
  readonly account: string
  /** `owner/name`; undefined: all of the account. */
  readonly repositories?: readonly string[]
  permissions: Readonly<Record<string, Level>>
  isSuspended: boolean
}

export interface Repository {
  readonly id: number
  owner: string
  name: string
  /** `owner/name` as it was before. */
  readonly formerNames: string[]
  readonly isPrivate: boolean
  readonly isFork: boolean
  readonly defaultBranch: string
  readonly createdAt: number
  readonly branches: Map<string, Branch>
  /** Each with the id of a commit, or of a tag object. */
  readonly tags: Map<string, string>
  readonly tagObjects: Map<string, TagObject>
  readonly commits: Map<string, Commit>
  readonly deployments: Deployment[]
  readonly commitStatuses: CommitStatus[]
  readonly checkRuns: CheckRun[]
  readonly pullRequests: KeptPullRequest[]
  readonly hooks: Hook[]
}

export interface Branch {
  readonly sha: string
  /** Whether the default branch has commits that this one lacks, and if so, whether they can be merged in. */
  readonly behind: 'no' | 'mergeable' | 'conflicting'
}

/** What makes a tag an annotated one. */
interface TagObject {
  readonly sha: string
  readonly name: string
  readonly message: string
  /** The id of a commit, or of another tag object. */
  readonly target: string
  readonly at: number
}

export interface Commit {
  readonly sha: string
  readonly message: string
  readonly author: { readonly name: string; readonly email: string }
  /** The account to which the address belongs, where there is one. */
  readonly login?: string | undefined
  /** The account that put it there: GitHub's own where it merges. The author's when left out. */
  readonly committer?: string | undefined
  readonly parents: readonly string[]
  readonly at: number
}

export interface Deployment {
  readonly id: number
  readonly repository: Repository
  readonly sha: string
  readonly ref: string
  readonly task: string
  /** As it was given: an object, or text. */
  readonly payload: unknown
  readonly originalEnvironment: string
  environment: string
  readonly description: string | null
  readonly isTransient: boolean
  readonly isProduction: boolean
  readonly creator: User
  readonly byApp: boolean
  readonly createdAt: number
  updatedAt: number
  /** Oldest first. */
  readonly statuses: DeploymentStatus[]
}

export const DEPLOYMENT_STATES = [
  'error',
  'failure',
  'inactive',
  'in_progress',
  'queued',
  'pending',
  'success',
] as const

export interface DeploymentStatus {
  readonly id: number
  readonly state: (typeof DEPLOYMENT_STATES)[number]
  readonly description: string
  readonly environment: string
  readonly environmentUrl: string
  readonly logUrl: string
  readonly creator: User
  readonly byApp: boolean
  readonly createdAt: number
}

/** One side of a pull request. */
export interface BranchEnd {
  readonly branch: string
  readonly sha: string
  /** `owner/name`, where it is another one: a fork. */
  readonly repository?: string
}

export interface PullRequest {
  readonly action: 'opened' | 'closed'
  readonly number: number
  readonly title: string
  /** Where it goes, and where it comes from. */
  readonly base: BranchEnd
  readonly head: BranchEnd
  readonly author: string
  /** Who merged it and the commit that came of it; left out when it was closed unmerged, or is open. */
  readonly merged?: { readonly sha: string; readonly by: string }
  /** How many the head has and the base has not; one when left out. */
  readonly commits?: number
}

/** A pull request that can be asked for, with the ids of its commits and of what came of them. */
interface KeptPullRequest extends PullRequest {
  readonly shas: readonly string[]
}

export interface CommitStatus {
  readonly id: number
  readonly sha: string
  readonly context: string
  readonly state: 'error' | 'failure' | 'pending' | 'success'
  readonly description: string | null
  readonly targetUrl: string | null
  readonly creator: User
  readonly createdAt: number
}

export interface CheckRun {
  readonly id: number
  readonly sha: string
  readonly name: string
  readonly status: 'queued' | 'in_progress' | 'completed'
  readonly conclusion: Conclusion | null
  /** The app that reports it. */
  readonly app: string
  readonly suiteId: number
  readonly startedAt: number
}

type Conclusion =
  | 'success'
  | 'failure'
  | 'neutral'
  | 'cancelled'
  | 'skipped'
  | 'timed_out'
  | 'action_required'

export interface Hook {
  readonly id: number
  /** An organization's and an App's are kept with the one repository of which they hear here. */
  readonly kind: 'repository' | 'organization' | 'app'
  /** Where it is: the id of the repository, or of the App. */
  readonly targetId: number
  readonly repository: Repository
  readonly url: string
  readonly secret: string | undefined
  readonly events: readonly string[]
  readonly contentType: 'json' | 'form'
  readonly createdAt: number
  /** Oldest first. */
  readonly deliveries: HookDelivery[]
}

/** One attempt to hand an event over. */
export interface HookDelivery {
  readonly id: number
  readonly guid: string
  readonly event: string
  readonly action: string | null
  readonly at: number
  readonly isRedelivery: boolean
  readonly seconds: number
  readonly request: {
    readonly headers: Readonly<Record<string, string>>
    readonly body: Buffer
    readonly payload: unknown
  }
  /** Status 0 when no answer came; the body then says why. */
  readonly answer: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
  }
}

/** Looks a repository up by `owner/name`, which may be an old one. */
export const repositoryCalled = (state: GitHubState, name: string): Repository | undefined =>
  state.repositories.get(name.toLowerCase())

/** The user of that login, made on the spot where there is none yet. */
export function userCalled(state: GitHubState, login: string, type: User['type'] = 'User'): User {
  const known = state.users.get(login.toLowerCase())
  if (known !== undefined) return known
  const user = { login, id: state.nextId(), type: login.endsWith('[bot]') ? ('Bot' as const) : type }
  state.users.set(login.toLowerCase(), user)
  return user
}

/** The commit that a branch, tag or commit id names; where several fit, GitHub's order: id, tag, branch. */
export function resolve(repository: Repository, ref: string): Commit | undefined {
  const { commits, tags, branches } = repository
  const name = ref.replace(/^refs\//, '').replace(/^(heads|tags)\//, '')
  const sha = commits.has(ref)
    ? ref
    : (tags.get(name) ?? branches.get(name)?.sha ?? abbreviated(repository, ref))
  return sha === undefined ? undefined : commits.get(peel(repository, sha))
}

/** What an annotated tag, or one of a tag, leads to. */
export const peel = (repository: Repository, sha: string): string => {
  const tag = repository.tagObjects.get(sha)
  return tag === undefined ? sha : peel(repository, tag.target)
}

/** The only commit that begins so. */
function abbreviated({ commits }: Repository, ref: string): string | undefined {
  if (!/^[0-9a-f]{7,39}$/.test(ref)) return undefined
  const [sha, ...more] = [...commits.keys()].filter((one) => one.startsWith(ref))
  return more.length === 0 ? sha : undefined
}
