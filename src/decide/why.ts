import type { EnvironmentConfig } from '../config/config.ts'
import { nameOf, type Deployment } from '../deployment/deployment.ts'
import type { GateFacts } from '../deployment/gates.ts'
import { CANCELLED, type CancelledReason } from '../deployment/reasons.ts'
import type { Situation } from '../store/store.ts'
import { judgeEach, judgePlace } from './gates.ts'

/** What an answer is made from. */
export interface WhyFacts {
  readonly environment: EnvironmentConfig
  readonly situation: Situation
  /** Of the newest that waits, or of the environment where nothing does. */
  readonly gates: GateFacts
  readonly subject: Deployment | undefined
  readonly maxConcurrent: number
  /** Why its source did not say what it holds; undefined: it did, or nobody has asked. */
  readonly unavailable?: string | undefined
  /** Why nothing is begun anywhere; undefined: something may be. */
  readonly stopped: string | undefined
}

/** Why an environment stands as it does. */
export interface Why {
  /** In one line. */
  readonly answer: string
  /** What is behind it, each in a line. */
  readonly facts: readonly Fact[]
}

interface Fact {
  readonly about: string
  readonly says: string
}

/** Why is it not deploying? Pure; the first answer that holds is given. */
export function why(facts: WhyFacts): Why {
  return { answer: answerOf(facts), facts: factsOf(facts) }
}

/** Events that call for a deployment, or would where the configuration wanted it. */
const mayDeploy: ReadonlySet<string> = new Set(['deployment', 'pull_request', 'push'])

function answerOf({ situation, maxConcurrent, stopped, gates, environment, unavailable }: WhyFacts): string {
  const { waiting, waitingCount, active, blocking, last, live, deliveries } = situation
  const isHere = (one: Deployment): boolean =>
    one.configuredAs === environment.repository.toLowerCase() &&
    one.environment.toLowerCase() === environment.name.toLowerCase()
  const running = active.find(isHere)
  if (running !== undefined) {
    const behind = waitingCount === 0 ? '' : `; ${counted(waitingCount)} behind it`
    const doing = running.state === 'cancelling' ? 'being cancelled' : 'running'
    return `${called(running)} is ${doing}, for ${since(running.startedAt, gates.now)}${behind}.`
  }
  const ready = waiting.find(({ hold }) => hold === undefined)
  if (ready !== undefined) {
    if (stopped !== undefined) return `${called(ready)} waits: ${stopped}.`
    if (blocking !== undefined)
      return `${called(ready)} waits for ${nameOf(blocking)}, which runs in the same lane.`
    return active.length >= maxConcurrent
      ? `${called(ready)} waits for its turn: max_concurrent is ${maxConcurrent}, and ${active.map(nameOf).join(', ')} ${active.length === 1 ? 'runs' : 'run'}.`
      : `${called(ready)} is about to begin.`
  }
  const newest = waiting.at(-1)
  if (newest?.hold !== undefined) {
    const others = waitingCount === 1 ? '' : `; ${counted(waitingCount - 1)} besides`
    return `${called(newest)} waits, for ${since(newest.hold.since, gates.now)}: ${sentence(newest.hold.detail)}${others}.`
  }
  const unheard = deliveries.find(({ event, reason }) => mayDeploy.has(event) && reason !== 'action_not_used')
  const ignored =
    unheard?.verdict === 'ignored' && unheard.receivedAt > (last?.createdAt ?? 0)
      ? ` The last delivery (${unheard.event}, ${since(unheard.receivedAt, gates.now)} ago) was ignored: ${sentence(unheard.detail ?? unheard.reason ?? unheard.verdict)}.`
      : ''
  const unheardOf = unavailable === undefined ? '' : ` Its source does not tell: ${sentence(unavailable)}.`
  return `Nothing waits. ${endOf(last, live)}${ignored}${unheardOf}`
}

/** How the newest has ended, as the reason that nothing more happens. */
function endOf(last: Deployment | undefined, live: Deployment | undefined): string {
  if (last === undefined) return 'Nothing has ever been asked for here.'
  switch (last.state) {
    case 'succeeded': {
      // An older one may have waited for longer, and begun after it.
      const there =
        live === undefined || live.id === last.id ? '' : ` ${called(live)} has been deployed since.`
      return `${called(last)} has been deployed, and nothing newer has been heard of.${there}`
    }
    case 'cancelled': {
      const said = last.detail ?? CANCELLED[last.reason as CancelledReason]
      const there = live === undefined ? '' : ` ${called(live)} is what is there.`
      return `${called(last)} was taken back: ${sentence(said)}.${there}`
    }
    default: {
      const again =
        last.origin === 'poll' && last.reason === 'source_unavailable'
          ? 'What could not be fetched is tried three times.'
          : 'A commit that failed is not tried again by itself.'
      return `${called(last)} failed: ${sentence(last.detail ?? last.reason ?? last.state)}. ${again}`
    }
  }
}

