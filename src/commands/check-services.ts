import { isViaGitHub, type Config, type RepositoryConfig } from '../config/config.ts'
import { messageOf } from '../errors.ts'
import { createGitHub } from '../github/client.ts'
import { GitHubError, type Access, type AppView, type GitHub } from '../github/github.ts'
import { isForbidden } from '../github/limits.ts'
import type { Masker } from '../logs/redact.ts'
import { checkApp, checkInstallation } from './check-app.ts'
import { checkSlack } from './check-slack.ts'
import { doubtful, fine, wrong, type Finding } from './findings.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const WARN_DAYS = 14

export interface ServicesOptions {
  readonly version: string
  readonly now: number
  readonly masker: Pick<Masker, 'mask' | 'lend'>
}

/** What GitHub and Slack answer. Writes nothing and posts nothing. */
export async function* checkServices(config: Config, options: ServicesOptions): AsyncGenerator<Finding> {
  const { version, now, masker } = options
  const { apiUrl, credentials } = config.github
  if (credentials !== undefined) {
    const github = createGitHub({ ...credentials, apiUrl, version, mask: masker.mask, learn: masker.lend })
    if (github.app === undefined) yield* checkToken(github, config, now)
    else yield* checkAsApp(github, github.app, config)
  }
  yield* checkSlack(config)
  const environments = [...config.repositories.values()].flatMap((one) => [...one.environments.values()])
  if (config.server.publicUrl === undefined && environments.some(({ logTo }) => logTo === undefined))
    yield doubtful(
      'server.public_url is not set',
      'Without it, and without `log_to`, GitHub and Slack get no link to the log; `ferryman show` says where it is here.',
    )
}

const atGitHub = ({ repositories }: Config): RepositoryConfig[] =>
  [...repositories.values()].filter(isViaGitHub)

async function* checkToken(github: GitHub, config: Config, now: number): AsyncGenerator<Finding> {
  let expiry: Finding | undefined
  for (const repository of atGitHub(config)) {
    const { finding, access } = await checkRepository(github, repository.name)
    yield finding
    if (finding === INVALID) return
    if (access !== undefined)
      try {
        yield* checkCommitStatuses(repository, access)
        yield* checkMerges(github, repository)
        yield* checkPullRequests(github, repository, pullRequestsFor(repository, config))
        if (config.catchUpSeconds !== undefined) yield* checkHooks(github, repository)
      } catch (cause) {
        yield refusal(repository.name, cause)
      }
    expiry ??= expiryOf(access, now)
  }
  if (expiry !== undefined) yield expiry
}

/** Its own hook needs no permission, and what else is missing is said once. */
async function* checkAsApp(github: GitHub, app: AppView, config: Config): AsyncGenerator<Finding> {
  const known = await checkApp(app)
  yield known
  if (known.mark === 'wrong') return
  for (const repository of atGitHub(config)) {
    const readsPulls = pullRequestsFor(repository, config).length > 0
    const installed = await checkInstallation(app, repository, { readsPulls })
    yield installed
    if (installed.mark !== 'fine') continue
    try {
      yield* checkMerges(github, repository)
    } catch (cause) {
      yield refusal(repository.name, cause)
    }
  }
}

async function checkRepository(
  github: GitHub,
  name: string,
): Promise<{ finding: Finding; access: Access | undefined }> {
  try {
    const access = await github.access(name)
    return { finding: findingOf(name, access), access }
  } catch (cause) {
    return { finding: refusal(name, cause), access: undefined }
  }
}

/** GitHub says of classic tokens alone whether they may write statuses of commits. */
function* checkCommitStatuses(
  { name, environments }: RepositoryConfig,
  { scopes }: Access,
): Generator<Finding> {
  if (![...environments.values()].some(({ commitStatus }) => commitStatus) || scopes === undefined) return
  if (scopes.some((scope) => ['repo', 'repo:status', 'public_repo'].includes(scope))) return
  yield wrong(
    `GitHub: the token may not write commit statuses for ${name} (scopes: ${scopes.join(', ') || 'none'})`,
    'Give it the scope repo:status; or leave out `commit_status`.',
  )
}

/** What merges and pushes need beyond a deployment: to see the branch, and the checks of its commits. */
async function* checkMerges(
  github: GitHub,
  { name, environments }: RepositoryConfig,
): AsyncGenerator<Finding> {
  const own = [...environments.values()].filter(({ deployOn }) => deployOn !== 'none')
  if (own.length === 0) return
  const facts = await seen(() => github.repository(name))
  const branches = new Set(own.flatMap(({ branch }) => branch ?? facts?.defaultBranch ?? []))
  for (const branch of branches) {
    const head = await seen(() => github.branchHead(name, branch))
    if (head !== undefined)
      yield fine(`GitHub: ${name} deploys ${branch} by itself, now at ${head.slice(0, 7)}`)
    else if (facts !== undefined)
      yield doubtful(
        `GitHub: ${name} has no branch ${branch}, or the token may not see it`,
        'Correct `branch`, or give the token "Contents: read".',
      )
  }
  if (facts === undefined)
    yield doubtful(
      `GitHub: the token does not see the branches of ${name}, so merges deploy in the order in which they come`,
      'Give it "Contents: read" (fine-grained) or the scope repo (classic); or set `deploy_on: none`.',
    )
  const [head] = await Promise.all([...branches].map((branch) => seen(() => github.branchHead(name, branch))))
  const isGated = own.some(({ requiredContexts = [] }) => requiredContexts.length > 0)
  if (isGated && head !== undefined && (await seen(() => github.reportedChecks(name, head))) === undefined)
    yield doubtful(
      `GitHub: the token may not read the checks of ${name}: GitHub is handed required_contexts instead`,
      'Give it "Commit statuses: read" and "Checks: read" to be told at once how they stand.',
    )
}

