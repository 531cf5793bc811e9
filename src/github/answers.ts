import { z } from 'zod'

import type { DeploymentStatus } from '../deployment/status.ts'
import {
  GitHubError,
  type CheckRun,
  type CommitFacts,
  type Comparison,
  type ListedDeployment,
  type MadeDeployment,
  type Progress,
  type RepositoryFacts,
} from './github.ts'
import type { Answer } from './requests.ts'

// Fields that we do not need are not looked at.
const text = z.string().max(10_000)
const sha = z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/)

/** What an answer says, as long as it has that status and that shape: a proxy's page, say, has not. */
export function read<Shape extends z.ZodType>(
  { status, data }: Answer,
  shape: Shape,
  { what, wanted = 200 }: { readonly what: string; readonly wanted?: number },
): z.infer<Shape> {
  const parsed = shape.safeParse(data)
  if (status === wanted && parsed.success) return parsed.data
  throw new GitHubError(`GitHub answered ${status}, but not with ${what}`, undefined, {}, parsed.error)
}

const State = z.enum(['queued', 'pending', 'in_progress', 'success', 'failure', 'error', 'inactive'])

/** A status that was written as asked. */
export const writtenStatus = (state: DeploymentStatus['state']) => z.object({ state: z.literal(state) })

const link = text.nullish().transform((url) => (url === '' || url === null ? undefined : url))
const Status = z
  .object({ state: State, description: text.nullish(), log_url: link, environment_url: link })
  .transform(({ state, description, log_url, environment_url }): DeploymentStatus => ({
    state,
    description: description ?? '',
    logUrl: log_url,
    environmentUrl: environment_url,
  }))

/** Statuses of a deployment; one in a state that we do not know is none of ours. */
export const Statuses = z
  .array(z.unknown())
  .transform((all) => all.flatMap((one) => Status.safeParse(one).data ?? []))

export const Deployment = z
  .object({
    id: z.int().positive(),
    url: text,
    creator: z.object({ login: text, avatar_url: text.nullish() }).nullish(), // null for a deleted account
    payload: z.unknown(),
  })
  .transform(({ id, url, creator, payload }): MadeDeployment => ({
    githubId: id,
    apiUrl: url,
    creator: creator?.login ?? 'ghost',
    creatorAvatar: creator?.avatar_url ?? '',
    payload,
  }))

/** GitHub Actions, and the robot of its Pages, by the names of their app. */
const ACTIONS = ['github-actions', 'github-pages']

const Listed = z
  .looseObject({
    id: z.int().positive(),
    environment: text,
    task: text,
    created_at: z.iso.datetime({ offset: true }),
    creator: z.object({ login: text }).nullish(),
    performed_via_github_app: z.object({ slug: text.nullish() }).nullish(),
  })
  .transform((given): ListedDeployment => ({
    githubId: given.id,
    environment: given.environment,
    task: given.task,
    createdAt: Date.parse(given.created_at),
    byActions: ACTIONS.some(
      (app) => given.performed_via_github_app?.slug === app || given.creator?.login === `${app}[bot]`,
    ),
    given,
  }))

/** Deployments as they are listed; one of a shape that we do not know is none that we could take up. */
export const ListedDeployments = z
  .array(z.unknown())
  .transform((all) => all.flatMap((one) => Listed.safeParse(one).data ?? []))

const STANDS: Readonly<Record<string, Progress['stands']>> = {
  queued: 'open',
  pending: 'open',
  in_progress: 'open',
  success: 'ended',
  failure: 'ended',
  error: 'ended',
  inactive: 'withdrawn',
} satisfies Record<z.infer<typeof State>, Progress['stands']>

/** A job's page, and the older address of it. */
const RUN_OF_ACTIONS = /\/(?:actions\/runs|runs)\/\d+/

/** Statuses of a deployment, newest first, whatever they say. */
export const ProgressOf = z
  .array(z.object({ state: text, log_url: text.nullish(), target_url: text.nullish() }))
  .transform((all): Progress => ({
    stands: all[0] === undefined ? 'open' : (STANDS[all[0].state] ?? 'unknown'),
    byActions: all.some(({ log_url, target_url }) => RUN_OF_ACTIONS.test(`${log_url} ${target_url}`)),
  }))

/** The hooks of a repository: where each delivers to, where it says so. */
export const HookAddresses = z
  .array(z.object({ config: z.object({ url: text.optional() }) }))
  .transform((all) => all.flatMap(({ config }) => config.url ?? []))

