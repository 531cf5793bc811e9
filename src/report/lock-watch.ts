import { EVERYWHERE, placeName, placesOf, type Lock } from '../deployment/gates.ts'
import type { Deployment } from '../deployment/deployment.ts'
import { messageOf } from '../errors.ts'
import type { Journal } from '../logs/journal.ts'
import type { Locks, StandingLock, Store } from '../store/store.ts'
import { createWaker } from '../waker.ts'
import { escape } from './mrkdwn.ts'
import { slackMessageOf, type SlackMessage } from './slack-message.ts'
import { countOf, duration } from './text.ts'

export interface LockWatchParts {
  readonly locks: Pick<Locks, 'all' | 'reminded'>
  readonly store: Pick<Store, 'waiting'>
  /** How long a lock may be there before it is spoken of, and again after that; undefined: as long as it likes. */
  readonly everyMs: () => number | undefined
  /** Posts to Slack; undefined where Slack is not configured: then the log says it alone. */
  readonly post: () => ((message: SlackMessage) => Promise<void>) | undefined
  mask(text: string): string
  readonly clock: () => number
  readonly journal: Journal
}

export interface LockWatch {
  /** Look now: how often to remind may have changed. */
  wake(): void
  /** Looks no more; resolves when the look that is under way is over. */
  stop(): Promise<void>
}

const DAY_MS = 24 * 60 * 60_000
const LOOK_AGAIN_MS = 60_000

/**
 * Reminds Slack of locks that have been there for long: somebody may have forgotten one, and what waits for it goes
 * nowhere. Each time once, also over restarts; what Slack did not take is said at the next look.
 */
export function startLockWatch(parts: LockWatchParts): LockWatch {
  const { locks, store, everyMs, clock, journal } = parts
  /** Why it failed last: said once, and not every minute. */
  let failure: string | undefined
  const waker = createWaker(async () => {
    try {
      const every = everyMs()
      if (every === undefined) return
      const now = clock()
      const due = (await locks.all(now)).filter((lock) => isDue(lock, now, every))
      const waiting = due.length === 0 ? [] : await store.waiting()
      for (const lock of due) await remind(lock, waiting, now, parts)
      failure = undefined
    } catch (thrown) {
      const error = messageOf(thrown)
      if (error !== failure) journal.warn('lock:not-reminded', { error })
      failure = error
    }
  })
  const timer = setInterval(waker.wake, LOOK_AGAIN_MS)
  waker.wake()
  return {
    wake: waker.wake,
    async stop() {
      clearInterval(timer)
      waker.stop()
      await waker.looking
    },
  }
}

/** A reminder that a clock dates later than now was given while that clock was wrong. */
const isDue = ({ since, remindedAt }: StandingLock, now: number, every: number): boolean =>
  now - since >= every && (remindedAt === undefined || Math.abs(now - remindedAt) >= every)

async function remind(
  lock: Lock,
  waiting: readonly Deployment[],
  now: number,
  { locks, post, mask, journal }: LockWatchParts,
): Promise<void> {
  const held = waiting.filter((one) => one.hold?.reason === 'locked' && placesOf(one).includes(lock.place))
  const text = escape(mask(lockReminder(lock, now, held.length)), MOST_TEXT)
  await post()?.(slackMessageOf(`:lock: ${text}`, text))
  await locks.reminded(lock.id, now)
  journal.warn('lock:old', { lock: lock.id, place: lock.place, by: lock.by, waiting: held.length })
}

const MOST_TEXT = 1_500

/** What is locked, for how long, by whom and why, what waits for it, and how it is freed. Pure. */
export function lockReminder({ id, place, by, reason, since }: Lock, now: number, waiting: number): string {
  const why = reason.replaceAll('`', "'").replace(/\.$/, '')
  const waits =
    waiting === 0
      ? 'Nothing waits for it.'
      : `${countOf(waiting, 'deployment')} ${waiting === 1 ? 'waits' : 'wait'}.`
  return `${placeName(place)} has been locked for ${lasting(now - since)} by ${by}: ${why}. ${waits} \`ferryman unlock ${wordsFor(place, id)}\` frees it.`
}

/** The words that name its place on the command line; its number, where a name would need quotes there. */
function wordsFor(place: string, id: number): string {
  if (place === EVERYWHERE) return '--everything'
  const [owner = '', name = '', ...environment] = place.split('/')
  const words = [`${owner}/${name}`, environment.join('/')].join(' ').trimEnd()
  return /^[\w./-]+( [\w.][\w./-]*)?$/.test(words) ? words : `--lock ${id}`
}

/** `1 day`, `2 days 12 h`, `1 h 30 min` */
function lasting(ms: number): string {
  const days = Math.floor(ms / DAY_MS)
  if (days === 0) return duration(ms)
  const hours = Math.floor((ms % DAY_MS) / (DAY_MS / 24))
  return `${countOf(days, 'day')}${hours === 0 ? '' : ` ${hours} h`}`
}