/** What would go wrong for somebody who may not read the pull requests of a repository. */
function pullRequestsFor({ environments }: RepositoryConfig, { catchUpSeconds }: Config): readonly string[] {
  const own = [...environments.values()]
  const areMergesMissed = catchUpSeconds !== undefined && own.some(({ deployOn }) => deployOn === 'merge')
  const areApproved = own.some(({ approval }) => approval?.allowsAuthor === false)
  return [
    ...(areMergesMissed ? ['a merge whose webhook does not arrive is not deployed'] : []),
    ...(areApproved ? ['nobody may approve, since nobody knows whose change it is'] : []),
  ]
}

async function* checkPullRequests(
  github: GitHub,
  { name, environments }: RepositoryConfig,
  goesWrong: readonly string[],
): AsyncGenerator<Finding> {
  if (goesWrong.length === 0) return
  const branch = [...environments.values()].find((one) => one.branch !== undefined)?.branch
  const wanted = branch ?? (await seen(() => github.repository(name)))?.defaultBranch
  const head = wanted === undefined ? undefined : await seen(() => github.branchHead(name, wanted))
  if (wanted === undefined || head === undefined) return // it has to see the branch first
  const asked = await seen(async () => ({ merge: await github.mergeOf(name, head, wanted) }))
  if (asked !== undefined) return
  yield doubtful(
    `GitHub: the token may not read the pull requests of ${name}: ${goesWrong.join('; ')}`,
    'Give it "Pull requests: read" (fine-grained) or the scope repo (classic).',
  )
}

/** What asking for missed merges and pushes needs. */
async function* checkHooks(
  github: GitHub,
  { name, environments }: RepositoryConfig,
): AsyncGenerator<Finding> {
  if ([...environments.values()].every(({ deployOn }) => deployOn === 'none')) return
  if ((await seen(() => github.hookAddresses(name))) !== undefined) return
  yield doubtful(
    `GitHub: the token may not see the webhooks of ${name}: merges and pushes that do not arrive are not asked for again`,
    'Give it "Webhooks: read and write" (fine-grained) or the scope admin:repo_hook (classic); or set `catch_up: off`.',
  )
}

/** The answer, or undefined where the token has no right to it. */
async function seen<T>(ask: () => Promise<T>): Promise<T | undefined> {
  return ask().catch((thrown: unknown) => {
    if (thrown instanceof GitHubError && [403, 404].includes(thrown.status ?? 0)) return undefined
    throw thrown
  })
}

const GIVE_IT_DEPLOYMENTS =
  'Give the token "Deployments: read and write" (fine-grained) or the scope repo_deployment (classic).'

function findingOf(name: string, { canPush, scopes }: Access): Finding {
  if (scopes !== undefined && !scopes.some((scope) => scope === 'repo' || scope === 'repo_deployment'))
    return wrong(
      `GitHub: the token may not write deployment statuses for ${name} (scopes: ${scopes.join(', ') || 'none'})`,
      GIVE_IT_DEPLOYMENTS,
    )
  if (canPush === false)
    return doubtful(
      `GitHub: the token can read ${name}; GitHub does not say that it may write there`,
      GIVE_IT_DEPLOYMENTS,
    )
  return fine(`GitHub: the token reaches ${name} and its deployments`)
}

/** The same for every repository. */
const INVALID = wrong('GitHub: the token is not valid', 'Make a new one and set github.token.')

function refusal(name: string, cause: unknown): Finding {
  const status = cause instanceof GitHubError ? cause.status : undefined
  if (status === 401) return INVALID
  if (status === 404)
    return wrong(
      `GitHub: there is no ${name} that this token may see`,
      'Correct the name, or give the token access to it.',
    )
  return wrong(
    `GitHub: ${name}: ${messageOf(cause)}`,
    isForbidden(cause)
      ? `${GIVE_IT_DEPLOYMENTS} Or do what GitHub says there.`
      : 'Check github.api_url and the network, then try again.',
  )
}

function expiryOf(access: Access | undefined, now: number): Finding | undefined {
  if (access?.expiresAt === undefined) return undefined
  const days = Math.max(0, Math.ceil((access.expiresAt - now) / DAY_MS))
  if (days > WARN_DAYS) return undefined
  return doubtful(
    `GitHub: the token expires in ${days} days`,
    'Make a new one in time, and set github.token.',
  )
}
