import { Cron } from 'croner'

/**
 * The one door to croner. A time that the clock skips comes when the clock goes on, a time that it shows twice comes
 * once, the first time; what comes again and again (with a `*` or a step in minute or hour) skips the one and comes in both.
 */

/** What comes right around a moment, in milliseconds since 1970. */
export interface Around {
  /** At the moment itself, or the last one before; undefined: none ever was. */
  readonly last: number | undefined
  /** The first one after it; undefined: none comes any more. */
  readonly next: number | undefined
}

export interface Cadence {
  /** The times by the clock of this zone. */
  readonly cron: string
  /** An IANA time zone. */
  readonly zone: string
}

/** When a cron expression comes around this moment; throws where the expression or its zone cannot be read. */
export function around({ cron, zone }: Cadence, at: number): Around {
  const { job, known } = cadenceOf(cron, zone)
  const found = known.find(({ last = Infinity, next = Infinity }) => last <= at && at < next)
  if (found !== undefined) return found
  const asked = follow(job, known[0]?.next, at) ?? { last: lastOf(job, at), next: nextOf(job, at) }
  known.unshift(asked)
  known.length = Math.min(known.length, MOST_REMEMBERED)
  return asked
}

/** Nearly always the next moment that is asked about lies behind the next time: then that is the last one. */
function follow(job: Cron, last: number | undefined, at: number): Around | undefined {
  if (last === undefined || last > at) return undefined
  const next = nextOf(job, last)
  return next !== undefined && at < next ? { last, next } : undefined
}

const FIELDS = [
  'minutes from 0 to 59',
  'hours from 0 to 23',
  'days of the month from 1 to 31',
  'months from 1 to 12, or JAN to DEC',
  'days of the week from 0 to 7, or SUN to SAT',
] as const
const FIVE_FIELDS =
  'five fields: minute, hour, day of the month, month, day of the week, such as "0 9 * * 1-5"'
const ORDINALS = ['1st', '2nd', '3rd', '4th', '5th'] as const

/** What has to be expected instead of a text that is no cron expression, or never comes; undefined: nothing. */
export function wrongInCron(text: string): string | undefined {
  const fields = text.trim().split(/\s+/)
  if (fields.length !== FIELDS.length) return FIVE_FIELDS
  const cron = fields.join(' ')
  if (isCron(cron))
    return around({ cron, zone: 'UTC' }, 0).next === undefined ? 'a day that exists' : undefined
  const wrong = fields.findIndex(
    (field, index) => !isCron(`${'* '.repeat(index)}${field}${' *'.repeat(4 - index)}`),
  )
  return wrong < 0 ? FIVE_FIELDS : `${FIELDS[wrong]}, as its ${ORDINALS[wrong]} field`
}

/**
 * The moment at which the clock of a zone shows `2026-12-20T08:00`; undefined where that is no time or no such day is. What the
 * clock skips is when it goes on, what it shows twice is the first.
 */
export function momentIn(zone: string, text: string): number | undefined {
  const [, year, month, day, hour, minute] = LOCAL_TIME.exec(text) ?? []
  if (year === undefined) return undefined
  const sameInUtc = Date.UTC(Number(year), Number(month) - 1, Number(day))
  const cron = `${[minute, hour, day, month].map(Number).join(' ')} *`
  if (!isCron(cron)) return undefined
  const moment = nextOf(jobOf(cron, zone), sameInUtc - FAR)
  return moment !== undefined && moment < sameInUtc + FAR ? moment : undefined
}
const LOCAL_TIME = /^(20\d\d)-(\d\d)-(\d\d)[T ](\d\d):(\d\d)$/
/** Further than any two clocks on earth are apart, with a day between them. */
const FAR = 2 * 86_400_000

interface KnownCadence {
  readonly job: Cron
  /** What was answered last, the newest first: nearly always it is asked for again. */
  readonly known: Around[]
}

/** An expression that was read takes 75 KB. */
const MOST_KNOWN = 100
const MOST_REMEMBERED = 8
const known = new Map<string, KnownCadence>()

function cadenceOf(cron: string, zone: string): KnownCadence {
  const key = `${zone} ${cron}`
  const found = known.get(key) ?? { job: jobOf(cron, zone), known: [] }
  if (!known.has(key)) {
    const [oldest] = known.keys()
    if (known.size >= MOST_KNOWN && oldest !== undefined) known.delete(oldest)
    known.set(key, found)
  }
  return found
}

const jobOf = (cron: string, zone: string): Cron =>
  new Cron(cron, { timezone: zone, fixedTimeRule: 'no-wildcard' })

function isCron(cron: string): boolean {
  try {
    return cadenceOf(cron, 'UTC').job instanceof Cron
  } catch {
    return false
  }
}

const nextOf = (job: Cron, after: number): number | undefined => job.nextRun(new Date(after))?.getTime()

/** croner looks strictly before a moment, to the millisecond. */
const lastOf = (job: Cron, at: number): number | undefined =>
  job.previousRuns(1, new Date(at + 1))[0]?.getTime()
