import { createNewest } from './newest-lines.ts'
import type { LogWriter } from './logs.ts'
import { oneLine } from './one-line.ts'
import { createPlainText } from './plain-text.ts'
import type { Masker } from './redact.ts'

export interface LiveLogParts {
  readonly masker: Masker
  /** Shows them to whoever reads along; answers when there is room for more, or nobody reads any longer. */
  show(bytes: Buffer): Promise<void>
  /** Aborted when it has to end: from then on nothing waits for the reader. */
  readonly ending: AbortSignal
}

/**
 * A log that nobody keeps: it goes to whoever reads along, secrets masked, and as plain text, since a terminal shows it.
 * What is written waits for the reader.
 */
export function createLiveLog({ masker, show, ending }: LiveLogParts): LogWriter {
  const stream = masker.stream()
  const plain = createPlainText(new WeakMap())
  const newest = createNewest()
  let isLineStart = true

  const output = (bytes: Buffer): Promise<void> => {
    newest.add(bytes)
    return tell(plain.push(Buffer.from(bytes))) // who reads may take them only when other bytes stand there
  }
  const tell = async (bytes: Buffer): Promise<void> => {
    if (bytes.length === 0) return
    isLineStart = bytes.at(-1) === LINE_FEED
    await unlessAborted(ending, show(bytes))
  }
  const flush = (): void => {
    void output(stream.flush())
    void tell(plain.flush())
  }
  const line = (text: string): Promise<void> =>
    tell(Buffer.from(`${isLineStart ? '' : '\n'}▸ ${oneLine(masker.mask(text))}\n`))
  return {
    write: (chunk) => output(stream.push(chunk)),
    line,
    announce: line,
    lastLines: (count) => newest.lines(stream.peek(), count),
    flush,
    mark() {
      flush()
      newest.clear()
    },
    async close() {
      flush()
    },
  }
}

const LINE_FEED = 0x0a

/** Answers when that is done, or need not be waited for any longer. */
function unlessAborted(signal: AbortSignal, doing: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      signal.removeEventListener('abort', end)
      resolve()
    }
    signal.addEventListener('abort', end, { once: true })
    doing.then(end, reject)
    if (signal.aborted) end()
  })
}
