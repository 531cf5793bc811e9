import { withoutColours } from '../logs/colours.ts'

const ERROR_WORD =
  /(?<![\w/.-])(?:error|errors|fatal|failed|failure|cannot|can't|could not|denied|not found|no such|exception|traceback|panic|refused|unable|undefined|invalid|rejected|timed out)(?![\w/-])/i
const NO_ERRORS = /\b(?:0|no) (?:error|failure|failed)s?\b/i
const LOOK_BACK = 50

/** The line that tells a person what went wrong: the first of the last fifty with an error word, else the last. */
export function usefulLine(lines: readonly string[]): string {
  const last = lines.slice(-LOOK_BACK).map((line) => withoutColours(line).trim()).filter((line) => line !== '')
  return last.find((line) => ERROR_WORD.test(line) && !NO_ERRORS.test(line)) ?? last.at(-1) ?? ''
}
