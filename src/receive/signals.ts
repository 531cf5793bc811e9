import { z } from 'zod'

import { IGNORED, type IgnoredReason } from '../deployment/reasons.ts'
import type { BranchSignal, ChecksSignal, DeploymentSignal, Ignored, Reading } from '../deployment/signal.ts'
import { problem, type FerrymanError } from '../errors.ts'

/**
 * What a verified delivery says. Pure. Throws `body_wrong_shape` when a field that we need is missing or of
 * another kind; fields that we do not need are not looked at. `isFetched`: we asked for it ourselves, and may not
 * know the repository's number.
 */
export function readSignal(
  event: string,
  body: unknown,
  { isFetched = false }: { readonly isFetched?: boolean } = {},
): Reading {
  const { action } = read(Envelope, event, body)
  if (event === 'ping') return ignored('ping')
  if (event === 'deployment_status') return ignored('deployment_status_noted')
  const reader = Object.hasOwn(READERS, event) ? READERS[event] : undefined
  if (reader === undefined) return ignored('event_not_used', `${IGNORED.event_not_used} (${event})`)
  if (reader.action !== undefined && action !== undefined && action !== null && action !== reader.action)
    return ignored('action_not_used', `${IGNORED.action_not_used} (${action})`)
  return reader.read(body, isFetched)
}

interface Reader {
  readonly action?: string
  read(body: unknown, isFetched: boolean): Reading
}

/** What we understand; where an action is named, only that one says something to us. */
const READERS: Readonly<Record<string, Reader>> = {
  deployment: {
    action: 'created',
    read(body, isFetched) {
      const shape = isFetched ? FetchedDeployment : DeploymentEvent
      return { signal: deploymentSignal(read(shape, 'deployment', body)) }
    },
  },
  pull_request: {
    action: 'closed',
    read: (body) => mergeSignal(read(PullRequestEvent, 'pull_request', body)),
  },
  push: { read: (body) => pushSignal(read(PushEvent, 'push', body)) },
  status: {
    read(body) {
      const { repository, sha } = read(StatusEvent, 'status', body)
      return checksSignal(repository, sha)
    },
  },
  check_run: {
    read(body) {
      const { repository, check_run } = read(CheckRunEvent, 'check_run', body)
      return checksSignal(repository, check_run.head_sha)
    },
  },
  check_suite: {
    read(body) {
      const { repository, check_suite } = read(CheckSuiteEvent, 'check_suite', body)
      return checksSignal(repository, check_suite.head_sha)
    },
  },
}

/** Whether an event may speak of a branch that has moved; its action is that of a list of deliveries. */
export const speaksOfBranch = (event: string, action: string | undefined): boolean =>
  ['pull_request', 'push'].includes(event) && action === READERS[event]?.action

const ignored = (reason: IgnoredReason, detail: string = IGNORED[reason]): Ignored => ({
  ignored: reason,
  detail,
})

/** The action of any event, for the record. */
export const actionOf = (body: unknown): string | undefined =>
  Action.safeParse(Reflect.get(Object(body), 'action')).data ?? undefined

// PostgreSQL keeps no NUL in text, and no process can be handed one.
const text = (most: number) =>
  z
    .string()
    .max(most)
    .refine((value) => !value.includes('\0'), 'must not hold a NUL character')
const name = (most: number) => text(most).min(1)

const Action = text(100).nullish()
const Envelope = z.object({ action: Action })

const Account = z.object({
  login: name(100),
  avatar_url: text(2_000).nullish(),
  type: text(50).nullish(),
})

const Repository = z.object({
  id: z.int().positive(),
  full_name: z
    .string()
    .max(300)
    // Not of dots alone: it becomes part of an address.
    .regex(/^(?!\.+\/)[\w.-]+\/(?!\.+$)[\w.-]+$/, 'must be owner/name'),
  private: z.boolean(),
})
const RepositoryWithBranch = Repository.extend({ default_branch: name(1_000) })

const commitId = z
  .string()
  .regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/, 'must be a full commit id of 40 or 64 hexadecimal digits')

