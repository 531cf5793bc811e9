import type { Config } from './config/config.ts'
import { decide } from './decide/decide.ts'
import { nameOf, type Deployment } from './deployment/deployment.ts'
import type { Signal } from './deployment/signal.ts'
import { FerrymanError, problem } from './errors.ts'
import type { Journal } from './logs/journal.ts'
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
  /** The address of a deployment's log for whoever may see the webhook's deliveries. */
  logUrl(deploymentId: number): string
  /** Something new is waiting in a lane, or owed to the outside world. */
  wake(): void
  readonly journal: Journal
}

/**
 * From a verified delivery to its answer: read what it says, decide, record the delivery with what it leads
 * to, and only then answer. Running and reporting begin from what was recorded, here or after a restart.
 */
export async function takeDelivery(
  delivery: NewDelivery,
  body: unknown,
  parts: Parts,
): Promise<WebhookAnswer> {
  const intake = intakeOf(delivery, body, parts)
  const accepted = await parts.record(intake).catch((cause: unknown) => {
    parts.journal.error('delivery:not-recorded', { delivery: delivery.guid, error: cause })
    throw cause instanceof FerrymanError ? cause : problem('cannot_record', {}, cause)
  })
  const { verdict, reason, detail, deployments } = accepted
  parts.journal.info(`delivery:${verdict}`, {
    delivery: delivery.guid,
    github_event: delivery.event,
    reason,
    deployments: deployments.map(nameOf).join(', ') || undefined,
  })
  for (const { repositoryGithubId, configuredAs } of intake.deployments)
    parts.knownAs.set(repositoryGithubId, configuredAs)
  if (verdict === 'queued') parts.wake()
  return {
    verdict,
    delivery: delivery.guid,
    ...(reason === undefined ? {} : { reason }),
    ...(detail === undefined ? {} : { detail }),
    ...(verdict === 'ignored' ? {} : { deployments: deployments.map((one) => mention(one, parts)) }),
  }
}

const mention = (deployment: Deployment, { logUrl }: Parts) => ({
  id: deployment.id,
  name: nameOf(deployment),
  url: logUrl(deployment.id),
})

/** What will be recorded: pure but for the configuration of this moment. */
function intakeOf(delivery: NewDelivery, body: unknown, { config, knownAs, reports }: Parts): Intake {
  const reading = readSignal(delivery.event, body)
  if ('ignored' in reading) return ignored(delivery, reading.ignored, reading.detail)
  const decision = decide(reading.signal, { repositories: config().repositories, knownAs })
  if (decision.verdict === 'skip') return ignored(delivery, decision.reason, decision.detail)
  const { environment } = decision
  const failure =
    decision.verdict === 'refuse' ? { reason: decision.reason, detail: decision.detail } : undefined
  const deployment: NewDeployment = {
    ...factsOf(reading.signal),
    configuredAs: environment.repository.toLowerCase(),
    environment: environment.name,
    lane: environment.lane,
    recipe: environment.recipe,
    publicLogs: environment.publicLogs,
    environmentUrl: environment.environmentUrl,
    failure,
    reports,
  }
  return {
    delivery,
    verdict: 'queued',
    reason: failure?.reason,
    detail: failure?.detail,
    deployments: [deployment],
  }
}

const ignored = (delivery: NewDelivery, reason: string, detail: string): Intake => ({
  delivery,
  verdict: 'ignored',
  reason,
  detail,
  deployments: [],
})

const factsOf = (signal: Signal) => ({
  repository: signal.repository.name,
  repositoryGithubId: signal.repository.githubId,
  isPrivate: signal.repository.isPrivate,
  githubId: signal.githubId,
  sha: signal.sha,
  ref: signal.ref,
  task: signal.task,
  actor: signal.actor,
  creator: signal.creator,
  creatorAvatar: signal.creatorAvatar,
  description: signal.description,
  payload: signal.payload,
  apiUrl: signal.apiUrl,
})
