import { printable } from '../logs/one-line.ts'

/** An answer for programs; nothing in it is more than something to read for the terminal either. */
export const asJson = (answer: unknown): string => `${printable(JSON.stringify(answer, undefined, 2))}\n`
