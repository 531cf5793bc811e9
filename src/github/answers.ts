import { z } from 'zod'

import type { DeploymentStatus } from '../deployment/status.ts'
import {
  GitHubError,
  type CheckRun,
  type Comparison,
  type MadeDeployment,
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

/** The 202 that is no deployment: `Auto-merged master into topic-branch on deployment.` */
export const AutoMerged = z.object({ message: z.string(), id: z.undefined().optional() })

export const CombinedStatus = z.object({
  statuses: z.array(z.object({ id: z.int(), context: text, state: text })),
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

export const Compared = z
  .object({ status: z.enum(['identical', 'ahead', 'behind', 'diverged']), ahead_by: z.int().nonnegative() })
  .transform(({ status, ahead_by }): Comparison => ({ status, aheadBy: ahead_by }))

export const Repository = z
  .object({
    id: z.int().positive(),
    full_name: text,
    default_branch: text,
    permissions: z.object({ push: z.boolean().optional() }).nullish(),
  })
  .transform(({ id, full_name, default_branch, permissions }): RepositoryFacts & Permission => ({
    githubId: id,
    name: full_name,
    defaultBranch: default_branch,
    canPush: permissions?.push,
  }))

interface Permission {
  /** Undefined where GitHub does not say. */
  readonly canPush: boolean | undefined
}

export const AnyList = z.array(z.unknown())
