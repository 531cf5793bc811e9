/** Whether this machine knows a time zone by that IANA name; an offset such as +01:00 is none. */
export function isZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    return formatsOf(name) !== undefined
  } catch {
    return false
  }
}

/** The names that this machine knows; others, older ones mostly, may stand for them. */
export const zoneNames = (): readonly string[] => ['UTC', ...Intl.supportedValuesOf('timeZone')]

/** `Mon 2026-11-30 09:00 CET`: a moment as the clock of a zone shows it, with `UTC+9` where the zone's time has no short name. */
export function timeIn(zone: string, at: number): string {
  const formats = formatsOf(zone)
  const parts = Object.fromEntries(formats.time.formatToParts(at).map(({ type, value }) => [type, value]))
  const names = formats.names.map((name) => name.formatToParts(at).find(isName)?.value ?? '')
  const name = names.find((one) => !isOffset(one)) ?? names[0]?.replace('GMT', 'UTC')
  return `${parts['weekday']} ${parts['year']}-${parts['month']}-${parts['day']} ${parts['hour']}:${parts['minute']} ${name}`
}

const isName = ({ type }: Intl.DateTimeFormatPart): boolean => type === 'timeZoneName'
const isOffset = (name: string): boolean => /^GMT[+-]/.test(name)

/** Each knows the short names that are used where it is spoken. */
const SPOKEN = ['en-US', 'en-GB', 'en-AU'] as const

interface Formats {
  readonly time: Intl.DateTimeFormat
  readonly names: readonly Intl.DateTimeFormat[]
}

/** Making them takes longer than using them. There are no more than there are zones. */
const made = new Map<string, Formats>()

function formatsOf(timeZone: string): Formats {
  const found = made.get(timeZone) ?? {
    time: new Intl.DateTimeFormat('en-GB', {
      timeZone,
      weekday: 'short',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    }),
    names: SPOKEN.map((language) => new Intl.DateTimeFormat(language, { timeZone, timeZoneName: 'short' })),
  }
  made.set(timeZone, found)
  return found
}
