import type { Changes } from '../deployment/changes.ts'
import type { CommitStatus, DeploymentStatus } from '../deployment/status.ts'

/**
 * What Ferryman asks of GitHub's API. Every call has a time limit; none is repeated here: when to ask again is
 * for whoever asks to decide. Rejects with `GitHubError`.
 */
export interface GitHub {
  createStatus(repository: string, githubId: number, status: DeploymentStatus): Promise<void>
  /** The newest statuses of a deployment, newest first. */
  statuses(repository: string, githubId: number): Promise<readonly DeploymentStatus[]>
  /** Whether there is no such deployment: the token sees those of the repository, and this one is not there. Rejects with a 404 where it sees none. */
  isGone(repository: string, githubId: number): Promise<boolean>
  /** Writes a status of a commit; of each context the newest counts. */
  createCommitStatus(repository: string, sha: string, status: CommitStatus): Promise<void>
  /** The newest of a context; undefined where there is none. */
  commitStatus(repository: string, sha: string, context: string): Promise<CommitStatus | undefined>
  /** Makes a deployment. `auto_merged`: GitHub merged branches instead (202), and made none. */
  createDeployment(repository: string, wanted: WantedDeployment): Promise<MadeDeployment | 'auto_merged'>
  /** Deployments of one commit, environment and task, newest first; at most 100. */
  deployments(repository: string, of: DeploymentFilter): Promise<readonly MadeDeployment[]>
  /**
   * Deployments of every environment and task, made at `since` or later, newest first; undefined when nothing has
   * changed since the answer that had this tag, which costs nothing of the budget.
   */
  recentDeployments(
    repository: string,
    of: { readonly since: number; readonly tag: string | undefined },
  ): Promise<RecentDeployments | undefined>
  /** Where a deployment stands, whoever writes its statuses. */
  progress(repository: string, githubId: number): Promise<Progress>
  /**
   * What a hook has delivered, or tried to, newest first: back to the one with the id `upTo`, or to what was tried
   * before `since`. Undefined when nothing has changed since the answer that had this tag, which costs nothing.
   */
  recentDeliveries(
    hook: HookPlace,
    of: { readonly since: number; readonly upTo: string | undefined; readonly tag: string | undefined },
  ): Promise<RecentDeliveries | undefined>
  /** Asks for a delivery once more, with the same GUID and body. */
  redeliver(hook: HookPlace, deliveryId: string): Promise<void>
  /** The addresses to which the hooks of a repository deliver; at most 100. */
  hookAddresses(repository: string): Promise<readonly string[]>
  /** Everything that has been reported about a commit, all pages. */
  reportedChecks(repository: string, sha: string): Promise<ReportedChecks>
  /** The newest commit of a branch; undefined where there is no such branch, or where the token may not see it. */
  branchHead(repository: string, branch: string): Promise<string | undefined>
  /** How `head` stands to `base`; undefined where GitHub knows one of them not, or the token may not see them. */
  compare(repository: string, base: string, head: string): Promise<Comparison | undefined>
  /**
   * What came, or was taken away, between two commits; undefined as with `compare`. The words in it are as long as
   * they were given, and not masked.
   */
  changes(repository: string, from: string, to: string): Promise<Changes | undefined>
  /**
   * The ids of the newest commits that came between two, `most` of them, newest first, and how many came in all;
   * undefined as with `compare`, and where `to` does not lie after `from`.
   */
  came(
    repository: string,
    between: { readonly from: string; readonly to: string; readonly most: number },
  ): Promise<{ readonly shas: readonly string[]; readonly count: number } | undefined>
  /** What a commit says of itself, by its full id; undefined as with `compare`. */
  commit(repository: string, sha: string): Promise<CommitFacts | undefined>
  /**
   * The logins of those whose change a commit is: its author, its committer where that is not GitHub itself, and whoever
   * opened a pull request that it came with. Rejects with a 404 where GitHub does not show the commit.
   */
  authorsOf(repository: string, sha: string): Promise<readonly string[]>
  /**
   * The pull request whose merge into the branch made the commit, as GitHub wrote it, to be read as its webhook would
   * be; undefined where none did.
   */
  mergeOf(repository: string, sha: string, branch: string): Promise<GivenPullRequest | undefined>
  /**
   * The commit that a name means: a branch, a tag, `refs/heads/main`, `tags/v1`, or an id of which at least 7
   * digits are given. Rejects with a `FerrymanError` where it means none (`ref_unknown`, `ref_wrong`), two
   * different ones (`ref_ambiguous`), or the token may not look (`ref_unreadable`). A full id is not looked up
   * where the token may not.
   */
  resolveRef(repository: string, ref: string): Promise<ResolvedRef>
  /**
   * Whether a commit, by its full id, lies on one of the repository's own branches or tags: GitHub shows the commits
   * of its forks there too. `ref`: what it is said to be on, looked at first.
   */
  isOwnCommit(repository: string, sha: string, ref?: string): Promise<Ownership>
  /** The repository itself; undefined where there is none, or where the token may not see it. */
  repository(repository: string): Promise<RepositoryFacts | undefined>
  /** What the token may do with a repository, as far as GitHub tells without anything being written. */
  access(repository: string): Promise<Access>
  /**
   * A token that may read a repository, for git; where we are an App one of its own, which opens nothing else but,
   * with `others`, what else its installation covers.
   */
  readingToken(repository: string, of: { readonly others: boolean }): Promise<string>
  /** Makes a secret gist of one file; answers its address, which opens it for whoever has it. An App can make none. */
  createGist(wanted: WantedGist): Promise<string>
  /** Whose token it is that we ask with; rejects with a 403 where we are an App. */
  tokenFacts(): Promise<TokenFacts>
  /** Undefined where we ask with a token. */
  readonly app: AppView | undefined
  /** When the token ends, as GitHub said last; undefined for one that lives for ever, before any answer, and for an App. */
  readonly tokenExpiresAt: number | undefined
  /** What GitHub's own clock showed at its last answer; undefined before any. */
  readonly clock: number | undefined
  /** What GitHub's last answer said of the hourly budget; undefined before any, and where there is no limit. */
  readonly budget: Budget | undefined
}

