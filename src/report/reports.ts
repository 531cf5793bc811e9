import type { Deployment } from '../deployment/deployment.ts'
import type { CancelledReason } from '../deployment/reasons.ts'
import type { State } from '../deployment/state.ts'
import type { NewReport } from '../store/store.ts'
import { githubStatus } from './github-status.ts'
import { slackMessage } from './slack-message.ts'

export interface ReportContext {
  /** The link to the log that may be shown to whoever sees the report. */
  logUrl(deployment: Deployment): string | undefined
  mask(text: string): string
  readonly slack: boolean
  readonly githubUrl: string
}

/** Which states Slack hears of: the start and every end that somebody should see or has brought about. */
const SLACK_HEARS = {
  queued: false,
  running: true,
  cancelling: false,
  succeeded: true,
  failed: true,
  cancelled: 'by_person',
} as const satisfies Record<State, boolean | CancelledReason>

function hears({ state, reason }: Deployment): boolean {
  const hears = SLACK_HEARS[state]
  return typeof hears === 'boolean' ? hears : hears === reason
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
  if (!context.slack || !hears(deployment)) return status
  const surroundings = { logUrl, lastLines, githubUrl: context.githubUrl }
  return [...status, { channel: 'slack', body: masked(slackMessage(deployment, surroundings), context) }]
}

/** A text may be cut within a secret, whose beginning nobody would know any more: masked before. */
function withoutSecrets(deployment: Deployment, { mask }: ReportContext): Deployment {
  const { environment, ref, actor, creator, detail } = deployment
  return {
    ...deployment,
    environment: mask(environment),
    ref: mask(ref),
    actor: mask(actor),
    creator: mask(creator),
    detail: detail === undefined ? undefined : mask(detail),
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
