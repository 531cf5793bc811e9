/** What one measurement found. */
export interface Findings {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** The disk's median fsync in ms while it was measured, where it matters. */
  readonly fsync?: number
  readonly goals: readonly Goal[]
}

/** A ratio of this run, and what it should be at least or at most. Without a ratio something was missing. */
interface Goal {
  readonly what: string
  readonly ratio: number | undefined
  readonly least?: number
  readonly most?: number
  /** What the number is, where it is no ratio. */
  readonly unit?: string
}

export const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`
export const rate = (value: number): string => Math.round(value).toLocaleString('en')
export const megabytes = (value: number): string => `${Math.round(value)} MB`

/** The findings as a text: a table each, then every goal beside what was reached. */
export function describe(all: readonly Findings[], colour: boolean): string {
  const tables = all.map(({ title, head, rows, fsync }) => {
    const disk = fsync === undefined ? '' : ` (fsync ${ms(fsync)})`
    return `\n${title}${disk}\n${columns(head.length === 0 ? rows : [head, ...rows])}`
  })
  const goals = all.flatMap((found) => found.goals.map((goal) => goalRow(goal, found.fsync, colour)))
  return `${tables.join('\n')}\n\nGoals\n${columns([['', 'measured', 'goal', 'fsync', ''], ...goals])}\n`
}

function goalRow(
  { what, ratio, least, most, unit = '×' }: Goal,
  fsync: number | undefined,
  colour: boolean,
): string[] {
  const goal = least === undefined ? `≤ ${most} ${unit}` : `≥ ${least} ${unit}`
  if (ratio === undefined) return [what, '–', goal, '', 'not measured']
  const met = least === undefined ? ratio <= Number(most) : ratio >= least
  const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[39m` : text)
  const measured = `${unit === '×' ? ratio.toFixed(2) : Math.round(ratio)} ${unit}`
  return [
    what,
    measured,
    goal,
    fsync === undefined ? '' : ms(fsync),
    met ? paint(32, 'met') : paint(31, 'missed'),
  ]
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, index) => Math.max(...rows.map((row) => (row[index] ?? '').length)))
  const cell = (text: string, index: number) =>
    index === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[index] ?? 0)
  return rows
    .map((row) =>
      `  ${row.map((text, index) => (index === row.length - 1 && index > 3 ? text : cell(text, index))).join('   ')}`.trimEnd(),
    )
    .join('\n')
}
