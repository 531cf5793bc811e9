import * as fs from 'node:fs'
import { open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/*
 * A log is a row of files, each named by the offset of its first byte among everything ever written to the
 * log. Head and tail are kept: when the log grows too large, the oldest segment after the head is deleted,
 * and the names show the gap. They also show where a segment begins within a line, since what the line began
 * with may be deleted. There is no index, so a crash at any moment leaves a log that can be read.
 */

const writev = promisify(fs.writev)
const sync = promisify(fs.fsync)
const close = promisify(fs.close)

/** A piece of a log: `size` bytes from the offset `start`. */
export interface Segment {
  readonly start: number
  readonly size: number
  /** It begins with the rest of a line. */
  readonly isWithinLine: boolean
}

/**
 * Appends to a log and keeps it within its size. One call at a time. What rejects may be called again: `end` says
 * how many of the bytes were taken. What fits into a segment is written at once, however many pieces it has.
 */
export interface SegmentWriter {
  /** What can be read now, in order. */
  readonly segments: () => readonly Segment[]
  readonly append: (pieces: readonly Buffer[]) => Promise<void>
  /**
   * Appends some lines at once, which takes less than the way to the thread pool and back; answers how many of the bytes
   * were taken, none where it would take longer.
   */
  readonly appendNow: (lines: Buffer) => number
  /** The offset of the next byte. */
  readonly end: () => number
  /** Whether it breaks off within a line. */
  readonly endsWithinLine: () => boolean
  /** Everything is on the disk, the disk's own memory included. */
  readonly sync: () => Promise<void>
  readonly close: () => Promise<void>
}

export const pathOf = (directory: string, { start, isWithinLine }: Omit<Segment, 'size'>): string =>
  join(directory, `${String(start).padStart(16, '0')}${isWithinLine ? REST : ''}.log`)

/** The segments in the directory, in order; none if there is no such directory. */
export async function listSegments(directory: string): Promise<readonly Segment[]> {
  const found = (await readdir(directory).catch(noneIfMissing))
    .map((name) => NAME.exec(name))
    .filter((match) => match !== null)
    .map(([, start, rest]) => ({ start: Number(start), isWithinLine: rest !== undefined }))
    .toSorted((one, other) => one.start - other.start)
  return Promise.all(found.map(async (one) => ({ ...one, size: (await stat(pathOf(directory, one))).size })))
}

const REST = '-rest'
const NAME = /^(\d{16})(-rest)?\.log$/

/** Opens the log in the directory, or makes it; what is there already is continued. */
export async function openSegments(directory: string, maxBytes: number): Promise<SegmentWriter> {
  const segmentBytes = Math.max(1, Math.floor(maxBytes / SEGMENTS))
  // At once, as is the file: a command waits for the first line of its log.
  const made = fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  const found = made === undefined ? await listSegments(directory) : [] // nothing is in a new one
  let closed: readonly Segment[] = found.slice(0, -1)
  let current: Segment = found.at(-1) ?? { start: 0, size: 0, isWithinLine: false }
  let endsWithinLine = await breaksOffWithinLine(directory, found)
  let file: number | undefined = openToAppend(directory, current)

  const roll = async () => {
    await closeFile()
    const all = [...closed, current]
    const kept = withinSize(all, maxBytes - segmentBytes)
    closed = kept // before the files go: who reads meanwhile is not sent to them
    current = { start: current.start + current.size, size: 0, isWithinLine: endsWithinLine }
    for (const segment of all.filter((one) => !kept.includes(one)))
      await rm(pathOf(directory, segment), { force: true })
    file = openToAppend(directory, current)
  }
  const closeFile = async () => {
    const closing = file
    file = undefined
    if (closing !== undefined) await close(closing)
  }
  const count = (bytes: Buffer, taken: number) => {
    current = { ...current, size: current.size + taken }
    if (taken > 0) endsWithinLine = bytes[taken - 1] !== LINE_FEED
  }
  const writeAll = async (pieces: readonly Buffer[]) => {
    for (let left = pieces.filter(({ length }) => length > 0); left.length > 0;) {
      file ??= openToAppend(directory, current) // the disk may have refused when it was to be opened
      const { bytesWritten } = await writev(file, left)
      const { before, after } = splitAt(left, bytesWritten)
      for (const piece of before) count(piece, piece.length)
      left = after
    }
  }

  return {
    segments: () => [...closed, current],
    end: () => current.start + current.size,
    endsWithinLine: () => endsWithinLine,
    async append(pieces) {
      let fitting: Buffer[] = []
      let room = segmentBytes - current.size
      for (const piece of pieces) {
        let left = piece
        while (left.length > room) {
          const cut = placeToCut(left, room, room < segmentBytes)
          await writeAll([...fitting, left.subarray(0, cut)])
          fitting = []
          left = left.subarray(cut)
          await roll()
          room = segmentBytes
        }
        fitting.push(left)
        room -= left.length
      }
      await writeAll(fitting)
    },
    appendNow(lines) {
      if (file === undefined || current.size + lines.length > segmentBytes) return 0
      const taken = fs.writeSync(file, lines)
      count(lines, taken)
      return taken
    },
    async sync() {
      for (const segment of closed) await syncPath(pathOf(directory, segment))
      if (file !== undefined) await sync(file)
      await syncPath(directory)
    },
    close: closeFile,
  }
}

/** A log has so many segments at most; the first half of them is its head. */
const SEGMENTS = 16
const HEAD_SEGMENTS = SEGMENTS / 2

const openToAppend = (directory: string, segment: Segment): number =>
  fs.openSync(pathOf(directory, segment), 'a', 0o600)

async function breaksOffWithinLine(directory: string, segments: readonly Segment[]): Promise<boolean> {
  const last = segments.findLast(({ size }) => size > 0)
  if (last === undefined) return false
  const file = await open(pathOf(directory, last), 'r')
  try {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, last.size - 1)
    return buffer[0] !== LINE_FEED
  } finally {
    await file.close()
  }
}

/** Leaves out the oldest after the head until the rest is small enough. */
function withinSize(segments: readonly Segment[], maxBytes: number): readonly Segment[] {
  const head = segments.slice(0, HEAD_SEGMENTS)
  const tail = segments.slice(HEAD_SEGMENTS)
  let size = segments.reduce((sum, segment) => sum + segment.size, 0)
  while (size > maxBytes && tail.length > 0) size -= tail.shift()?.size ?? 0
  return [...head, ...tail]
}

/** At the end of a line where there is one; `mayBeNothing`: rather in the next segment than within the line. */
export function placeToCut(bytes: Buffer, room: number, mayBeNothing = false): number {
  const lineEnd = bytes.subarray(0, Math.max(0, room)).lastIndexOf(LINE_FEED) + 1
  return lineEnd > 0 || mayBeNothing ? lineEnd : room
}

const LINE_FEED = 0x0a

/** What is written of them, and what is left. */
function splitAt(pieces: readonly Buffer[], written: number) {
  const before: Buffer[] = []
  const after: Buffer[] = []
  let room = written
  for (const piece of pieces) {
    const count = Math.min(room, piece.length)
    if (count > 0) before.push(piece.subarray(0, count))
    if (count < piece.length) after.push(piece.subarray(count))
    room -= count
  }
  return { before, after }
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

function noneIfMissing(thrown: unknown): string[] {
  if (thrown instanceof Error && Reflect.get(thrown, 'code') === 'ENOENT') return []
  throw thrown
}