/** What GitHub says of the App that we are. */
export interface AppView {
  readonly id: string
  /** The name in its address; rejects with a 401 or a 404 where GitHub does not take our word for being this App. */
  slug(): Promise<string>
  /** What lets it work on a repository; rejects with a 404 where it is not installed there. */
  installation(repository: string): Promise<Installation>
}

export interface Installation {
  readonly id: number
  /** Whose repositories it covers. */
  readonly account: string
  readonly isSuspended: boolean
  /** What its owner has agreed to: `{deployments: 'write'}`. */
  readonly permissions: Readonly<Record<string, string>>
}

export interface Budget {
  readonly limit: number
  readonly remaining: number
  /** When it is full again, in milliseconds since 1970. */
  readonly resetAt: number
}

export interface WantedDeployment {
  /** A full commit id: what a branch is called may move. */
  readonly sha: string
  readonly environment: string
  readonly task: string
  readonly description: string
  readonly payload: Readonly<Record<string, unknown>>
  /** What GitHub must find green itself: names, or `all`; an empty list when that was seen to already. */
  readonly requiredContexts: readonly string[] | 'all'
}

interface DeploymentFilter {
  readonly sha: string
  readonly environment: string
  readonly task: string
}

export interface MadeDeployment {
  readonly githubId: number
  /** GitHub's API address of it. */
  readonly apiUrl: string
  readonly creator: string
  readonly creatorAvatar: string
  /** As it was sent: an object, or text. */
  readonly payload: unknown
}

export interface RecentDeployments {
  /** Names this answer, to be told only what is newer than it. */
  readonly tag: string | undefined
  readonly deployments: readonly ListedDeployment[]
}

export interface ListedDeployment {
  readonly githubId: number
  readonly environment: string
  readonly task: string
  readonly createdAt: number
  /** It names GitHub Actions as who made it. One of Actions may also name a person. */
  readonly byActions: boolean
  /** As GitHub wrote it, to be read as its webhook would be. */
  readonly given: Readonly<Record<string, unknown>>
}

