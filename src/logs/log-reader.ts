import { open } from 'node:fs/promises'
import { type Segment, pathOf } from './segments.ts'

/** A part of a log. Offsets count everything ever written to it, also what was left out since. */
export interface LogPart {
  /** Where something was left out, one line says so. */
  readonly bytes: Buffer
  /** Of the first byte: later than asked for, where that was left out. */
  readonly offset: number
  /** Where to go on. */
  readonly nextOffset: number
  /** The offset after the last byte. */
  readonly size: number
  /** Nothing more will come. */
  readonly complete: boolean
}

/** Reads at most `limit` bytes of the log from `offset`; lines about gaps come on top. */
export async function readSegments(
  directory: string,
  segments: readonly Segment[],
  { offset, limit }: { offset: number; limit: number },
): Promise<Omit<LogPart, 'complete'>> {
  const last = segments.at(-1)
  const size = last === undefined ? 0 : endOf(last)
  const parts: Buffer[] = []
  let first: number | undefined
  let at = Math.min(Math.max(0, offset), size)
  let left = Math.max(0, limit)
  for (const segment of segments) {
    if (left === 0 || endOf(segment) <= at) continue
    if (segment.start > at) parts.push(...gap(parts, segment, segment.start - at))
    at = Math.max(at, segment.start)
    const bytes = await readPart(
      pathOf(directory, segment),
      at - segment.start,
      Math.min(left, endOf(segment) - at),
    )
    first ??= at
    parts.push(bytes)
    at += bytes.length
    left -= bytes.length
  }
  return { bytes: Buffer.concat(parts), offset: first ?? at, nextOffset: at, size }
}

const endOf = ({ start, size }: Segment) => start + size

const LINE_FEED = 0x0a
/** Of a time and the space behind it. */
const STAMP_WIDTH = 25

/**
 * No command can write such a line: each of its lines begins with a time. What is left of a line after it does not: it
 * stands below the words of the others, whatever a command has written there.
 */
function gap(before: readonly Buffer[], next: Segment, bytes: number): Buffer[] {
  const isWithinLine = (before.at(-1)?.at(-1) ?? LINE_FEED) !== LINE_FEED
  const count = bytes.toLocaleString('en-US')
  const line = `${isWithinLine ? '\n' : ''}… ${count} bytes left out here (max_log_bytes) …\n`
  return [Buffer.from(next.isWithinLine ? `${line}${' '.repeat(STAMP_WIDTH)}` : line)]
}

async function readPart(path: string, from: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.allocUnsafe(length)
    const { bytesRead } = await file.read(buffer, 0, length, from)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
