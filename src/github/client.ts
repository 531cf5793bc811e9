import {
  AnyList,
  AutoMerged,
  CheckRuns,
  CombinedStatus,
  CommitStatuses,
  Deployment,
  HookAddresses,
  ListedDeployments,
  ProgressOf,
  read,
  Statuses,
  writtenStatus,
} from './answers.ts'
import {
  type Access,
  type CheckRun,
  type GitHub,
  type RecentDeployments,
  type ReportedChecks,
} from './github.ts'
import { viewOf } from './app.ts'
import { came, changes } from './changes.ts'
import { createGist, tokenFacts } from './gists.ts'
import { recentDeliveries, redeliver } from './hook-deliveries.ts'
import { createOwnCommits } from './own-commits.ts'
import { branchHead, compare, repositoryFacts, seenRepository } from './places.ts'
import { authorsOf, commitFacts, mergeOf } from './pull-requests.ts'
import { createReadingTokens } from './reading.ts'
import { resolveRef } from './refs.ts'
import {
  createRequests,
  placeOf,
  refuse,
  scopesIn,
  unlessStatus,
  type Answer,
  type GitHubOptions,
  type Requests,
} from './requests.ts'

/** A client for one token, for an App, or for nobody. */
export function createGitHub(options: GitHubOptions): GitHub {
  const requests = createRequests(options)
  const { ask } = requests
  const { repos } = requests.rest
  return {
    async createStatus(repository, githubId, { state, description, logUrl, environmentUrl, keepsOthers }) {
      const answer = await ask((common) =>
        repos.createDeploymentStatus({
          ...placeOf(repository),
          deployment_id: githubId,
          state,
          description,
          ...(logUrl === undefined ? {} : { log_url: logUrl }),
          ...(environmentUrl === undefined ? {} : { environment_url: environmentUrl }),
          ...(keepsOthers === true ? { auto_inactive: false } : {}),
          ...common,
        }),
      )
      // Whatever else says 2xx, a proxy or a sign-in page, has not written it.
      read(answer, writtenStatus(state), { what: 'the status that was written', wanted: 201 })
    },
    async createCommitStatus(repository, sha, { context, state, description, targetUrl }) {
      const answer = await ask((common) =>
        repos.createCommitStatus({
          ...placeOf(repository),
          sha,
          context,
          state,
          description,
          ...(targetUrl === undefined ? {} : { target_url: targetUrl }),
          ...common,
        }),
      )
      read(answer, writtenStatus(state), { what: 'the status that was written', wanted: 201 })
    },
    async commitStatus(repository, sha, context) {
      const commit = { ...placeOf(repository), ref: sha }
      const answers = await requests.askAll((page) => repos.getCombinedStatusForRef({ ...commit, ...page }))
      return answers
        .flatMap((answer) => read(answer, CommitStatuses, { what: 'statuses of a commit' }).statuses)
        .toSorted((one, other) => other.id - one.id)
        .find((one) => one.context.toLowerCase() === context.toLowerCase())
    },
    async statuses(repository, githubId) {
      const place = { ...placeOf(repository), deployment_id: githubId, per_page: 100 }
      const answer = await ask((common) => repos.listDeploymentStatuses({ ...place, ...common }))
      return read(answer, Statuses, { what: 'statuses' })
    },
    async isGone(repository, githubId) {
      const place = placeOf(repository)
      const listed = await ask((common) => repos.listDeployments({ ...place, per_page: 1, ...common }))
      read(listed, AnyList, { what: 'deployments' })
      const one = { ...place, deployment_id: githubId }
      return (
        (await unlessStatus(
          [404],
          ask((common) => repos.getDeployment({ ...one, ...common })),
        )) === undefined
      )
    },
    async createDeployment(repository, { sha, requiredContexts, ...wanted }) {
      const answer = await ask((common) =>
        repos.createDeployment({
          ...placeOf(repository),
          ref: sha,
          task: wanted.task,
          environment: wanted.environment,
          description: wanted.description,
          payload: { ...wanted.payload },
          auto_merge: false,
          ...(requiredContexts === 'all' ? {} : { required_contexts: [...requiredContexts] }),
          ...common,
        }),
      )
      if (answer.status === 202 && AutoMerged.safeParse(answer.data).success) return 'auto_merged'
      return read(answer, Deployment, { what: 'the deployment that was made', wanted: 201 })
    },
    async deployments(repository, { sha, environment, task }) {
      const wanted = { ...placeOf(repository), sha, environment, task, per_page: 100 }
      const answer = await ask((common) => repos.listDeployments({ ...wanted, ...common }))
      return read(answer, Deployment.array(), { what: 'deployments' })
    },
    recentDeployments: (repository, of) => recentDeployments(requests, repository, of),
    async progress(repository, githubId) {
      const place = { ...placeOf(repository), deployment_id: githubId, per_page: 100 }
      const answer = await ask((common) => repos.listDeploymentStatuses({ ...place, ...common }))
      return read(answer, ProgressOf, { what: 'statuses' })
    },
    recentDeliveries: (hook, of) => recentDeliveries(requests, hook, of),
    redeliver: (hook, deliveryId) => redeliver(requests, hook, deliveryId),
    async hookAddresses(repository) {
      const place = { ...placeOf(repository), per_page: 100 }
      const answer = await ask((common) => repos.listWebhooks({ ...place, ...common }))
      return read(answer, HookAddresses, { what: 'hooks' })
    },
    reportedChecks: (repository, sha) => reportedChecks(requests, repository, sha),
    branchHead: (repository, branch) => branchHead(requests, repository, branch),
    compare: (repository, base, head) => compare(requests, repository, base, head),
    changes: (repository, from, to) => changes(requests, repository, from, to),
    came: (repository, between) => came(requests, repository, between),
    commit: (repository, sha) => commitFacts(requests, repository, sha),
    authorsOf: (repository, sha) => authorsOf(requests, repository, sha),
    mergeOf: (repository, sha, branch) => mergeOf(requests, repository, sha, branch),
    resolveRef: (repository, ref) => resolveRef(requests, repository, ref),
    isOwnCommit: createOwnCommits(requests),
    repository: (repository) => repositoryFacts(requests, repository),
    access: (repository) => access(requests, repository),
    readingToken:
      'app' in options
        ? createReadingTokens(options.app, requests, options)
        : () => ('token' in options ? Promise.resolve(options.token) : refuse()),
    createGist: (wanted) => createGist(requests, wanted),
    tokenFacts: () => tokenFacts(requests),
    app: 'app' in options ? viewOf(options.app, requests) : undefined,
    get tokenExpiresAt() {
      return requests.tokenExpiresAt
    },
    get clock() {
      return requests.clock
    },
    get budget() {
      return requests.budget
    },
  }
}

