import { FerrymanError, messageOf, problem } from '../errors.ts'
import { createNewest } from './newest-lines.ts'
import { cut, oneLine } from './one-line.ts'
import { createPages } from './pages.ts'
import type { Masker } from './redact.ts'
import type { SegmentWriter } from './segments.ts'
import type { Stamper } from './stamper.ts'

/**
 * Writes one log while its deployment runs. What the disk does not take is kept and tried again every second, also
 * when the log is closed, so that nothing is missing in it once the disk can be written. Never hangs.
 */
export interface LogWriter {
  /**
   * Output of a command, as it comes. Wait for the answer before reading more from the command; then the chunk is needed
   * no longer, as it is at once where there is nothing to wait for. Rejects with `log_unwritable` when the disk takes nothing
   * and no more can be kept.
   */
  readonly write: (chunk: Buffer) => Promise<void> | undefined
  /** A line of our own about what has happened, such as `exit 0 (2.1 s)`; it is in the file when this answers, if the disk takes it. */
  readonly line: (text: string) => Promise<void>
  /** A line about what is to begin, such as `$ git fetch`. Rejects with `log_unwritable` when it is not in the file. */
  readonly announce: (text: string) => Promise<void>
  /** The newest lines of the current step's output, oldest first, without colours and empty lines, masked. */
  readonly lastLines: (count: number) => string[]
  /** A command has ended: writes what was kept back of its output, so that the next line comes after it. */
  readonly flush: () => void
  /** Begins a new step: what was kept back of the output before is written, and `lastLines` starts anew. */
  readonly mark: () => void
  /**
   * Writes everything to the disk and ends all readers that follow. Rejects with `log_unwritable` when something is left to
   * be written; whoever calls again has it tried at once.
   */
  readonly close: () => Promise<void>
}

export interface WriterParts {
  readonly file: SegmentWriter
  /** How the log is named in problems. */
  readonly name: string
  /** Whether the log so far breaks off within a line. */
  readonly isWithinLine: boolean
  readonly masker: Masker
  readonly stamper: Stamper
  readonly clock: () => number
  /** There is more to read. */
  readonly onGrowth: () => void
  /** Nothing more will come. */
  readonly onClose: () => void
  /** Nothing is left to be written. */
  readonly onWritten: () => void
}

/** What follows the time stamp of our own lines. Output has a space there, so no command can forge one. */
const NARRATION = '▸ '

/** Of output, waiting to be written at most, apart from the chunk that is just being handed over. */
const ENOUGH_WAITING = 1_048_576
const LONGEST_NARRATION = 8192

/** Makes the writer of an open log; the clock is in milliseconds since 1970. */
export function createLogWriter(parts: WriterParts): LogWriter {
  const { masker, stamper } = parts
  const now = createTimeStamps(parts.clock)
  const queue = createQueue(parts)
  const stream = masker.stream()
  const newest = createNewest()
  let isLineStart = !parts.isWithinLine

  const output = (bytes: Buffer) => {
    if (bytes.length === 0) return
    newest.add(bytes)
    stamper.stamp(bytes, { stamp: `${now()} `, isLineStart }, queue.add)
    isLineStart = bytes.at(-1) === LINE_FEED
  }
  const room = async () => {
    await queue.tryToBeBelow(ENOUGH_WAITING)
    queue.assertBelow(ENOUGH_WAITING)
  }
  const flush = () => output(stream.flush())
  const narrate = (text: string) => {
    const shown = cut(oneLine(masker.mask(text)), LONGEST_NARRATION)
    // What the mask keeps back stays behind this line: written here, half a secret could get out.
    queue.addLine(Buffer.from(`${isLineStart ? '' : '\n'}${now()}${NARRATION}${shown}\n`))
    isLineStart = true
  }

  return {
    write(chunk) {
      output(stream.push(chunk))
      return queue.isOpenBelow(ENOUGH_WAITING) ? undefined : room()
    },
    async line(text) {
      narrate(text)
      await queue.tryToBeBelow(1)
    },
    async announce(text) {
      narrate(text)
      await queue.tryToBeBelow(1)
      queue.assertBelow(1)
    },
    lastLines: (count) => newest.lines(stream.peek(), count),
    flush,
    mark() {
      flush()
      newest.clear()
    },
    close() {
      flush()
      return queue.close()
    },
  }
}

