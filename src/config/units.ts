/** A number with its unit, or the "expected …" that says why it is none. */
export type Reading<Value = number> = { readonly value: Value } | { readonly expected: string }

const SECONDS_PER_DAY = 86_400
const SECONDS_PER_WEEK = 7 * SECONDS_PER_DAY
const SECONDS_PER_MINUTE = 60
const SMALLEST_LOG_BYTES = 65_536

/** Reads a length of time in seconds: `90`, `45s`, `30m`, `1h30m`; more than nothing and at most a day. */
export const readSeconds = (given: number | string): Reading =>
  readLength(given, { example: '30m', seconds: SECONDS_PER_DAY, most: '24h' })

/** Reads an age in milliseconds: `36h`, `30d`; at least a day and at most ten years. */
export function readAge(given: string): Reading {
  const [, number, unit] = /^(\d{1,6})([hd])$/.exec(given.trim()) ?? []
  if (number === undefined) return { expected: 'a text like 30d or 36h' }
  const value = Number(number) * (unit === 'd' ? DAY_MS : DAY_MS / 24)
  if (value < DAY_MS) return { expected: 'at least 1d' }
  return value <= 3650 * DAY_MS ? { value } : { expected: 'at most 3650d' }
}
const DAY_MS = 86_400_000

/** Reads how far back to look: at most a week. */
export const readLookBack = (given: number | string): Reading =>
  readLength(given, { example: '24h', seconds: SECONDS_PER_WEEK, most: '168h' })

/** Reads how long to wait for something outside, in seconds: at most 30 days. */
export const readWait = (given: number | string): Reading =>
  readLength(given, { example: '24h', seconds: 30 * SECONDS_PER_DAY, most: '30d' })

interface Longest {
  readonly example: string
  readonly seconds: number
  /** The same in words. */
  readonly most: string
}

function readLength(given: number | string, { example, seconds, most }: Longest): Reading {
  const value = typeof given === 'number' ? given : secondsIn(given.trim())
  if (value === undefined) return { expected: `a number of seconds or a text like ${example}` }
  if (!(value > 0)) return { expected: 'more than 0 seconds' }
  return value <= seconds ? { value } : { expected: `at most ${most}` }
}

/** Reads how long something lasts, in seconds: `90m`, `8h`, `2d12h`; at least a minute and at most 366 days. */
export function readDuration(given: string): Reading {
  const value = secondsIn(given.trim())
  if (value === undefined) return { expected: 'a length of time like 8h, 90m or 2d12h' }
  if (value < SECONDS_PER_MINUTE) return { expected: 'at least 1m' }
  return value <= 366 * SECONDS_PER_DAY ? { value } : { expected: 'at most 366d' }
}

/** Reads how often to do something: every minute to every day, or never. */
export function readInterval(given: number | string): Reading<number | 'off'> {
  if (given === 'off') return { value: given }
  const value = typeof given === 'number' ? given : secondsIn(given.trim())
  if (value === undefined) return { expected: 'a length of time like 5m, or off' }
  if (value < SECONDS_PER_MINUTE) return { expected: 'at least 1m' }
  return value <= SECONDS_PER_DAY ? { value } : { expected: 'at most 24h' }
}

/** Reads after how long to remind, in seconds: as `readDuration`, or never. */
export function readReminder(given: string): Reading<number | 'off'> {
  if (given === 'off') return { value: given }
  const isLength = secondsIn(given.trim()) !== undefined
  return isLength ? readDuration(given) : { expected: 'a length of time like 24h or 7d, or off' }
}

/** Reads a size in bytes: `1000000`, `50MB`, `10MiB`; at least 64 KiB. */
export function readBytes(given: number | string): Reading {
  const value = typeof given === 'number' ? given : bytesIn(given.trim())
  if (value === undefined || !Number.isSafeInteger(value))
    return { expected: 'a number of bytes or a text like 50MB or 10MiB' }
  return value >= SMALLEST_LOG_BYTES ? { value } : { expected: 'at least 64KiB' }
}

function secondsIn(text: string): number | undefined {
  const [whole, ...counts] = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text) ?? []
  if (!whole) return undefined
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = counts.map((count) => Number(count ?? 0))
  return days * SECONDS_PER_DAY + hours * 3600 + minutes * SECONDS_PER_MINUTE + seconds
}

const BYTES = { KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const

function bytesIn(text: string): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?([KMG]i?B)$/.exec(text) ?? []
  return number === undefined ? undefined : Math.floor(Number(number) * BYTES[unit as keyof typeof BYTES])
}
