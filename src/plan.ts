import { recipeFor, type EnvironmentConfig } from './config/config.ts'
import { environmentIn } from './config/places.ts'
import { secretsIn, secretsSaid } from './config/values.ts'
import { commitAsked } from './decide/asked.ts'
import type { Deployment, HookPhase } from './deployment/deployment.ts'
import type { Closed } from './deployment/gates.ts'
import { recipeAt, type Recipe, type Value } from './deployment/recipe.ts'
import { problem } from './errors.ts'
import { GitHubError, type GitHub } from './github/github.ts'
import { createMasker } from './logs/redact.ts'
import { factsOfPlace, readDelivery, type Parts as PipelineParts } from './pipeline.ts'
import { homeOf, installName, isInstalled } from './run/ansible/galaxy.ts'
import { baseEnvironment, commandEnvironment, type ServerSide } from './run/environment.ts'
import { listFolders } from './run/listing.ts'
import { compile, foldersOf, type ActionStep, type CommandStep, type Step } from './run/steps.ts'
import { archiveName } from './run/place-release.ts'
import { hearName, recipeOfKnown } from './run/repository-file.ts'
import { checkOutName } from './run/workspace/check-out.ts'
import type { Failure } from './run/step.ts'
import type { Mirrors } from './run/workspace/mirrors.ts'
import type { Gate, NewDelivery, NewDeployment, Store } from './store/store.ts'
import { versionAsked, type AskSource } from './version-asked.ts'

/** What is needed to find out what somebody means. */
export interface FindParts {
  readonly pipeline: Pick<PipelineParts, 'config'>
  readonly store: Pick<Store, 'refFor'>
  github(): GitHub
  readonly askSource: AskSource
}

export interface PlanParts extends FindParts {
  readonly mirrors: Pick<Mirrors, 'pathOf'>
  readonly pipeline: PipelineParts
  readonly store: Pick<Store, 'refFor' | 'gateFacts'>
  readonly gate: Gate
  readonly server: ServerSide
  resolve(value: Value): string
  readonly clock: () => number
  /** Where what playbooks need is kept from one deployment to the next. */
  readonly installed: string
}

/** What somebody would like to see planned; the same words as a wish. */
export interface PlanWanted {
  readonly repository: string
  readonly environment: string | undefined
  readonly ref: string | undefined
  readonly task: string | undefined
}

/** What a deployment would do, secrets masked. */
export interface Plan {
  readonly repository: string
  readonly environment: string
  readonly task: string
  readonly sha: string
  readonly ref: string
  /** The commit that is there now. */
  readonly previousSha: string | undefined
  readonly lane: string
  readonly folder: string
  /** The user that commands run as. */
  readonly user: string
  readonly timeoutSeconds: number
  /** What it would wait for now, beside its checks and its turn. */
  readonly waits: Pick<Closed, 'reason' | 'detail'> | undefined
  /** Why it would run nothing. */
  readonly refused: { readonly reason: string; readonly detail: string } | undefined
  readonly steps: readonly PlannedStep[]
  /** The environment of the commands, by name; what is known only when it runs is left out. */
  readonly variables: Readonly<Record<string, string>>
}

interface PlannedStep {
  readonly phase: HookPhase | 'work'
  readonly name: string
  readonly label: string | undefined
  readonly timeoutSeconds: number | undefined
  /** The user that it runs as, where that is another one. */
  readonly runAs: string | undefined
  /** It is run only where a file that matches one of these patterns has changed. */
  readonly onlyIfChanged: readonly string[] | undefined
  /** What becomes of the deployment when it fails. */
  readonly onFailure: Step['onFailure']
}

/**
 * What a ref would run where somebody wants it, and with which commit. Nothing is recorded, nothing is run. Throws what
 * is wrong with the wish, or `github_unasked`.
 */
export async function planFor(wanted: PlanWanted, parts: PlanParts): Promise<Plan> {
  const { environment, planned } = await findWanted(wanted, parts)
  return planOf(planned, environment, parts)
}

/** The environment, the commit and the recipe that somebody means. Throws like `planFor`. */
export async function findWanted(
  wanted: PlanWanted,
  { pipeline, store, github, askSource }: FindParts,
): Promise<{ readonly environment: EnvironmentConfig; readonly planned: Planned }> {
  const environment = environmentIn(pipeline.config().repositories, wanted.repository, wanted.environment)
  const task = wanted.task ?? 'deploy'
  if (recipeFor(environment, task) === undefined)
    throw problem('task_unknown', { task, place: `${environment.repository} ${environment.name}` })
  const place = { ...OF_NOBODY, ...factsOfPlace(environment, task), repository: environment.repository, task }
  if (environment.via === 'none') {
    const { sha, ref } = await versionAsked(wanted.ref, environment, { store, askSource })
    return { environment, planned: { ...place, sha, ref } }
  }
  try {
    const facts = await github().repository(environment.repository)
    const { sha, ref } = await commitAsked(wanted.ref, { environment, facts }, { github, store })
    return { environment, planned: { ...place, repository: facts?.name ?? place.repository, sha, ref } }
  } catch (thrown) {
    if (!(thrown instanceof GitHubError)) throw thrown
    throw problem('github_unasked', { cause: thrown.message }, thrown)
  }
}