const LINE_FEED = 0x0a

/** Many chunks come within a millisecond. */
function createTimeStamps(clock: () => number): () => string {
  let at: number | undefined
  let stamp = ''
  return () => {
    const now = clock()
    if (now !== at) stamp = new Date(now).toISOString()
    at = now
    return stamp
  }
}

const TRY_AGAIN_MS = 1_000

/** Writes to the file one batch after the other, and again what the disk did not take. */
function createQueue({ file, name, onGrowth, onClose, onWritten }: WriterParts) {
  const waiting = createPages()
  /** The attempt that is under way. */
  let batch: Promise<void> | undefined
  /** Why the last attempt failed, if it did. */
  let failure: Error | undefined
  let again: NodeJS.Timeout | undefined
  let closing: Promise<void> | undefined
  let isWritten = false

  const unwritable = (thrown: unknown) =>
    problem('log_unwritable', { file: name, cause: messageOf(thrown) }, thrown)
  const writeBatch = async () => {
    clearTimeout(again)
    const before = file.end()
    failure = await file.append(waiting.all()).then(() => undefined, unwritable)
    waiting.drop(file.end() - before)
    if (failure !== undefined) again = setTimeout(start, TRY_AGAIN_MS).unref()
    batch = failure === undefined && waiting.size() > 0 ? writeBatch() : undefined
    onGrowth()
  }
  const start = () => {
    if (waiting.size() > 0) batch ??= writeBatch()
  }
  const tryToBeBelow = async (bytes: number) => {
    if (waiting.size() >= bytes) start()
    while (batch !== undefined && waiting.size() >= bytes) await batch
  }
  const letGo = () => {
    if (!isWritten) onWritten()
    isWritten = true
  }
  const writeAll = async () => {
    if (isWritten) return
    try {
      await tryToBeBelow(1)
      if (failure !== undefined) throw failure
      await file.sync()
      await file.close()
      letGo()
    } catch (thrown) {
      throw thrown === failure ? thrown : unwritable(thrown)
    }
  }
  const writeAllLater = () => {
    const tryNow = () => writeAll().catch((thrown: unknown) => (isGone(thrown) ? giveUp() : writeAllLater()))
    setTimeout(() => void tryNow(), TRY_AGAIN_MS).unref()
  }
  const giveUp = () => file.close().then(letGo, letGo)
  const finish = async () => {
    try {
      await writeAll()
    } catch (thrown) {
      writeAllLater()
      throw thrown
    } finally {
      onClose()
    }
  }
  /** How many of the bytes the disk takes at once: none while others wait before them. */
  const taken = (line: Buffer): number => {
    if (waiting.size() > 0) return 0
    try {
      return file.appendNow(line)
    } catch {
      return 0 // it says why when it is tried again
    }
  }
  return {
    /** A line of our own. Where nothing waits before it, and the disk takes it, it is in the file now. */
    addLine(line: Buffer) {
      if (closing !== undefined) return
      const size = taken(line)
      if (size > 0) onGrowth()
      if (size < line.length) waiting.add(line.subarray(size))
      if (failure === undefined) start()
    },
    add(bytes: Buffer) {
      if (closing !== undefined) return
      waiting.add(bytes)
      if (failure === undefined) start()
    },
    /** Answers when less is left to be written, or when the disk takes no more for now. */
    tryToBeBelow,
    isOpenBelow: (bytes: number) => closing === undefined && waiting.size() < bytes,
    assertBelow(bytes: number) {
      if (closing !== undefined) throw unwritable('it is closed')
      if (failure !== undefined && waiting.size() >= bytes) throw failure
    },
    close: () => (closing = closing === undefined ? finish() : closing.catch(writeAll)),
  }
}

/** Somebody has deleted the log: nothing can be written there, and nobody would read it. */
const isGone = (thrown: unknown): boolean => {
  const cause: unknown = thrown instanceof FerrymanError ? thrown.cause : thrown
  return cause instanceof Error && Reflect.get(cause, 'code') === 'ENOENT'
}
