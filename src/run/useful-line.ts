import { withoutColours } from '../logs/colours.ts'

// As words of their own: not in the names of files, folders and options.
const ERROR_WORD =
  /(?<![\w/.-])(?:error|errors|err!|fatal|failed|failure|cannot|can't|could not|denied|not found|no such|exception|traceback|panic|refused|unable|undefined|invalid|rejected|timed out)(?![\w/-]|\.\w)/i
const ERROR_CLASS = /\b[A-Z]\w*(?:Error|Exception)\b(?![/-]|\.\w)/
// The second is how Python begins; what went wrong stands at the end of it.
const SAYS_NOTHING = /\b(?:0|no) (?:error|failure|failed)s?\b|^Traceback \(most recent call last\):$/i
const LOOK_BACK = 50

/** The line that tells a person what went wrong: the first of the last fifty with an error word, else the last. */
export function usefulLine(lines: readonly string[]): string {
  const last = lines
    .slice(-LOOK_BACK)
    .map((line) => withoutColours(line).trim())
    .filter((line) => line !== '')
  return last.find(isUseful) ?? last.at(-1) ?? ''
}

const isUseful = (line: string): boolean =>
  (ERROR_WORD.test(line) || ERROR_CLASS.test(line)) && !SAYS_NOTHING.test(line)
