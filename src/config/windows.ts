import { z } from 'zod'

import { momentIn, wrongInCron } from '../schedule/cron.ts'
import type { Window, Windows } from '../schedule/windows.ts'
import { isZone } from '../schedule/zones.ts'
import { expecting, text, textRead } from './expecting.ts'
import { readDuration } from './units.ts'

/** The part of the schema that says when deployments may begin. */

const CRON = 'a cron expression such as "0 9 * * 1-5", or from and until'
const DURATION = 'a length of time like 8h, 90m or 2d12h'
const LOCAL_TIME = 'a local time such as 2026-12-20T08:00'
const ZONE = 'an IANA time zone such as Europe/Berlin'
const NAME = 'a name of at most 60 characters'
const LIST = 'a list of windows such as [{cron: "0 9 * * 1-5", duration: 8h}]'

const zone = z.string(expecting(ZONE)).refine(isZone, expecting(ZONE)).optional()

/** The keys of one window. */
export const WINDOW = {
  cron: textRead(CRON, (given) => {
    const expected = wrongInCron(given)
    return expected === undefined ? { value: given.trim() } : { expected }
  })
    .optional()
    .describe('When it begins: minute, hour, day of the month, month, day of the week.'),
  duration: textRead(DURATION, readDuration)
    .optional()
    .describe('How long it lasts from then on, such as 8h.'),
  from: z.string(expecting(LOCAL_TIME)).optional().describe('Its beginning, for one that comes once only.'),
  until: z.string(expecting(LOCAL_TIME)).optional().describe('Its end, which belongs to it no more.'),
  zone: zone.describe('The time zone of `cron`, or of `from` and `until`.'),
  name: text(NAME).max(60, expecting(NAME)).optional().describe('What people call it: they are told.'),
}
type WindowEntry = z.output<typeof window>

const window = z.strictObject(WINDOW, expecting('a mapping with cron and duration, or with from and until'))
const list = z.array(window, expecting(LIST)).min(1, expecting('at least one window')).optional()

/** The keys beside the lists of windows. */
export const WINDOWS = {
  allow: list.describe('Deployments begin inside of one of these only; without it always.'),
  deny: list.describe('No deployment begins inside of one of these, also where `allow` has it.'),
  zone: zone.describe('The time zone of those that name none.'),
}

/** When deployments may begin. */
export const windows = z
  .strictObject(WINDOWS, expecting('a mapping with allow or deny'))
  .transform(({ allow = [], deny = [], zone: shared }, context): Windows => {
    const read = (key: 'allow' | 'deny') => (entry: WindowEntry, index: number) => {
      const found = readWindow({ ...entry, zone: entry.zone ?? shared })
      if (!('key' in found)) return found
      const { error: message } = expecting(found.expected)
      context.addIssue({ code: 'custom', path: [key, index, found.key], message })
      return z.NEVER
    }
    return { allow: allow.map(read('allow')), deny: deny.map(read('deny')) }
  })

interface Wrong {
  readonly key: keyof WindowEntry
  readonly expected: string
}

function readWindow({ cron, duration, from, until, zone: inZone, name }: WindowEntry): Window | Wrong {
  if (inZone === undefined) return { key: 'zone', expected: `${ZONE}, here or beside allow and deny` }
  const isOnce = (from ?? until) !== undefined
  if (isOnce && (cron ?? duration) !== undefined)
    return {
      key: from === undefined ? 'until' : 'from',
      expected: 'either cron and duration, or from and until',
    }
  if (isOnce) return readOnce({ from, until, zone: inZone, name })
  if (cron === undefined) return { key: 'cron', expected: CRON }
  if (duration === undefined) return { key: 'duration', expected: DURATION }
  return { kind: 'recurring', cron, durationSeconds: duration, zone: inZone, name }
}

interface OnceEntry extends Pick<WindowEntry, 'from' | 'until' | 'name'> {
  readonly zone: string
}

function readOnce({ from, until, zone: inZone, name }: OnceEntry): Window | Wrong {
  const start = from === undefined ? undefined : momentIn(inZone, from)
  if (start === undefined) return { key: 'from', expected: LOCAL_TIME }
  const end = until === undefined ? undefined : momentIn(inZone, until)
  if (end === undefined) return { key: 'until', expected: LOCAL_TIME }
  if (end <= start) return { key: 'until', expected: 'a time after from' }
  return { kind: 'single', from: start, until: end, zone: inZone, name }
}
