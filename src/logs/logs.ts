import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { FerrymanError, messageOf, problem } from '../errors.ts'
import { type Followers, createFollowers } from './followers.ts'
import { type LogPart, readSegments } from './log-reader.ts'
import { type LogWriter, createLogWriter } from './log-writer.ts'
import type { Masker } from './redact.ts'
import { type SegmentWriter, listSegments, openSegments } from './segments.ts'
import { createSharedReads } from './shared-reads.ts'
import { createStamper } from './stamper.ts'
import { createTurns } from './turns.ts'

export type { LogWriter } from './log-writer.ts'

/**
 * The logs of deployments, on disk. Each line begins with a time in UTC: `2026-11-21T10:54:00.000Z`, then a
 * space and what the command wrote, byte for byte, or `▸ ` and what we say ourselves.
 */
export interface Logs {
  /** Begins the log, or goes on where it broke off. `maxBytes`: head and tail are kept within this size. */
  readonly open: (deploymentId: number, options: LogOptions) => Promise<LogWriter>
  /** Reads at most `limit` bytes; a log that does not exist is empty. */
  readonly read: (deploymentId: number, range: { offset: number; limit: number }) => Promise<LogPart>
  /** The last bytes of the log, about so many, from the beginning of a line. */
  readonly tail: (deploymentId: number, bytes: number) => Promise<LogPart>
  /**
   * Reads on as the log grows, until its writer closes it, the end is reached or the signal is aborted. No faster
   * than the parts are taken. A log that nobody is writing ends at once after its last byte. Many may read at once.
   */
  readonly follow: (deploymentId: number, options: FollowOptions) => AsyncGenerator<LogPart, void, undefined>
  readonly exists: (deploymentId: number) => Promise<boolean>
  /** Of which deployments there are logs, the oldest first. */
  readonly ids: () => Promise<readonly number[]>
  /** How many bytes the log takes. */
  readonly size: (deploymentId: number) => Promise<number>
  /** Deletes the log; its writer must be closed. */
  readonly remove: (deploymentId: number) => Promise<void>
}

interface LogOptions {
  readonly maxBytes: number
  readonly masker: Masker
}
interface FollowOptions {
  readonly offset: number
  /** Where to stop, whether more is there or not. */
  readonly end?: number
  readonly signal: AbortSignal
}

/** Keeps the logs in this directory, readable by this user only; the clock is in milliseconds since 1970. */
export function createLogs({ directory, clock }: { directory: string; clock: () => number }): Logs {
  const live = new Map<number, Live>()
  const unwritten = new Map<number, LogWriter>()
  const stamper = createStamper()
  const shared = createSharedReads<Piece>(SHARED_PIECES, ({ isWhole }) => isWhole)
  const turns = createTurns(PIECES_IN_A_TURN)
  const directoryOf = (deploymentId: number) => join(directory, String(deploymentId))

  const read: Logs['read'] = async (deploymentId, range) => {
    const of = directoryOf(deploymentId)
    for (let tries = 1; ; tries++) {
      const writing = live.get(deploymentId)
      try {
        const segments = writing?.file.segments() ?? (await listSegments(of))
        return { ...(await readSegments(of, segments, range)), complete: writing === undefined }
      } catch (thrown) {
        if (!isMissing(thrown) || tries === MOST_TRIES) throw thrown // left out while we read: look again
      }
    }
  }

  return {
    read,
    async open(deploymentId, { maxBytes, masker }) {
      const name = directoryOf(deploymentId)
      const followers = createFollowers()
      try {
        if (live.has(deploymentId)) throw new Error('it is being written already')
        await unwritten.get(deploymentId)?.close() // what is left of it comes first
        const file = await openSegments(name, maxBytes)
        const isWithinLine = file.endsWithinLine()
        live.set(deploymentId, { file, followers })
        const onClose = () => {
          live.delete(deploymentId)
          followers.tellAll()
        }
        const onGrowth = followers.tell
        const onWritten = () => unwritten.delete(deploymentId)
        const about = { file, name, isWithinLine, masker, stamper, clock }
        const writer = createLogWriter({ ...about, onGrowth, onClose, onWritten })
        unwritten.set(deploymentId, writer)
        return writer
      } catch (thrown) {
        if (thrown instanceof FerrymanError) throw thrown
        throw problem('log_unwritable', { file: name, cause: messageOf(thrown) }, thrown)
      }
    },
    async tail(deploymentId, bytes) {
      const { size } = await read(deploymentId, { offset: 0, limit: 0 })
      const offset = Math.max(0, size - bytes)
      const part = await read(deploymentId, { offset, limit: bytes })
      return offset > 0 && part.offset === offset ? fromLineStart(part) : part
    },
    async *follow(deploymentId, { offset, end = Infinity, signal }) {
      let at = offset
      while (!signal.aborted && at < end) {
        const writing = live.get(deploymentId)
        const limit = Math.min(
          FOLLOW_BYTES,
          end - at,
          writing === undefined ? Infinity : writing.file.end() - at,
        )
        if (limit <= 0) {
          await writing?.followers.more(signal)
          continue
        }
        const key = `${deploymentId} ${at} ${limit} ${writing === undefined}`
        const range = { offset: at, limit }
        await turns()
        const { part, isWhole } = await shared(key, async () => {
          const part = await read(deploymentId, range)
          return { part, isWhole: part.nextOffset - part.offset >= limit }
        })
        if (part.bytes.length > 0) yield part
        at = Math.max(at, part.nextOffset)
        if (part.complete && !isWhole) return
      }
    },
    exists: async (deploymentId) => (await listSegments(directoryOf(deploymentId))).length > 0,
    async ids() {
      const names = await readdir(directory).catch((thrown: unknown) => {
        if (isMissing(thrown)) return []
        throw thrown
      })
      return names
        .filter((name) => /^\d{1,15}$/.test(name))
        .map(Number)
        .toSorted((one, other) => one - other)
    },
    async size(deploymentId) {
      const segments = await listSegments(directoryOf(deploymentId))
      return segments.reduce((sum, segment) => sum + segment.size, 0)
    },
    remove: (deploymentId) => rm(directoryOf(deploymentId), { recursive: true, force: true }),
  }
}

interface Piece {
  readonly part: LogPart
  /** All that was asked for, and what is left out there: otherwise more may come, if the log goes on. */
  readonly isWhole: boolean
}

/** A log that is being written. */
interface Live {
  readonly file: SegmentWriter
  readonly followers: Followers
}

const MOST_TRIES = 10
const FOLLOW_BYTES = 65_536
/** A reader that is a little behind the others still finds what they have read. */
const SHARED_PIECES = 16
const PIECES_IN_A_TURN = 8
const LINE_FEED = 0x0a

const isMissing = (thrown: unknown) => thrown instanceof Error && Reflect.get(thrown, 'code') === 'ENOENT'

function fromLineStart(part: LogPart): LogPart {
  const skipped = part.bytes.indexOf(LINE_FEED) + 1
  return { ...part, bytes: part.bytes.subarray(skipped), offset: part.offset + skipped }
}
