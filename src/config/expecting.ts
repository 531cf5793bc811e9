import { z } from 'zod'

import type { Reading } from './units.ts'

/** Every message of the schema is "expected …"; the loader adds what it got instead. */
export const expecting = (what: string) => ({ error: `expected ${what}` })

const FREE_OF_CONTROL = /^[^\x00-\x1f\x7f]+$/ // oxlint-disable-line no-control-regex -- that is what it looks for

/** A text on one line. */
export const text = (what: string) => z.string(expecting(what)).regex(FREE_OF_CONTROL, expecting(what))

/** A text that may be a secret, read by `readValue`: as `${NAME}`, or from a file. */
export const reference = (what: string) => {
  const expected = `${what}, as a text such as \${NAME} or as {file: path}`
  return z.union([text(expected), z.strictObject({ file: text('a path') })], expecting(expected)).optional()
}

/** A text that means something else. */
export const textRead = <Value>(what: string, read: (given: string) => Reading<Value>) =>
  z.string(expecting(what)).transform((given, context) => meant(read(given), context))

/** A number, or a text with a unit. */
export const measure = <Value>(what: string, read: (given: number | string) => Reading<Value>) =>
  z
    .union([z.number(), z.string()], expecting(what))
    .transform((given, context) => meant(read(given), context))

function meant<Value>(reading: Reading<Value>, context: { addIssue: (message: string) => void }): Value {
  if ('value' in reading) return reading.value
  context.addIssue(expecting(reading.expected).error)
  return z.NEVER
}

export const toggle = (what: string) => z.boolean(expecting('true or false')).optional().describe(what)
