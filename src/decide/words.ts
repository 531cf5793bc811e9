/** `30 min`, `1 h 30 min`, `2 d`: a length of time as people say it. */
export function span(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor((seconds % 86_400) / 3_600), 'h'],
    [Math.floor((seconds % 3_600) / 60), 'min'],
    [seconds % 60, 's'],
  ] as const
  const told = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`)
  return told.join(' ')
}

/** The first seven digits, as git and GitHub show a commit. */
export const short = (sha: string): string => sha.slice(0, 7)