/** What a delivery would lead to with the configuration as it is now: an answer, and a plan for each deployment. */
export async function planForDelivery(
  delivery: NewDelivery,
  parts: PlanParts,
): Promise<{
  readonly verdict: string
  readonly detail: string | undefined
  readonly plans: readonly Plan[]
}> {
  const { verdict, reason, detail, deployments } = readDelivery(delivery, parts.pipeline)
  const plans: Plan[] = []
  for (const one of deployments) {
    const environment = parts.pipeline
      .config()
      .repositories.get(one.configuredAs)
      ?.environments.get(one.environment.toLowerCase())
    if (environment !== undefined && one.failure === undefined && one.errand === undefined)
      plans.push(await planOf(one, environment, parts))
  }
  return { verdict, detail: detail ?? reason, plans }
}

export type Planned = Pick<
  NewDeployment,
  | 'repository'
  | 'configuredAs'
  | 'environment'
  | 'lane'
  | 'sha'
  | 'ref'
  | 'task'
  | 'recipe'
  | 'payload'
  | 'actor'
  | 'creator'
  | 'creatorAvatar'
  | 'description'
  | 'apiUrl'
  | 'authors'
>

/** What is not known of a deployment that nobody has asked for. */
const OF_NOBODY = {
  payload: '{}',
  actor: '',
  creator: '',
  creatorAvatar: '',
  description: '',
  apiUrl: '',
  authors: [],
} as const

/** Known only when it runs. */
const LATER =
  /^FERRYMAN_(?:DEPLOYMENT|DEPLOYMENT_ID|NUMBER|RUN_ID|PAYLOAD_FILE|PAYLOAD|WORKSPACE)$|^GITHUB_DEPLOYMENT_/
const PRIVATE_FOLDER = '/its/private/folder'
/** Where its checkout will be, where it has one. */
const CHECKOUT = '{workspace}'

async function planOf(planned: Planned, environment: EnvironmentConfig, parts: PlanParts): Promise<Plan> {
  const { store, gate, clock, server } = parts
  const configured = asDeployment(planned, recipeAt(planned.recipe, CHECKOUT))
  const heard = await hear(configured, parts)
  const recipeHeard = heard === undefined || 'reason' in heard ? configured.recipe : recipeAt(heard, CHECKOUT)
  const deployment = { ...configured, recipe: recipeHeard }
  const { recipe, sha, ref, task, repository, lane } = deployment
  const live = await store.refFor(deployment, ':current')
  const resolved = resolvedEnvironment(recipe, parts)
  const masker = createMasker(resolved.secrets)
  const mask = (text: string): string => parts.pipeline.mask(masker.mask(text))
  const compiled =
    heard !== undefined && 'reason' in heard
      ? heard
      : compile(deployment, {
          previousSha: live?.sha,
          folder: PRIVATE_FOLDER,
          workspace: recipe.workspace === undefined && recipe.releases === undefined ? undefined : CHECKOUT,
          listed: await listFolders(foldersOf(deployment)),
        })
  const variables = commandEnvironment(deployment, server, {
    runId: '',
    previousSha: live?.sha,
    payloadFile: '',
    env: resolved.env,
  })
  const closed = gate.judge(
    deployment,
    await store.gateFacts(deployment, { ...gate.wanted(deployment), at: clock() }),
  )
  return {
    repository,
    environment: environment.name,
    task,
    sha,
    ref,
    previousSha: live?.sha,
    lane,
    folder: recipe.folder,
    user: server.user.name,
    timeoutSeconds: recipe.timeoutSeconds,
    waits: closed && { reason: closed.reason, detail: mask(closed.detail) },
    refused: 'reason' in compiled ? { ...compiled, detail: mask(compiled.detail) } : undefined,
    steps:
      'reason' in compiled
        ? []
        : [
            ...sourceSteps(deployment, heard !== undefined, parts).map((step) => shown(step, 'before', mask)),
            ...compiled.before.map((step) => shown(step, 'before', mask)),
            ...requiredSteps(deployment, parts).map((step) => shown(step, 'work', mask)),
            ...compiled.work.map((step) => shown(step, 'work', mask)),
            ...activatingSteps(deployment).map((step) => shown(step, 'work', mask)),
            ...compiled.verify.map((step) => shown(step, 'verify', mask)),
            ...compiled.afterSuccess.map((step) => shown(step, 'after_success', mask)),
            ...compiled.afterFailure.map((step) => shown(step, 'after_failure', mask)),
          ],
    variables: Object.fromEntries(
      Object.entries(variables)
        .filter(([name]) => !LATER.test(name))
        // What is not written in the configuration itself is nobody's to see, whatever it looks like.
        .map(([name, value]) => [name, isHidden(recipe, name) ? HIDDEN : mask(value)]),
    ),
  }
}

