import { recipeFor, type Config, type EnvironmentConfig } from './config/config.ts'
import { readErrand, type ErrandReading } from './decide/errands.ts'
import { decide, repositoryOf, type Decision } from './decide/decide.ts'
import { requiredOf } from './decide/gate.ts'
import { mayBeForeign } from './decide/ownership.ts'
import { nameOf, type Deployment, type Hold } from './deployment/deployment.ts'
import { errandOf } from './deployment/errand.ts'
import { HELD, IGNORED, type HoldReason } from './deployment/reasons.ts'
import type { BranchSignal, ChecksSignal, DeploymentSignal, Signal } from './deployment/signal.ts'
import { FerrymanError, problem } from './errors.ts'
import type { Journal } from './logs/journal.ts'
import { contentOf, mediaType } from './receive/content.ts'
import { isFetched } from './receive/fetched.ts'
import { readSignal } from './receive/signals.ts'
import type { WebhookAnswer } from './receive/webhook.ts'
import type { Accepted, Intake, NewDelivery, NewDeployment, ReportsFor } from './store/store.ts'

/** What the journey needs from the parts; app.ts supplies them. */
export interface Parts {
  config(): Config
  /** By GitHub's numeric id, the name under which a repository was configured; kept up to date here. */
  readonly knownAs: Map<number, string>
  /** Writes durably, together with whatever else arrives now. */
  record(intake: Intake): Promise<Accepted>
  readonly reports: ReportsFor
  /** What is said of a delivery quotes it, and is kept and shown. */
  mask(text: string): string
  /** The checks of a commit have moved: what is held for them is looked at again. Answers what that is. */
  checksMoved(signal: ChecksSignal, configuredAs: string): readonly Deployment[]
  /** A lock was taken or freed at this place. */
  lockMoved(place: string): void
  /** Random, for what must not be guessed. */
  newNonce(): string
  /** The address of a deployment's log for whoever may see the webhook's deliveries. */
  logUrl(deploymentId: number): string
  /** Something new is waiting in a lane, or owed to the outside world. */
  wake(): void
  readonly journal: Journal
}

/** How a delivery got here, where it was not by its webhook. */
interface How {
  readonly replay?: Intake['replay']
  /** It was fetched from GitHub, which may know why it should no longer run. */
  readonly missed?: { readonly overtaken: string | undefined } | undefined
}

/**
 * From a verified delivery to its answer: read what it says, decide, record the delivery with what it leads
 * to, and only then answer. Running and reporting begin from what was recorded, here or after a restart.
 */
export async function takeDelivery(
  delivery: NewDelivery,
  body: unknown,
  parts: Parts,
  how: How = {},
): Promise<WebhookAnswer> {
  const { intake, wakes = [] } = await readOrKeep(delivery, body, { ...parts, missed: how.missed })
  const repository = repositoryIn(body, parts)
  const accepted = await record({ ...intake, repository, replay: how.replay }, parts)
  const { verdict, reason, detail } = accepted
  const deployments = [...accepted.deployments, ...wakes]
  parts.journal.info(`delivery:${verdict}`, {
    delivery: delivery.guid,
    github_event: delivery.event,
    reason,
    deployments: deployments.map(nameOf).join(', ') || undefined,
  })
  for (const { repositoryGithubId, configuredAs } of intake.deployments)
    if (repositoryGithubId !== 0) parts.knownAs.set(repositoryGithubId, configuredAs)
  if (accepted.deployments.length > 0) parts.wake()
  for (const { task, configuredAs, environment } of accepted.deployments)
    if (errandOf(task) !== undefined) parts.lockMoved(`${configuredAs}/${environment.toLowerCase()}`)
  return {
    verdict,
    delivery: delivery.guid,
    ...(reason === undefined ? {} : { reason }),
    ...(detail === undefined ? {} : { detail }),
    ...(verdict === 'ignored' ? {} : { deployments: deployments.map((one) => mention(one, parts)) }),
  }
}

/** The repository that a delivery is about, as it is configured; undefined where it is not. */
function repositoryIn(body: unknown, { config, knownAs }: Parts): string | undefined {
  const { full_name: name, id } = Object(Reflect.get(Object(body), 'repository')) as Record<string, unknown>
  if (typeof name !== 'string') return undefined
  const repository = { name, githubId: typeof id === 'number' ? id : 0 }
  return repositoryOf({ repository }, { repositories: config().repositories, knownAs })?.name.toLowerCase()
}

