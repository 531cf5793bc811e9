import { messageOf, problem } from '../errors.ts'
import { createNewest } from './newest-lines.ts'
import { cut, oneLine } from './one-line.ts'
import type { Masker } from './redact.ts'
import type { SegmentWriter } from './segments.ts'

/** Writes one log while its deployment runs. Rejects with `log_unwritable`, and never hangs. */
export interface LogWriter {
  /** Output of a command, as it comes. Wait for the answer before reading more from the command. */
  readonly write: (chunk: Buffer) => Promise<void>
  /** A line of our own, such as `$ git fetch`; it is in the file when this answers. */
  readonly line: (text: string) => Promise<void>
  /** The newest lines of the current step's output, oldest first, without colours and empty lines, masked. */
  readonly lastLines: (count: number) => string[]
  /** A command has ended: writes what was kept back of its output, so that the next line comes after it. */
  readonly flush: () => void
  /** Begins a new step: what was kept back of the output before is written, and `lastLines` starts anew. */
  readonly mark: () => void
  /** Writes everything to the disk and ends all readers that follow. Says only what was not said before. */
  readonly close: () => Promise<void>
}

export interface WriterParts {
  readonly file: SegmentWriter
  /** How the log is named in problems. */
  readonly name: string
  /** Whether the log so far breaks off within a line. */
  readonly isWithinLine: boolean
  readonly masker: Masker
  readonly clock: () => number
  /** There is more to read. */
  readonly onGrowth: () => void
  /** Nothing more will come. */
  readonly onClose: () => void
}

/** What follows the time stamp of our own lines. Output has a space there, so no command can forge one. */
const NARRATION = '▸ '

/** Waiting to be written at most, apart from the chunk that is just being handed over. */
const ENOUGH_WAITING = 1_048_576
const LONGEST_NARRATION = 8192

/** Makes the writer of an open log; the clock is in milliseconds since 1970. */
export function createLogWriter(parts: WriterParts): LogWriter {
  const { masker, clock } = parts
  const queue = createQueue(parts)
  const stream = masker.stream()
  const newest = createNewest()
  let isLineStart = !parts.isWithinLine

  const output = (bytes: Buffer) => {
    if (bytes.length === 0) return
    newest.add(bytes)
    queue.add(stampLines(bytes, `${stampAt(clock())} `, isLineStart))
    isLineStart = bytes.at(-1) === LINE_FEED
  }
  const flush = () => output(stream.flush())

  return {
    write(chunk) {
      output(stream.push(chunk))
      return queue.whenBelow(ENOUGH_WAITING)
    },
    line(text) {
      const shown = cut(oneLine(masker.mask(text)), LONGEST_NARRATION)
      // What the mask keeps back stays behind this line: written here, half a secret could get out.
      queue.add(Buffer.from(`${isLineStart ? '' : '\n'}${stampAt(clock())}${NARRATION}${shown}\n`))
      isLineStart = true
      return queue.whenBelow(1)
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

const stampAt = (now: number) => new Date(now).toISOString()

/** One string operation for the whole chunk; latin1 keeps every byte as it is. */
function stampLines(bytes: Buffer, stamp: string, isLineStart: boolean): Buffer {
  const text = bytes.toString('latin1')
  const endsLine = bytes.at(-1) === LINE_FEED
  const body = (endsLine ? text.slice(0, -1) : text).replaceAll('\n', `\n${stamp}`)
  return Buffer.from(`${isLineStart ? stamp : ''}${body}${endsLine ? '\n' : ''}`, 'latin1')
}

/** Writes to the file one batch after the other, and remembers the first failure. */
function createQueue({ file, name, onGrowth, onClose }: WriterParts) {
  let waiting: Buffer[] = []
  let unwritten = 0
  let batch: Promise<void> | undefined
  let failure: Error | undefined
  let wasTold = false
  let closing: Promise<void> | undefined

  const fail = (thrown: unknown) => {
    failure ??= problem('log_unwritable', { file: name, cause: messageOf(thrown) }, thrown)
    waiting = []
    unwritten = 0
  }
  const tell = (told: Error): never => {
    wasTold = true
    throw told
  }
  const writeBatch = async () => {
    const [bytes, others] = takeBatch(waiting)
    waiting = others
    try {
      await file.append(bytes)
      unwritten -= bytes.length
    } catch (thrown) {
      fail(thrown)
    }
    batch = waiting.length > 0 ? writeBatch() : undefined
    onGrowth()
  }
  const shrink = async (bytes: number) => {
    const isBelow = () => batch === undefined || unwritten < bytes
    while (!isBelow()) await batch
  }
  const whenBelow = async (bytes: number) => {
    await shrink(bytes)
    if (failure !== undefined) tell(failure)
  }
  const finish = async () => {
    await shrink(1)
    if (failure === undefined) await file.sync().catch(fail)
    await file.close().catch(fail)
    onClose()
    const untold = wasTold ? undefined : failure
    failure ??= problem('log_unwritable', { file: name, cause: 'it is closed' })
    if (untold !== undefined) tell(untold)
  }
  return {
    add(bytes: Buffer) {
      if (failure !== undefined || closing !== undefined) return
      waiting.push(bytes)
      unwritten += bytes.length
      batch ??= writeBatch()
    },
    whenBelow,
    close: () => (closing ??= finish()),
  }
}

const BATCH_BYTES = 262_144

/** Small writes become one; what is taken at a time is small enough that writing and masking overlap. */
function takeBatch(waiting: readonly Buffer[]): [batch: Buffer, others: Buffer[]] {
  let size = 0
  const count = waiting.findIndex((bytes) => (size += bytes.length) >= BATCH_BYTES) + 1
  const taken = count === 0 ? waiting : waiting.slice(0, count)
  const [only] = taken
  return [taken.length === 1 && only ? only : Buffer.concat(taken), count === 0 ? [] : waiting.slice(count)]
}
