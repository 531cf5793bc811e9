import type { SlackNotices } from '../config/config.ts'
import type { SlackEvent } from '../config/schema.ts'
import type { Deployment } from '../deployment/deployment.ts'
import type { HoldReason } from '../deployment/reasons.ts'
import type { FailureStreak, NewReport } from '../store/store.ts'
import { commitStatus } from './commit-status.ts'
import { githubStatus } from './github-status.ts'
import { slackMessage, type Surroundings } from './slack-message.ts'

export interface ReportContext {
  /** The link to the log that may be shown to whoever sees the report, where it was not published elsewhere. */
  logUrl(deployment: Deployment): string | undefined
  mask(text: string): string
  /** What Slack is told of the place that a deployment goes to; undefined: nothing. */
  slack(deployment: Deployment): SlackNotices | undefined
  /** Whether the commit gets a status, too. */
  hasCommitStatus(deployment: Deployment): boolean
  readonly githubUrl: string
  /** Whether its commit cannot be seen there. */
  isElsewhere?(deployment: Deployment): boolean
  /** The last lines of the step that failed, secrets masked. */
  readonly lastLines?: readonly string[]
}

/** Whether it waits for anything is not known yet: nobody has to hear that, and it costs GitHub a status. */
const UNDECIDED: ReadonlySet<HoldReason> = new Set<HoldReason>([
  'deciding',
  'commit_unchecked',
  'checks_stale',
  'author_unknown',
])
const isUndecided = ({ hold }: Deployment): boolean => hold !== undefined && UNDECIDED.has(hold.reason)

/** What has happened, in the words in which Slack is told of it; undefined: nothing that anybody should hear. */
function eventOf(deployment: Deployment): SlackEvent | undefined {
  const { state, hold, reason } = deployment
  switch (state) {
    case 'queued':
      if (hold === undefined) return 'queued'
      return isUndecided(deployment) ? undefined : 'held'
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

/** Whether Slack is told: of what was chosen, but of an environment that fails again and again only when that is over. */
function isTelling(
  deployment: Deployment,
  streak: FailureStreak | undefined,
  notices: SlackNotices,
): boolean {
  const event = eventOf(deployment)
  if (event === undefined) return false
  const { events, everyFailure } = notices
  const isChosen = events.includes(event)
  if (streak === undefined || everyFailure || !events.includes('failed')) return isChosen
  if (event === 'succeeded') return isChosen || hasRun(deployment)
  return isChosen && !(event === 'failed' ? hasRun(deployment) : MAY_END_IN_SILENCE.has(event))
}

/** Whoever hears of a beginning waits for its end. */
const MAY_END_IN_SILENCE: ReadonlySet<SlackEvent> = new Set(['queued', 'started'])

/** What never ran says nothing about its environment, however it ended. */
const hasRun = ({ startedAt }: Deployment): boolean => startedAt !== undefined

/**
 * What is owed after a move, with the text as it will be sent; `streak`: what failed there before. Pure; nothing
 * secret is in it.
 */
export function reportsFor(
  written: Deployment,
  streak: FailureStreak | undefined,
  context: ReportContext,
): readonly NewReport[] {
  const notices = context.slack(written)
  const isTold = notices !== undefined && isTelling(written, streak, notices)
  const isEnd = written.state === 'succeeded' && hasRun(written)
  const silenceFollows = written.state === 'failed' && hasRun(written) && notices?.everyFailure === false
  return reportsOf(written, context, isTold && { streak: isEnd ? streak : undefined, silenceFollows })
}

/** The same when somebody has just forced it: no place with a Slack is left out, whatever else it wants to hear. */
export function forcedReportsFor(
  written: Deployment,
  streak: FailureStreak | undefined,
  context: ReportContext,
): readonly NewReport[] {
  const isForceNews = written.state === 'queued' && written.forced !== undefined
  if (!isForceNews) return reportsFor(written, streak, context)
  return reportsOf(written, context, context.slack(written) !== undefined && { isForceNews })
}

/** Hooks that are asked again and again say nothing new; what they let begin is told when it does. */
function isAskingAgain({ state, hold, blocked }: Deployment): boolean {
  if (blocked === undefined) return false
  if (state === 'queued') return hold === undefined || (hold.reason === 'hook_blocked' && blocked.told > 1)
  return state === 'running'
}

/** `told`: what Slack is told beside what the deployment says of itself; false: nothing at all. */
function reportsOf(
  written: Deployment,
  context: ReportContext,
  told: false | Pick<Surroundings, 'isForceNews' | 'streak' | 'silenceFollows'>,
): readonly NewReport[] {
  const isForceNews = told !== false && told.isForceNews === true
  if (isAskingAgain(written) && !isForceNews) return []
  const deployment = withoutSecrets(written, context)
  const logUrl = deployment.logUrl ?? context.logUrl(deployment)
  const words = { mask: sparing(deployment.logUrl, context) }
  const status = githubStatus(deployment, logUrl)
  const isOfCommit = context.hasCommitStatus(written) && !isUndecided(deployment)
  const ofCommit = isOfCommit ? commitStatus(deployment, status) : undefined
  const reports: readonly NewReport[] = [
    // What GitHub has not made yet has no statuses there.
    ...(deployment.githubId === undefined || isUndecided(deployment)
      ? []
      : [{ channel: 'github', body: masked(status, words) }]),
    ...(ofCommit === undefined ? [] : [{ channel: 'github-commit', body: masked(ofCommit, words) }]),
  ]
  if (told === false) return reports
  const { lastLines = [] } = context
  const githubUrl = context.isElsewhere?.(written) === true ? undefined : context.githubUrl
  const decided = isUndecided(deployment) ? { ...deployment, hold: undefined } : deployment
  const message = slackMessage(decided, { logUrl, lastLines, githubUrl, ...told })
  const endsStreak = told.streak !== undefined
  return [...reports, { channel: 'slack', body: masked(message, words), endsStreak }]
}

/** A text may be cut within a secret, whose beginning nobody would know any more: masked before. */
function withoutSecrets(deployment: Deployment, { mask }: ReportContext): Deployment {
  const { environment, ref, actor, creator, approvedBy, detail, hold, forced } = deployment
  return {
    ...deployment,
    environment: mask(environment),
    ref: mask(ref),
    actor: mask(actor),
    approvedBy: approvedBy === undefined ? undefined : mask(approvedBy),
    creator: mask(creator),
    detail: detail === undefined ? undefined : mask(detail),
    hold: hold && { ...hold, detail: mask(hold.detail) },
    forced: forced && { by: mask(forced.by), why: mask(forced.why) },
  }
}

/** Masks all but the address of a published log: what is signed in it may look like a secret, and works only whole. */
const sparing =
  (logUrl: string | undefined, { mask }: ReportContext) =>
  (text: string): string =>
    logUrl === undefined ? mask(text) : text.split(logUrl).map(mask).join(logUrl)

/** Masks every text in it; a signed link to the log is ours and stays. */
function masked<T>(body: T, words: Pick<ReportContext, 'mask'>): T {
  if (typeof body === 'string') return words.mask(body) as T
  if (Array.isArray(body)) return body.map((one: unknown) => masked(one, words)) as T
  if (typeof body !== 'object' || body === null) return body
  return Object.fromEntries(
    Object.entries(body).map(([key, value]) => [key, masked(value as unknown, words)]),
  ) as T
}
