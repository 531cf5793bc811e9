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
  let kept: Buffer | undefined
  let size = 0
  let hasForgotten = false

  /** Moves the newest of them to the front. */
  const makeRoom = (bytes: Buffer, needed: number) => {
    const from = size - Math.max(0, Math.min(size, REMEMBERED_BYTES - needed))
    bytes.copyWithin(0, from, size)
    size -= from
    hasForgotten ||= from > 0
  }
  return {
    add(bytes) {
      kept ??= Buffer.allocUnsafeSlow(2 * REMEMBERED_BYTES)
      const newest = bytes.subarray(-REMEMBERED_BYTES)
      if (size + newest.length > kept.length) makeRoom(kept, newest.length)
      size += newest.copy(kept, size)
      hasForgotten ||= newest.length < bytes.length
    },
    lines(more, count) {
      const newest = kept?.subarray(Math.max(0, size - REMEMBERED_BYTES), size) ?? more.subarray(0, 0)
      const all = Buffer.concat([newest, more]).toString().split('\n')
      const whole = (hasForgotten || size > REMEMBERED_BYTES) && all.length > 1 ? all.slice(1) : all
      return whole
        .map(asPlain)
        .filter((line) => line !== '')
        .slice(-count)
    },
    clear() {
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