function factsOf({
  environment,
  situation,
  gates,
  subject,
  maxConcurrent,
  stopped,
  unavailable,
}: WhyFacts): readonly Fact[] {
  const { waiting, waitingCount, active, live, turns, deliveries } = situation
  const fact = (about: string, says: string): Fact => ({ about, says })
  return [
    fact('deploys', whatDeploys(environment)),
    ...(unavailable === undefined ? [] : [fact('source', unavailable)]),
    ...(environment.via === 'none' ? [] : [fact('checks', checksOf(environment))]),
    ...gatesOf(subject, environment, gates),
    ...(stopped === undefined ? [] : [fact('stopped', stopped)]),
    fact(
      'live',
      live === undefined
        ? 'nothing that Ferryman knows of'
        : `${called(live)}, since ${moment(live.finishedAt)}`,
    ),
    fact(
      'running',
      active.length === 0
        ? `nothing; at most ${maxConcurrent} at once`
        : `${active.map(nameOf).join(', ')}; at most ${maxConcurrent} at once`,
    ),
    ...waiting.map((one) =>
      fact(
        'waiting',
        `${called(one)}, asked for by ${one.actor}: ${one.hold?.detail ?? 'ready for its turn'}`,
      ),
    ),
    ...(waitingCount > waiting.length
      ? [fact('waiting', `${waitingCount - waiting.length} more, between these`)]
      : []),
    ...turns.map(({ at, state, reason, detail }) =>
      fact(
        'happened',
        `${moment(at)} ${[state, reason, detail].filter((word) => word !== undefined).join(', ')}`,
      ),
    ),
    ...deliveries.map(({ event, action, receivedAt, verdict, reason, detail }) =>
      fact(
        'delivery',
        `${moment(receivedAt)} ${[event, action].filter((word) => word !== undefined).join('.')}: ${[verdict, reason, detail].filter((word) => word !== undefined).join(', ')}`,
      ),
    ),
  ]
}

function whatDeploys({ deployOn, via, poll, branch }: EnvironmentConfig): string {
  if (poll !== undefined) {
    const often = 'cron' in poll ? `at ${poll.cron} (UTC)` : `every ${poll.everySeconds} s`
    return `whatever is new in its source, asked ${often}, and what is asked for`
  }
  if (via === 'none') return 'what is asked for, and nothing by itself: poll is off'
  return deployOn === 'none'
    ? 'what is asked for, and nothing by itself'
    : `every ${deployOn} ${deployOn === 'push' ? 'to' : 'into'} ${branch ?? 'the default branch'}, and what is asked for`
}

function checksOf({ requiredContexts, evenWhenForced }: EnvironmentConfig): string {
  const required =
    requiredContexts === 'all' ? 'all that GitHub reports' : (requiredContexts ?? []).join(', ')
  const always = evenWhenForced.length === 0 ? '' : `; nobody can skip ${evenWhenForced.join(', ')}`
  return `${required === '' ? 'none are required' : `${required} must pass`}${always}`
}

const gatesOf = (
  subject: Deployment | undefined,
  environment: EnvironmentConfig,
  facts: GateFacts,
): readonly Fact[] =>
  (subject === undefined ? judgePlace(environment, facts) : judgeEach(subject, environment, facts)).map(
    ({ gate, closed, isForced }) => ({
      about: 'gate',
      says: `${gate}: ${closed === undefined ? 'open' : closed.detail}${isForced ? ' (forced)' : ''}`,
    }),
  )

const called = (one: Deployment): string => `#${one.number} (${(one.deployedSha ?? one.sha).slice(0, 7)})`
const counted = (count: number): string => (count === 1 ? '1 more waits' : `${count} more wait`)
/** Without a full stop at its end: another one follows. */
const sentence = (text: string): string => text.replace(/\.$/, '')

function since(at: number | undefined, now: number): string {
  const seconds = Math.max(0, Math.round((now - (at ?? now)) / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} days`
}

const moment = (at: number | undefined): string =>
  at === undefined ? '' : `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`
