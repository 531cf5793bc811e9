import type { Span } from './shapes.ts'

/** A private key that has begun: its lines are masked from `from` until its end, and no further than `limit`. */
export interface OpenKey {
  readonly from: number
  readonly limit: number
}

/** A beginning without an end must not swallow the rest of a log; the largest keys in use are half of this. */
export const LONGEST_KEY = 32_768

/** What of the key is in these bytes. */
export interface KeyPart {
  /** One span for each line, without its line break. */
  readonly lines: readonly Span[]
  readonly stop: number
  /** Where the bytes break off before it is known whether the key goes on. */
  readonly undecidedFrom: number | undefined
}

/** Finds the lines of an open key, up to `-----END …`. */
export function readKey(bytes: Buffer, { from, limit }: OpenKey, isWhole: boolean): KeyPart {
  const found = bytes.subarray(0, limit + END.length).indexOf(END, from, 'latin1')
  const end = found === -1 ? beginningOfEnd(bytes, from, isWhole) : found
  const stop = Math.min(end, limit)
  const isOpen = found === -1 && !isWhole && end < limit
  return { lines: linesOf(bytes, from, stop), stop, undecidedFrom: isOpen ? end : undefined }
}

const END = '-----END '
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** Where the last bytes may be the first ones of the end; the length if they are not. */
function beginningOfEnd(bytes: Buffer, from: number, isWhole: boolean): number {
  if (isWhole) return bytes.length
  for (let at = Math.max(from, bytes.length - END.length + 1); at < bytes.length; at++)
    if (END.startsWith(bytes.toString('latin1', at))) return at
  return bytes.length
}

function linesOf(bytes: Buffer, from: number, stop: number): Span[] {
  const lines: Span[] = []
  let start = from
  for (let at = from; at <= stop; at++) {
    const isBreak = at === stop || bytes[at] === LINE_FEED || bytes[at] === CARRIAGE_RETURN
    if (isBreak && at > start) lines.push({ start, end: at })
    if (isBreak) start = at + 1
  }
  return lines
}