/** A hook, and where it is: a repository, an organization, or an App. */
export interface HookPlace {
  readonly id: number
  readonly kind: 'repository' | 'organization' | 'app'
  /** `owner/name`, or `owner`, or the id of the App. */
  readonly place: string
}

export interface RecentDeliveries {
  /** Names this answer, to be told only what is newer than it. */
  readonly tag: string | undefined
  readonly deliveries: readonly ListedDelivery[]
  /** There are more than are read at once: the oldest are missing. */
  readonly isCut: boolean
}

/** One attempt. Those of one delivery have the same GUID. */
export interface ListedDelivery {
  /** Digits; too long for a number. */
  readonly id: string
  readonly guid: string
  readonly at: number
  readonly isTaken: boolean
  readonly event: string
  readonly action: string | undefined
  readonly repositoryGithubId: number | undefined
}

export interface Progress {
  /** `open`: its work may yet have to be done; `unknown`: it is in a state that is not ours to judge. */
  readonly stands: 'open' | 'ended' | 'withdrawn' | 'unknown'
  /** A job of GitHub Actions writes its statuses: they link to its run. */
  readonly byActions: boolean
}

/** What was reported about a commit: https://docs.github.com/rest/commits/statuses and …/rest/checks/runs */
export interface ReportedChecks {
  /** The newest of each context. */
  readonly statuses: readonly { readonly context: string; readonly state: string }[]
  readonly checkRuns: readonly CheckRun[]
}

export interface CheckRun {
  readonly id: number
  readonly name: string
  /** Undefined where the app is gone. */
  readonly appId: number | undefined
  readonly status: string
  readonly conclusion: string | undefined
}

/** `ahead`: everything in `base` is also in `head`, and `aheadBy` commits more; `behindBy` are in `base` alone. */
export interface Comparison {
  readonly status: 'identical' | 'ahead' | 'behind' | 'diverged'
  readonly aheadBy: number
  readonly behindBy: number
}

export interface CommitFacts {
  readonly message: string
  /** The account of whose it is; undefined where the address in it belongs to none. */
  readonly author: { readonly login: string; readonly avatar_url?: string | null | undefined } | undefined
  /** The account of whoever put it into the repository; `web-flow` where GitHub itself has. */
  readonly committer: string | undefined
}

export type GivenPullRequest = Readonly<Record<string, unknown>> & { readonly number: number }

export interface ResolvedRef {
  readonly kind: 'branch' | 'tag' | 'commit'
  /** In full; of an annotated tag the commit to which it leads. */
  readonly sha: string
  /** In full, `refs/heads/main`; of a commit its id. */
  readonly name: string
}

/** `unclear`: not where it was looked, and there are more branches and tags than that; `unknown`: the token may not look. */
export type Ownership = 'yes' | 'no' | 'unclear' | 'unknown'

export interface RepositoryFacts {
  readonly githubId: number
  /** `owner/name` as GitHub spells it now. */
  readonly name: string
  readonly defaultBranch: string
  readonly isPrivate: boolean
}

export interface Access {
  /** Undefined where the token sees the deployments but not the repository itself. */
  readonly canPush: boolean | undefined
  /** Of a classic token; other tokens have none. */
  readonly scopes: readonly string[] | undefined
  /** Milliseconds since 1970; undefined for a token that lives for ever, or that does not say. */
  readonly expiresAt: number | undefined
}

export interface WantedGist {
  readonly description: string
  /** The name of its file. */
  readonly file: string
  /** Of the file; GitHub takes no blank one. */
  readonly content: string
}

export interface TokenFacts {
  readonly login: string
  /** Of a classic token; other tokens have none. */
  readonly scopes: readonly string[] | undefined
}

/** GitHub did not do what was asked. `status` is undefined when no answer came. */
export class GitHubError extends Error {
  override readonly name = 'GitHubError'
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, string>>
  /** What a 409 holds against a deployment; empty where it says nothing of contexts. */
  readonly contexts: readonly { readonly context: string; readonly state: string }[]

  constructor(
    message: string,
    status: number | undefined,
    headers: Readonly<Record<string, string>>,
    cause: unknown,
    contexts: GitHubError['contexts'] = [],
  ) {
    super(message, { cause })
    this.status = status
    this.headers = headers
    this.contexts = contexts
  }
}
