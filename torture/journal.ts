/** `start ID STEP PID`, `end ID STEP EXIT`, `overlap ID STEP LANE`: what the commands wrote; ids are Ferryman's own. */
export interface JournalLine {
  readonly what: string
  readonly deployment: number
  readonly step: number
  readonly rest: string
}

/** Reads what commands/deploy.sh has written. */
export const linesOf = (text: string): JournalLine[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [what = '', deployment = '', step = '', rest = ''] = line.split(' ')
      return { what, deployment: Number(deployment), step: Number(step), rest }
    })
