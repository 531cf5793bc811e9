import type { SlackNotices } from '../config/config.ts'
import type { SlackEvent } from '../config/schema.ts'
import type { Deployment } from '../deployment/deployment.ts'
import type { HoldReason } from '../deployment/reasons.ts'
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

/** Whether it waits for anything is not known yet. */
const UNDECIDED: ReadonlySet<string> = new Set<HoldReason>(['deciding', 'commit_unchecked'])

/** What has happened, in the words in which Slack is told of it; undefined: nothing that anybody should hear. */
function eventOf({ state, hold, reason }: Deployment): SlackEvent | undefined {
  switch (state) {
    case 'queued':
      if (hold === undefined) return 'queued'
      return UNDECIDED.has(hold.reason) ? undefined : 'held'
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
export const reportsFor = (
  written: Deployment,
  context: ReportContext,
  lastLines: readonly string[] = [],
): readonly NewReport[] =>
  reportsOf(written, context, { lastLines, isForceNews: false, isHeard: hears(written, context) })

/** The same when somebody has just forced it: no place with a Slack is left out, whatever else it wants to hear. */
export function forcedReportsFor(written: Deployment, context: ReportContext): readonly NewReport[] {
  const isForceNews = written.state === 'queued' && written.forced !== undefined
  const isHeard = isForceNews ? context.slack(written) !== undefined : hears(written, context)
  return reportsOf(written, context, { lastLines: [], isForceNews, isHeard })
}

interface Telling {
  readonly lastLines: readonly string[]
  readonly isForceNews: boolean
  /** By Slack. */
  readonly isHeard: boolean
}

function reportsOf(
  written: Deployment,
  context: ReportContext,
  { lastLines, isForceNews, isHeard }: Telling,
): readonly NewReport[] {
  const deployment = withoutSecrets(written, context)
  const logUrl = context.logUrl(deployment)
  // What GitHub has not made yet has no statuses there.
  const status =
    deployment.githubId === undefined
      ? []
      : [{ channel: 'github', body: masked(githubStatus(deployment, logUrl), context) }]
  if (!isHeard) return status
  const surroundings = { logUrl, lastLines, githubUrl: context.githubUrl, isForceNews }
  return [...status, { channel: 'slack', body: masked(slackMessage(deployment, surroundings), context) }]
}

/** A text may be cut within a secret, whose beginning nobody would know any more: masked before. */
function withoutSecrets(deployment: Deployment, { mask }: ReportContext): Deployment {
  const { environment, ref, actor, creator, detail, hold, forced } = deployment
  return {
    ...deployment,
    environment: mask(environment),
    ref: mask(ref),
    actor: mask(actor),
    creator: mask(creator),
    detail: detail === undefined ? undefined : mask(detail),
    hold: hold && { ...hold, detail: mask(hold.detail) },
    forced: forced && { by: mask(forced.by), why: mask(forced.why) },
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