// What is made while the pages are read pushes others onto the next one: they come twice, and none is left out.
async function recentDeployments(
  { rest, askAll }: Requests,
  repository: string,
  { since, tag }: { readonly since: number; readonly tag: string | undefined },
): Promise<RecentDeployments | undefined> {
  const listedIn = (answer: Answer) => read(answer, ListedDeployments, { what: 'deployments' })
  const answers = await unlessStatus(
    [304],
    askAll(
      ({ page, headers, ...common }) => {
        const condition = tag === undefined || page > 1 ? {} : { 'if-none-match': tag }
        return rest.repos.listDeployments({
          ...placeOf(repository),
          page,
          ...common,
          headers: { ...headers, ...condition },
        })
      },
      (answer) => (listedIn(answer).at(-1)?.createdAt ?? Infinity) < since,
    ),
  )
  if (answers === undefined) return undefined
  const listed = new Map(answers.flatMap(listedIn).map((one) => [one.githubId, one]))
  const etag = answers[0]?.headers['etag']
  return {
    tag: etag === undefined ? undefined : String(etag),
    deployments: [...listed.values()].filter(({ createdAt }) => createdAt >= since),
  }
}

// What is reported while the pages are read may stand on two of them.
async function reportedChecks(
  { rest, askAll }: Requests,
  repository: string,
  sha: string,
): Promise<ReportedChecks> {
  const commit = { ...placeOf(repository), ref: sha }
  const combined = await askAll((page) => rest.repos.getCombinedStatusForRef({ ...commit, ...page }))
  const listed = await askAll((page) => rest.checks.listForRef({ ...commit, filter: 'latest', ...page }))
  const statuses = new Map(
    combined
      .flatMap((answer) => read(answer, CombinedStatus, { what: 'statuses of a commit' }).statuses)
      .toSorted((one, other) => one.id - other.id)
      .map(({ context, state }) => [context.toLowerCase(), { context, state }] as const),
  )
  const checkRuns = new Map<number, CheckRun>(
    listed
      .flatMap((answer) => read(answer, CheckRuns, { what: 'check runs' }).check_runs)
      .map((run) => [run.id, run]),
  )
  return { statuses: [...statuses.values()], checkRuns: [...checkRuns.values()] }
}

async function access(requests: Requests, repository: string): Promise<Access> {
  const { rest, ask } = requests
  const place = placeOf(repository)
  const listed = await ask((common) => rest.repos.listDeployments({ ...place, per_page: 1, ...common }))
  read(listed, AnyList, { what: 'deployments' })
  // The scope repo_deployment opens the deployments of a private repository, but not the repository itself.
  const seen = await seenRepository(requests, repository)
  return {
    canPush: seen?.canPush,
    scopes: scopesIn(listed),
    expiresAt: requests.tokenExpiresAt,
  }
}
