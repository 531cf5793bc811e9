import { oneLine } from '../logs/one-line.ts'

/** One thing that was looked at: fine, doubtful or wrong, and what to do about it. */
export interface Finding {
  readonly mark: 'fine' | 'doubtful' | 'wrong'
  readonly text: string
  readonly hint?: string
}

export const fine = (text: string): Finding => ({ mark: 'fine', text })
export const doubtful = (text: string, hint: string): Finding => ({ mark: 'doubtful', text, hint })
export const wrong = (text: string, hint: string): Finding => ({ mark: 'wrong', text, hint })

const MARKS = { fine: ['✔', 32], doubtful: ['!', 33], wrong: ['✘', 31] } as const

/** A finding as one or two lines. */
export function lineFor({ mark, text, hint }: Finding, colour: boolean): string {
  const [sign, code] = MARKS[mark]
  const painted = colour ? `\u001b[${code}m${sign}\u001b[39m` : sign
  return `${painted} ${oneLine(text)}\n${hint === undefined || hint === '' ? '' : `    ${oneLine(hint)}\n`}`
}