/** What a delivery that was recorded would lead to with today's configuration; nothing is recorded, and nobody woken. */
export function readDelivery(delivery: NewDelivery, parts: Parts): Intake {
  const content = contentOf(delivery.body.toString('utf8'), mediaType(delivery.headers['content-type']))
  return intakeOf(delivery, content, { ...parts, missed: undefined, checksMoved: () => [] }).intake
}

/** Decides anew about a delivery that was recorded, with today's configuration. What is known is started by no replay. */
export const replayDelivery = (
  { receivedAt, body, ...kept }: NewDelivery,
  by: string,
  parts: Parts,
): Promise<WebhookAnswer> => {
  const content = contentOf(body.toString('utf8'), mediaType(kept.headers['content-type']))
  return takeDelivery({ ...kept, receivedAt, body }, content, parts, { replay: { by } })
}

/** What it says, or its refusal; a delivery that was signed is kept all the same, so that it can be looked at. */
async function readOrKeep(delivery: NewDelivery, body: unknown, parts: IntakeParts): Promise<Read> {
  try {
    return intakeOf(delivery, body, parts)
  } catch (cause) {
    if (cause instanceof FerrymanError) await record(refusedIntake(delivery, cause), parts)
    throw cause
  }
}

const refusedIntake = (delivery: NewDelivery, { code, message }: FerrymanError): Intake => ({
  delivery,
  verdict: 'refused',
  reason: code,
  detail: message,
  deployments: [],
})

async function record(intake: Intake, { record: write, journal, mask }: Parts): Promise<Accepted> {
  const { detail } = intake
  const deployments = intake.deployments.map(({ failure, ...one }) => ({
    ...one,
    failure: failure && { ...failure, detail: mask(failure.detail) },
  }))
  try {
    return await write({ ...intake, detail: detail && mask(detail), deployments })
  } catch (cause) {
    journal.error('delivery:not-recorded', { delivery: intake.delivery.guid, error: cause })
    throw cause instanceof FerrymanError ? cause : problem('cannot_record', {}, cause)
  }
}

const mention = (deployment: Deployment, { logUrl }: Parts) => ({
  id: deployment.id,
  name: nameOf(deployment),
  url: logUrl(deployment.id),
})

/** What will be recorded, and which held deployments it wakes. */
interface Read {
  readonly intake: Intake
  readonly wakes?: readonly Deployment[]
}

interface IntakeParts extends Parts {
  readonly missed: How['missed']
}

function intakeOf(delivery: NewDelivery, body: unknown, parts: IntakeParts): Read {
  const reading = readSignal(delivery.event, body, { isFetched: isFetched(delivery) })
  if ('ignored' in reading) return ignored(delivery, reading.ignored, reading.detail)
  return reading.signal.kind === 'checks'
    ? checksIntake(delivery, reading.signal, parts)
    : deploymentIntake(delivery, reading.signal, parts)
}

function checksIntake(delivery: NewDelivery, signal: ChecksSignal, parts: Parts): Read {
  const repository = repositoryOf(signal, {
    repositories: parts.config().repositories,
    knownAs: parts.knownAs,
  })
  if (repository === undefined)
    return ignored(
      delivery,
      'repository_not_configured',
      `${IGNORED.repository_not_configured} (${signal.repository.name})`,
    )
  const wakes = parts.checksMoved(signal, repository.name.toLowerCase())
  if (wakes.length === 0) return ignored(delivery, 'nothing_waits', IGNORED.nothing_waits)
  const intake: Intake = {
    delivery,
    verdict: 'deciding',
    reason: undefined,
    detail: undefined,
    deployments: [],
    concerns: wakes.map(({ id }) => id),
  }
  return { intake, wakes }
}

/** GitHub delivers within minutes, or not at all: what is older was missed, and sent or fetched again. */
const LATE_MS = 10 * 60_000

