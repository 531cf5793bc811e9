import { wrongInCron } from '../schedule/cron.ts'
import type { Poll } from './config.ts'
import { measure } from './expecting.ts'
import { readInterval, type Reading } from './units.ts'

/** The part of the schema that says how often a source is asked for its version. */

const POLL = 'a length of time like 5m, a cron expression such as "*/5 * * * *", or off'
const USUAL: Poll = { everySeconds: 60 }

export const poll = measure(POLL, readPoll)

function readPoll(given: number | string): Reading<Poll | 'off'> {
  if (typeof given === 'string' && /\s/.test(given.trim())) {
    const expected = wrongInCron(given)
    return expected === undefined ? { value: { cron: given.trim(), zone: 'UTC' } } : { expected }
  }
  const reading = readInterval(given)
  if ('value' in reading)
    return { value: reading.value === 'off' ? reading.value : { everySeconds: reading.value } }
  return { expected: reading.expected.startsWith('at ') ? reading.expected : POLL }
}

/** How often a source is asked; undefined: never by itself. */
export const pollIn = (given: Poll | 'off' = USUAL): Poll | undefined => (given === 'off' ? undefined : given)
