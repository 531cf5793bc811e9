/** Writes lines, those of one moment together: a call to the system costs more than a line. */
export interface LineWriter {
  /** What is given until the work at hand is over is written in one. */
  write(line: string): void
  /** Writes at once what was given, as a program does that ends. */
  flush(): void
}

/** Makes a writer of lines; `write` is given whole ones. */
export function createLineWriter(write: (lines: string) => void): LineWriter {
  let waiting = ''
  const flush = (): void => {
    const lines = waiting
    waiting = ''
    if (lines !== '') write(lines)
  }
  return {
    write(line) {
      if (waiting === '') queueMicrotask(flush)
      waiting += line
    },
    flush,
  }
}
