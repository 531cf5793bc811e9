import { stripVTControlCharacters } from 'node:util'
import { cut, oneLine } from './one-line.ts'

/** Remembers the end of a command's output, in little memory at any volume. */
export interface NewestLines {
  readonly add: (bytes: Buffer) => void
  /** The newest lines that are not empty, oldest first, as plain text; `more` is what follows what was added. */
  readonly lines: (more: Buffer, count: number) => string[]
  readonly clear: () => void
}

const REMEMBERED_BYTES = 32_768
const LONGEST_LINE = 500

export function createNewest(): NewestLines {
  let chunks: Buffer[] = []
  let size = 0
  let hasForgotten = false

  const join = () => Buffer.concat(chunks).subarray(-REMEMBERED_BYTES)
  return {
    add(bytes) {
      chunks.push(bytes.length > REMEMBERED_BYTES ? bytes.subarray(-REMEMBERED_BYTES) : bytes)
      size += bytes.length
      if (size <= 2 * REMEMBERED_BYTES) return
      chunks = [Buffer.from(join())]
      size = REMEMBERED_BYTES
      hasForgotten = true
    },
    lines(more, count) {
      const all = Buffer.concat([join(), more]).toString().split('\n')
      const whole = (hasForgotten || size > REMEMBERED_BYTES) && all.length > 1 ? all.slice(1) : all
      return whole
        .map(asPlain)
        .filter((line) => line !== '')
        .slice(-count)
    },
    clear() {
      chunks = []
      size = 0
      hasForgotten = false
    },
  }
}

/** What a terminal would show of the line in the end: a progress bar overwrites itself. */
function asPlain(line: string): string {
  const shown =
    stripVTControlCharacters(line)
      .split('\r')
      .findLast((part) => part.trim() !== '') ?? ''
  return cut(oneLine(shown.replaceAll('\t', ' ')).trimEnd(), LONGEST_LINE)
}
