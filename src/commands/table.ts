import { oneLine } from '../logs/one-line.ts'

/** Rows as lines with aligned columns; what comes from outside moves no cursor and forges no line. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows].map((row) => row.map(oneLine))
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  return all
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** `2026-11-25 10:24:57`, in UTC as in the logs. */
export const moment = (at: string): string => at.slice(0, 19).replace('T', ' ')