const DeploymentEvent = z.object({
  deployment: z.object({
    id: z.int().positive(),
    sha: commitId,
    ref: name(1_000),
    task: name(1_000),
    environment: name(1_000),
    description: text(100_000).nullish(),
    payload: z.unknown().optional(),
    url: text(2_000).nullish(),
    creator: Account.nullish(),
    created_at: text(100).nullish(),
  }),
  repository: Repository,
  sender: Account.nullish(),
  workflow_run: z.unknown().optional(),
})

const FetchedDeployment = DeploymentEvent.extend({
  repository: Repository.extend({ id: z.int().nonnegative() }),
})

const PullRequestEvent = z.object({
  pull_request: z.object({
    number: z.int().positive(),
    title: text(10_000),
    merged: z.boolean().nullish(),
    merge_commit_sha: commitId.nullish(),
    merged_by: Account.nullish(),
    user: Account.nullish(),
    base: z.object({ ref: name(1_000) }),
  }),
  repository: RepositoryWithBranch,
  sender: Account.nullish(),
})

const PushEvent = z.object({
  ref: name(1_000),
  after: commitId,
  deleted: z.boolean().nullish(),
  head_commit: z
    .object({ message: text(1_000_000), author: z.object({ username: text(200).nullish() }).nullish() })
    .nullish(),
  pusher: z.object({ name: text(200).nullish() }).nullish(),
  repository: RepositoryWithBranch,
  sender: Account.nullish(),
})

const StatusEvent = z.object({ sha: commitId, repository: Repository })
const CheckRunEvent = z.object({ check_run: z.object({ head_sha: commitId }), repository: Repository })
const CheckSuiteEvent = z.object({ check_suite: z.object({ head_sha: commitId }), repository: Repository })

const repositoryOf = ({ id, full_name, private: isPrivate }: z.infer<typeof Repository>) => ({
  githubId: id,
  name: full_name,
  isPrivate,
})

/** A merge deploys the commit that came of it, whichever way it was merged, and whoever the branch belonged to. */
function mergeSignal({ pull_request, repository, sender }: z.infer<typeof PullRequestEvent>): Reading {
  const { number, title, merged, merge_commit_sha: sha, merged_by, user, base } = pull_request
  if (merged !== true) return ignored('not_merged', `${IGNORED.not_merged} (#${number})`)
  if (sha === null || sha === undefined)
    throw problem('body_wrong_shape', {
      event: 'pull_request',
      list: 'pull_request.merge_commit_sha: a merged pull request must name its commit',
    })
  return branchSignal('merge', repository, {
    branch: base.ref,
    sha,
    title: `#${number} ${title}`,
    pullRequest: number,
    account: merged_by ?? sender,
    authors: [user?.login],
  })
}

const HEADS = 'refs/heads/'

function pushSignal({
  ref,
  after,
  deleted,
  head_commit,
  pusher,
  repository,
  sender,
}: z.infer<typeof PushEvent>): Reading {
  if (!ref.startsWith(HEADS)) return ignored('not_a_branch', `${IGNORED.not_a_branch} (${ref})`)
  const branch = ref.slice(HEADS.length)
  if (deleted === true || /^0+$/.test(after))
    return ignored('branch_deleted', `${IGNORED.branch_deleted} (${branch})`)
  return branchSignal('push', repository, {
    branch,
    sha: after,
    title: head_commit?.message.split('\n')[0] ?? '',
    pullRequest: undefined,
    account: sender ?? { login: pusher?.name || 'ghost' },
    authors: [pusher?.name, sender?.login, head_commit?.author?.username],
  })
}

function branchSignal(
  kind: BranchSignal['kind'],
  repository: z.infer<typeof RepositoryWithBranch>,
  given: Pick<BranchSignal, 'branch' | 'sha' | 'title' | 'pullRequest'> & {
    readonly account: z.infer<typeof Account> | null | undefined
    readonly authors: readonly (string | null | undefined)[]
  },
): Reading {
  const { account, authors, ...rest } = given
  const signal: BranchSignal = {
    kind,
    repository: { ...repositoryOf(repository), defaultBranch: repository.default_branch },
    ...rest,
    actor: account?.login ?? 'ghost', // GitHub sends null for a deleted account
    actorAvatar: account?.avatar_url ?? '',
    authors: [...new Set(authors.flatMap((login) => login || []))],
  }
  return { signal }
}

