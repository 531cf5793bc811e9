/** Writes lines, those of one moment together: a call to the system costs more than a line. */
export interface LineWriter {
  /** What is given until the work at hand is over is written in one. Lost where too much waits already. */
  write(line: string): void
  /** Writes at once what was given, as a program does that ends. */
  flush(): void
}

export interface LineWriterParts {
  /** Is given whole lines. */
  write(lines: string): void
  /** How much of what it was given nobody has read yet. */
  waiting(): number
  /** So many lines in a row were lost. Said before the first line that is not. */
  onLost(count: number): void
}

/** More than this is not kept for a reader that stands still: whoever collects logs may hang for days. */
const MOST_WAITING = 8 * 1024 * 1024

/** Makes a writer of lines. */
export function createLineWriter({ write, waiting, onLost }: LineWriterParts): LineWriter {
  let given = ''
  let lost = 0
  const flush = (): void => {
    const lines = given
    given = ''
    if (lines !== '') write(lines)
  }
  return {
    write(line) {
      if (waiting() > MOST_WAITING) {
        lost += 1
        return
      }
      const count = lost
      lost = 0
      if (count > 0) onLost(count)
      if (given === '') queueMicrotask(flush)
      given += line
    },
    flush,
  }
}
