import type { SlackNotices } from '../config/config.ts'
import type { SlackEvent } from '../config/schema.ts'
import type { Deployment } from '../deployment/deployment.ts'
import type { NewReport } from '../store/store.ts'
import { githubStatus } from './github-status.ts'
import { slackMessage } from './slack-message.ts'

export interface ReportContext {
  /** The link to the log that may be shown to whoever sees the report. */
  logUrl(deployment: Deployment): string | undefined
  mask(text: string): string
  /** What Slack is told of the place that a deployment goes to; undefined: nothing. */
  slack(deployment: Deployment): SlackNotices | undefined
  readonly githubUrl: string
}

/** What has happened, in the words in which Slack is told of it; undefined: nothing that anybody should hear. */
function eventOf({ state, hold, reason }: Deployment): SlackEvent | undefined {
  switch (state) {
    case 'queued':
      if (hold === undefined) return 'queued'
      return hold.reason === 'deciding' ? undefined : 'held' // whether it waits for anything is not known yet
    case 'running':
      return 'started'
    case 'cancelling':
      return undefined
    case 'succeeded':
    case 'failed':
      return state
    case 'cancelled':
      return reason === 'by_person' ? 'cancelled' : undefined
    default:
      return state satisfies never
  }
}

function hears(deployment: Deployment, { slack }: ReportContext): boolean {
  const event = eventOf(deployment)
  return event !== undefined && slack(deployment)?.events.includes(event) === true
}

/** What is owed after a move, with the text as it will be sent. Pure; nothing secret is in it. */
export function reportsFor(
  written: Deployment,
  context: ReportContext,
  lastLines: readonly string[] = [],
): readonly NewReport[] {
  const deployment = withoutSecrets(written, context)
  const logUrl = context.logUrl(deployment)
  // What GitHub has not made yet has no statuses there.
  const status =
    deployment.githubId === undefined
      ? []
      : [{ channel: 'github', body: masked(githubStatus(deployment, logUrl), context) }]
  if (!hears(written, context)) return status
  const surroundings = { logUrl, lastLines, githubUrl: context.githubUrl }
  return [...status, { channel: 'slack', body: masked(slackMessage(deployment, surroundings), context) }]
}

/** A text may be cut within a secret, whose beginning nobody would know any more: masked before. */
function withoutSecrets(deployment: Deployment, { mask }: ReportContext): Deployment {
  const { environment, ref, actor, creator, detail, hold } = deployment
  return {
    ...deployment,
    environment: mask(environment),
    ref: mask(ref),
    actor: mask(actor),
    creator: mask(creator),
    detail: detail === undefined ? undefined : mask(detail),
    hold: hold && { ...hold, detail: mask(hold.detail) },
  }
}

/** Masks every text in it; a signed link to the log is ours and stays. */
function masked<T>(body: T, context: ReportContext): T {
  if (typeof body === 'string') return context.mask(body) as T
  if (Array.isArray(body)) return body.map((one: unknown) => masked(one, context)) as T
  if (typeof body !== 'object' || body === null) return body
  return Object.fromEntries(
    Object.entries(body).map(([key, value]) => [key, masked(value as unknown, context)]),
  ) as T
}