const checksSignal = (repository: z.infer<typeof Repository>, sha: string): Reading => {
  const signal: ChecksSignal = { kind: 'checks', repository: repositoryOf(repository), sha }
  return { signal }
}

function deploymentSignal({
  deployment,
  repository,
  sender,
  workflow_run,
}: z.infer<typeof DeploymentEvent>): DeploymentSignal {
  const creator = deployment.creator ?? sender ?? undefined // GitHub sends null for a deleted account
  const payload = payloadOf(deployment.payload)
  return {
    kind: 'deployment',
    repository: repositoryOf(repository),
    githubId: deployment.id,
    sha: deployment.sha,
    ref: deployment.ref,
    task: deployment.task,
    environment: deployment.environment,
    description: deployment.description ?? '',
    payload: textOf(payload),
    nonce: hasField(payload, 'ferryman') ? Ours.safeParse(payload).data?.ferryman : undefined,
    actor: personIn(payload) ?? creator?.login ?? 'ghost',
    creator: creator?.login ?? 'ghost',
    creatorAvatar: creator?.avatar_url ?? '',
    apiUrl: deployment.url ?? '',
    createdAt: momentOf(deployment.created_at),
    byActions: workflow_run !== null && workflow_run !== undefined,
  }
}

function momentOf(text: string | null | undefined): number | undefined {
  const at = Date.parse(text ?? '')
  return Number.isNaN(at) ? undefined : at
}

/** GitHub's other texts end at 64 KB; it names no limit of this one. Each that waits is kept in memory with its row. */
const MOST_PAYLOAD_CHARACTERS = 1024 * 1024

/** As JSON text; throws `body_wrong_shape` for one that is larger, or nested deeper, than can be kept. */
function textOf(payload: unknown): string {
  const text = jsonOf(payload)
  assertSmall(text)
  return text
}

function assertSmall(payload: string): void {
  if (payload.length > MOST_PAYLOAD_CHARACTERS) throw wrongPayload('is larger than 1 MB')
}

function jsonOf(payload: unknown): string {
  try {
    return JSON.stringify(payload)
  } catch (cause) {
    throw wrongPayload('is nested too deeply', cause)
  }
}

const wrongPayload = (what: string, cause?: unknown): FerrymanError =>
  problem('body_wrong_shape', { event: 'deployment', list: `deployment.payload: ${what}` }, cause)

/** Callers send an object, JSON as text, other text, or nothing; GitHub hands on what it was given. */
function payloadOf(given: unknown): unknown {
  if (given === undefined || given === null || given === '') return {}
  if (typeof given !== 'string') return given
  assertSmall(given)
  try {
    return JSON.parse(given) as unknown
  } catch {
    return given
  }
}

// A robot makes the deployment and names the person in the payload, as the Crowdcrafting robot did.
const Person = z.object({
  deploy_user: z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9-_]{0,98}[A-Za-z0-9])?$/),
})
const personIn = (payload: unknown): string | undefined =>
  hasField(payload, 'deploy_user') ? Person.safeParse(payload).data?.deploy_user : undefined

/** Asked first, since to find that nothing is there takes a schema the longest: it writes down why. */
const hasField = (payload: unknown, field: string): boolean =>
  typeof payload === 'object' && payload !== null && Object.hasOwn(payload, field)

/** How our own deployments are known again: what `pipeline.ts` puts into their payload. */
const Ours = z.object({ ferryman: z.string().regex(/^[0-9a-f]{32}$/) })

function read<Shape extends z.ZodType>(shape: Shape, event: string, body: unknown): z.infer<Shape> {
  const { success, data, error } = shape.safeParse(body)
  if (success) return data
  const list = error.issues
    .map(({ path, message }) => `${path.join('.') || 'the body'}: ${message}`)
    .join('; ')
  throw problem('body_wrong_shape', { event, list })
}
