import type { Journal } from '../logs/journal.ts'
import type { Turn } from '../pace.ts'
import type { Outbox, OwedReport } from '../store/store.ts'
import type { Channel } from './outbox.ts'
import { EVERYTHING, type Rests } from './rests.ts'
import { ruleFor, type Rest, type Scope, type SendFailure } from './rules.ts'

export interface AttemptParts {
  readonly outbox: Pick<Outbox, 'attempt' | 'settle' | 'postpone'>
  readonly clock: () => number
  readonly random: () => number
  readonly journal: Journal
  /** The server ends, and has ended what was being sent. */
  isAborted(): boolean
}

interface Means {
  readonly channel: Channel
  readonly rests: Rests
  readonly turn: Turn
  /** Somebody may have mended, since it began, what makes it fail. */
  mayBeMended(): boolean
}

/**
 * Sends one report, from counting the attempt to writing down what became of it. Answers the rest that it led
 * to. What was ended in the middle is left as it is: the next start sees that it was attempted.
 */
export async function attempt(
  report: OwedReport,
  { channel, rests, turn, mayBeMended }: Means,
  { outbox, clock, random, journal, isAborted }: AttemptParts,
): Promise<Rest | undefined> {
  const { id, deployment } = report
  const about = {
    report: id,
    channel: report.channel,
    deployment: deployment.id,
    attempt: report.attempts + 1,
  }
  await outbox.attempt(id)
  const failure = await channel.send(report, report.attempts > 0).then(
    () => undefined,
    (thrown: unknown) => channel.failureOf(thrown),
  )
  const now = clock()
  if (failure === undefined) {
    turn.end(now)
    rests.worked(deployment.repository, now)
    await outbox.settle(id, 'delivered', now)
    journal.info('report:delivered', about)
    return undefined
  }
  if (isUndone(failure)) turn.takeBack()
  else turn.end(now)
  if (isAborted()) return undefined
  const whose = (scope: Scope): string => (scope === 'recipient' ? EVERYTHING : deployment.repository)
  const maybeMended = mayBeMended()
  const rule = ruleFor(failure, {
    now,
    barredSince: maybeMended ? undefined : report.barredSince, // the week begins anew
    attempts: report.attempts + 1,
    failures: {
      recipient: rests.failures(whose('recipient')) + 1,
      repository: rests.failures(whose('repository')) + 1,
    },
    random: random(),
  })
  const { message } = failure
  const { rest } = rule
  // Whoever asked for a new try while this one was under way meant this one, too; a limit stays what it is.
  const isMended = maybeMended && rest?.isLimit !== true
  if (rest !== undefined && !isMended) rests.failed(whose(rest.of), { ...rest, why: message })
  if (rule.settled) await outbox.settle(id, 'refused', now, message)
  else await outbox.postpone(id, isMended ? now : rule.dueAt, message, rule.barredSince)
  journal.warn(rule.settled ? 'report:refused' : 'report:postponed', { ...about, error: message })
  return rest
}

/** An answer that says no is none that has made something. */
const isUndone = ({ status }: SendFailure): boolean => status !== undefined && status < 500
