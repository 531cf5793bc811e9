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
/** A status has no room for more. */
const LONGEST_END = 100

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
      const [first = '', ...others] = Buffer.concat([newest, more]).toString().split('\n')
      const isBroken = hasForgotten || size > REMEMBERED_BYTES
      const whole = [...(isBroken ? [] : [first]), ...others].map(asPlain).filter((line) => line !== '')
      // Where a line is longer than all that is remembered, its end says more than nothing.
      const lines = whole.length > 0 || !isBroken ? whole : [endOf(first)].filter((line) => line !== '')
      return lines.slice(-count)
    },
    clear() {
      size = 0
      hasForgotten = false
    },
  }
}

const asPlain = (line: string): string => cut(shownOf(line), LONGEST_LINE)

function endOf(line: string): string {
  const shown = shownOf(line)
  return shown === '' ? '' : `…${shown.slice(1 - LONGEST_END).toWellFormed()}`
}

/** What a terminal would show of the line in the end: a progress bar overwrites itself. */
function shownOf(line: string): string {
  const shown =
    stripVTControlCharacters(line)
      .split('\r')
      .findLast((part) => part.trim() !== '') ?? ''
  return oneLine(shown.replaceAll('\t', ' ')).trimEnd()
}