function deploymentIntake(delivery: NewDelivery, signal: Signal, parts: IntakeParts): Read {
  const decision = decide(signal, { repositories: parts.config().repositories, knownAs: parts.knownAs })
  if (decision.verdict === 'skip') return ignored(delivery, decision.reason, decision.detail)
  const errand =
    decision.verdict === 'errand' && signal.kind === 'deployment'
      ? readErrand(decision.errand, signal, { receivedAt: delivery.receivedAt, mask: parts.mask })
      : undefined
  const failure = failureOf(decision, errand)
  const deployments = decision.environments.map((environment): NewDeployment => ({
    ...(signal.kind === 'deployment'
      ? factsOf(signal, delivery.receivedAt, environment)
      : ownFacts(signal, delivery.receivedAt, parts.newNonce())),
    ...factsOfPlace(environment, signal.kind === 'deployment' ? signal.task : 'deploy'),
    repository: signal.repository.name,
    repositoryGithubId: signal.repository.githubId,
    isPrivate: signal.repository.isPrivate,
    failure,
    supersedes: signal.kind === 'deployment' && !mayBeForeign(signal.ref) && environment.order === 'latest',
    errand: errand !== undefined && 'errand' in errand ? errand.errand : undefined,
    late: parts.missed ?? (isLate(signal, delivery) ? { overtaken: undefined } : undefined),
    reports: parts.reports,
  }))
  const isDeciding = failure === undefined && deployments.some(({ hold }) => hold !== undefined)
  const verdict = isDeciding ? 'deciding' : 'queued'
  return {
    intake: { delivery, verdict, reason: failure?.reason, detail: failure?.detail, deployments },
  }
}

function failureOf(decision: Decision, errand: ErrandReading | undefined) {
  if (decision.verdict === 'refuse') return { reason: decision.reason, detail: decision.detail }
  return errand !== undefined && 'wrong' in errand
    ? { reason: 'payload_wrong' as const, detail: errand.wrong }
    : undefined
}

/** What a deployment takes over from where it goes, as that is configured now; one that is refused runs nothing. */
export const factsOfPlace = (environment: EnvironmentConfig, task = 'deploy') => ({
  configuredAs: environment.repository.toLowerCase(),
  environment: environment.name,
  lane: environment.lane,
  recipe: recipeFor(environment, task) ?? environment.recipe,
  publicLogs: environment.publicLogs,
  environmentUrl: environment.environmentUrl,
})

const isLate = (signal: Signal, { receivedAt }: NewDelivery): boolean =>
  signal.kind === 'deployment' && receivedAt - (signal.createdAt ?? receivedAt) > LATE_MS

const ignored = (delivery: NewDelivery, reason: string, detail: string): Read => ({
  intake: { delivery, verdict: 'ignored', reason, detail, deployments: [] },
})

const factsOf = (signal: DeploymentSignal, at: number, environment: EnvironmentConfig) => ({
  origin: signal.kind,
  branch: undefined,
  nonce: signal.nonce,
  githubId: signal.githubId,
  hold: askedFirst(signal, at, environment),
  forced: undefined,
  sha: signal.sha,
  ref: signal.ref,
  task: signal.task,
  actor: signal.actor,
  authors: [],
  creator: signal.creator,
  creatorAvatar: signal.creatorAvatar,
  description: signal.description,
  payload: signal.payload,
  apiUrl: signal.apiUrl,
})

/** What GitHub has to be asked about first waits for that; all else is looked at when its turn comes. */
function askedFirst({ kind, ref, task }: DeploymentSignal, at: number, environment: EnvironmentConfig) {
  if (errandOf(task) !== undefined) return undefined
  if (mayBeForeign(ref)) return comeJust('commit_unchecked', at)
  const required = requiredOf({ origin: kind, forced: undefined }, environment)
  return required.length > 0 ? comeJust('deciding', at) : undefined
}

/** The hold of what has come at this moment. */
export const comeJust = (reason: HoldReason, at: number): Hold => ({
  reason,
  detail: HELD[reason],
  since: at,
  until: undefined,
})

/** A merge or push gets its row and number at once, and a deployment on GitHub when it is let through. */
const ownFacts = (signal: BranchSignal, at: number, nonce: string) => ({
  origin: signal.kind,
  branch: signal.branch,
  nonce,
  githubId: undefined,
  hold: comeJust('deciding', at),
  forced: undefined,
  sha: signal.sha,
  ref: signal.branch,
  task: 'deploy',
  actor: signal.actor,
  authors: signal.authors,
  creator: signal.actor,
  creatorAvatar: signal.actorAvatar,
  description: signal.title,
  payload: JSON.stringify({
    deploy_user: signal.actor,
    ...(signal.pullRequest === undefined ? {} : { pull_request: signal.pullRequest }),
    ferryman: nonce,
  }),
  apiUrl: '',
})
