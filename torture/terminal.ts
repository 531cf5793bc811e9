/** Progress while it runs, and the lines that stay. */
export interface Terminal {
  /** On a terminal in place of what was said before, else a line each. */
  progress(text: string): void
  /** Stays. */
  line(text: string): void
  /** Takes the progress away. */
  clear(): void
  readonly green: (text: string) => string
  readonly red: (text: string) => string
}

/** Writes progress to one stream and what stays to another; colours only where the latter is a terminal. */
export function createTerminal(
  progress: Pick<NodeJS.WriteStream, 'isTTY' | 'write'>,
  lines: Pick<NodeJS.WriteStream, 'isTTY' | 'write'>,
  noColour: boolean,
): Terminal {
  const clear = (): void => void (progress.isTTY && progress.write('\r\u001b[K'))
  const paint = (code: number) => (text: string) =>
    lines.isTTY && !noColour ? `\u001b[${code}m${text}\u001b[39m` : text
  return {
    progress: (text) => void progress.write(progress.isTTY ? `\r\u001b[K${text}` : `${text}\n`),
    line(text) {
      clear()
      lines.write(`${text}\n`)
    },
    clear,
    green: paint(32),
    red: paint(31),
  }
}
