import { EVERYWHERE, placeName, placesOf, type Lock } from '../deployment/gates.ts'
import type { Deployment } from '../deployment/deployment.ts'
import type { Journal } from '../logs/journal.ts'
import type { Locks, StandingLock, Store } from '../store/store.ts'
import { escape } from './mrkdwn.ts'
import { slackMessageOf, type SlackMessage } from './slack-message.ts'
import { countOf, duration } from './text.ts'
import { startWatch, type Watch } from './watch.ts'

export interface LockWatchParts {
  readonly locks: Pick<Locks, 'all' | 'reminded'>
  readonly store: Pick<Store, 'waiting'>
  /** How long a lock may be there before it is spoken of, and again after that; undefined: as long as it likes. */
  readonly everyMs: () => number | undefined
  /** Where Slack is told of what is locked at a place; where nobody is, the log says it alone. */
  addresses(place: string): readonly string[]
  post(address: string, message: SlackMessage): Promise<void>
  mask(text: string): string
  readonly clock: () => number
  readonly journal: Journal
}

const DAY_MS = 24 * 60 * 60_000
const LOOK_AGAIN_MS = 60_000

/**
 * Reminds Slack of locks that have been there for long: somebody may have forgotten one, and what waits for it goes
 * nowhere. Each time once at every address, also over restarts; what one of them did not take is said there at the next look.
 */
export function startLockWatch(parts: LockWatchParts): Watch {
  const { locks, store, everyMs, clock, journal } = parts
  /** Why it failed last: said once, and not every minute. */
  let failure: string | undefined
  /** Which addresses have taken a reminder that others have not. */
  const begun = new Map<number, Begun>()
  const look = async (): Promise<void> => {
    const every = everyMs()
    if (every === undefined) return
    const now = clock()
    const due = (await locks.all(now)).filter((lock) => isDue(lock, now, every))
    const waiting = due.length === 0 ? [] : await store.waiting()
    const failures: unknown[] = []
    for (const lock of due) {
      const before = begun.get(lock.id)
      const isOver = before === undefined || now - before.at >= every
      const round = isOver ? { at: now, told: new Set<string>() } : before
      begun.set(lock.id, round)
      const failed = await remind(lock, { waiting, now, told: round.told }, parts)
      if (failed.length === 0) begun.delete(lock.id)
      failures.push(...failed)
    }
    if (failures.length > 0) throw failures[0]
    failure = undefined
  }
  return startWatch(LOOK_AGAIN_MS, look, (error) => {
    if (error !== failure) journal.warn('lock:not-reminded', { error })
    failure = error
  })
}

/** A reminder that a clock dates later than now was given while that clock was wrong. */
const isDue = ({ since, remindedAt }: StandingLock, now: number, every: number): boolean =>
  now - since >= every && (remindedAt === undefined || Math.abs(now - remindedAt) >= every)

interface Begun {
  readonly at: number
  readonly told: Set<string>
}

interface Reminding extends Pick<Begun, 'told'> {
  readonly waiting: readonly Deployment[]
  readonly now: number
}

/** Reminds everybody who has not been told yet; answers what went wrong. It is written down when all of them know. */
async function remind(
  lock: Lock,
  { waiting, now, told }: Reminding,
  { locks, addresses, post, mask, journal }: LockWatchParts,
): Promise<readonly unknown[]> {
  const held = waiting.filter((one) => one.hold?.reason === 'locked' && placesOf(one).includes(lock.place))
  const text = escape(mask(lockReminder(lock, now, held.length)), MOST_TEXT)
  const message = slackMessageOf(`:lock: ${text}`, text)
  const failures: unknown[] = []
  for (const address of addresses(lock.place)) {
    if (told.has(address)) continue
    await post(address, message).then(
      () => told.add(address),
      (thrown: unknown) => failures.push(thrown),
    )
  }
  if (failures.length > 0) return failures
  await locks.reminded(lock.id, now)
  journal.warn('lock:old', { lock: lock.id, place: lock.place, by: lock.by, waiting: held.length })
  return []
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