/** The 202 that is no deployment: `Auto-merged master into topic-branch on deployment.` */
export const AutoMerged = z.object({ message: z.string(), id: z.undefined().optional() })

export const CombinedStatus = z.object({
  statuses: z.array(z.object({ id: z.int(), context: text, state: text })),
})

const CommitState = z.enum(['pending', 'success', 'failure', 'error'])

/** The same, with what each says. */
export const CommitStatuses = z.object({
  statuses: z.array(
    z
      .object({ id: z.int(), context: text, state: CommitState, description: text.nullish() })
      .transform((given) => ({ ...given, description: given.description ?? '' })),
  ),
})

export const CheckRuns = z.object({
  check_runs: z.array(
    z
      .object({
        id: z.int(),
        name: text,
        status: text,
        conclusion: text.nullish(),
        app: z.object({ id: z.int() }).nullish(),
      })
      .transform(({ id, name, status, conclusion, app }): CheckRun => ({
        id,
        name,
        appId: app?.id,
        status,
        conclusion: conclusion ?? undefined,
      })),
  ),
})

export const Branch = z.object({ name: z.string(), commit: z.object({ sha }) })

/** Branches or tags as they are listed: the commit of each. */
export const Heads = z
  .array(z.object({ commit: z.object({ sha }) }))
  .transform((all) => all.map(({ commit }) => commit.sha))

const target = z.object({ type: text, sha })
export const GitRef = z.object({ ref: text, object: target })
export const GitTag = z.object({ object: target })

export const Commit = z.object({ sha })

/** What a commit says of itself, and the account of its author where the address belongs to one. */
export const CommitDetails = z
  .object({
    commit: z.object({ message: z.string() }),
    author: z.object({ login: text.optional(), avatar_url: text.nullish() }).nullish(),
    committer: z.object({ login: text.optional() }).nullish(),
  })
  .transform(({ commit, author, committer }): CommitFacts => ({
    message: commit.message,
    author: author?.login === undefined ? undefined : { login: author.login, avatar_url: author.avatar_url },
    committer: committer?.login,
  }))

/** Pull requests as they are listed; one of a shape that we do not know is none that we could take up. */
export const PullRequests = z
  .array(z.unknown())
  .transform((all) => all.flatMap((one) => PullRequestSummary.safeParse(one).data ?? []))

const PullRequestSummary = z.object({
  number: z.int().positive(),
  merged_at: text.nullish(),
  merge_commit_sha: text.nullish(),
  base: z.object({ ref: text }),
})

/** Who opened pull requests; nobody where the account is gone. */
export const PullRequestAuthors = z
  .array(z.object({ user: z.object({ login: text }).nullish() }))
  .transform((all) => all.flatMap(({ user }) => user?.login ?? []))

export const GivenPullRequest = z.looseObject({ number: z.int().positive() })

export const Compared = z
  .object({
    status: z.enum(['identical', 'ahead', 'behind', 'diverged']),
    ahead_by: z.int().nonnegative(),
    behind_by: z.int().nonnegative(),
  })
  .transform(({ status, ahead_by, behind_by }): Comparison => ({
    status,
    aheadBy: ahead_by,
    behindBy: behind_by,
  }))

/** A message may be of any length; of what is longer nobody needs the rest. */
const words = z.string().transform((all) => all.slice(0, 2_000))

/** What a comparison lists on one of its pages. */
export const ComparedCommits = z
  .object({
    commits: z.array(
      z.object({
        sha,
        commit: z.object({ message: words, author: z.object({ name: words.optional() }).nullish() }),
        author: z.object({ login: text.optional() }).nullish(), // the account, where the address belongs to one
      }),
    ),
  })
  .transform(({ commits }) =>
    commits.map(({ sha, commit, author }) => ({
      sha,
      message: commit.message,
      author: author?.login ?? commit.author?.name ?? 'unknown',
    })),
  )

export const Repository = z
  .object({
    id: z.int().positive(),
    full_name: text,
    default_branch: text,
    private: z.boolean(),
    permissions: z.object({ push: z.boolean().optional() }).nullish(),
  })
  .transform(({ id, full_name, default_branch, permissions, ...rest }): RepositoryFacts & Permission => ({
    githubId: id,
    name: full_name,
    defaultBranch: default_branch,
    isPrivate: rest.private,
    canPush: permissions?.push,
  }))

interface Permission {
  /** Undefined where GitHub does not say. */
  readonly canPush: boolean | undefined
}

export const AnyList = z.array(z.unknown())