/** What the commit says itself, as far as that is known without fetching it. */
function hear(deployment: Deployment, { mirrors, server }: PlanParts): Promise<Recipe | Failure | undefined> {
  if (deployment.recipe.inRepository === undefined) return Promise.resolve(undefined)
  const repository = mirrors.pathOf(deployment.configuredAs)
  return recipeOfKnown(deployment, { repository, path: baseEnvironment(server, {})['PATH'] ?? '' })
}

type Shown = CommandStep | Pick<ActionStep, 'kind' | 'name' | 'onFailure'>

/** What comes before everything else. */
function sourceSteps(deployment: Deployment, isHeard: boolean, { resolve }: PlanParts): readonly Shown[] {
  const { workspace, releases, inRepository } = deployment.recipe
  if (releases?.source !== undefined) return [action(archiveName(deployment, releases.source, resolve))]
  if (workspace === undefined) return []
  const read = inRepository && action(hearName(deployment.sha, inRepository, isHeard))
  return [action(checkOutName(deployment)), ...(read === undefined ? [] : [read])]
}

/** What a playbook has to have installed before it. */
function requiredSteps(
  { recipe, repository, environment }: Deployment,
  { installed }: PlanParts,
): readonly Shown[] {
  const file = recipe.kind === 'ansible' ? recipe.options.requirements : undefined
  if (file === undefined || isInstalled(file, homeOf(installed, repository, environment))) return []
  return [action(installName(file))]
}

const activatingSteps = ({ recipe: { releases } }: Deployment): readonly Shown[] =>
  releases === undefined ? [] : [action(`make it the current release in ${releases.path}`)]

const action = (name: string): Shown => ({ kind: 'action', name, onFailure: 'ends' })

function shown(step: Shown, phase: PlannedStep['phase'], mask: (text: string) => string): PlannedStep {
  const label = step.kind === 'action' ? undefined : step.label
  return {
    phase,
    name: mask(step.name),
    label: label === undefined ? undefined : mask(label),
    timeoutSeconds: step.kind === 'action' ? undefined : step.timeoutSeconds,
    runAs: step.kind === 'action' ? undefined : step.runAs,
    onlyIfChanged: step.kind === 'action' ? undefined : step.onlyIfChanged,
    onFailure: step.onFailure,
  }
}

const HIDDEN = '•••'
const isHidden = ({ env }: Recipe, name: string): boolean => {
  const value = Object.hasOwn(env, name) ? env[name] : undefined
  if (value === undefined) return false
  return !('literal' in value) || secretsSaid(name, value.literal).length > 0
}

/** The variables of a recipe, and what of them must not be shown. */
function resolvedEnvironment({ env }: Recipe, { resolve }: PlanParts) {
  const resolved = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, resolve(value)]))
  const secrets = Object.entries(env).flatMap(([name, value]) => secretsIn(name, value, resolved[name] ?? ''))
  return { env: resolved, secrets }
}

/** As a deployment that there is not, with this recipe. */
export const asDeployment = (planned: Planned, recipe: Recipe): Deployment => ({
  ...NOT_YET,
  ...planned,
  recipe,
  publicLogs: false,
  environmentUrl: undefined,
})

/** A deployment that is none yet. */
const NOT_YET = {
  id: 0,
  number: 0,
  origin: 'person',
  branch: undefined,
  nonce: undefined,
  wasAsked: false,
  checkedAt: undefined,
  githubId: undefined,
  isPrivate: true,
  state: 'queued',
  hold: undefined,
  blocked: undefined,
  forced: undefined,
  approvedBy: undefined,
  reason: undefined,
  detail: undefined,
  deployedSha: undefined,
  steps: [],
  createdAt: 0,
  startedAt: undefined,
  finishedAt: undefined,
  changes: undefined,
  logUrl: undefined,
  markedBad: undefined,
} as const satisfies Partial<Deployment>
