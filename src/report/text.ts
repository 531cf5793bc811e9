import type { Deployment } from '../deployment/deployment.ts'

/** Cuts to a length in UTF-16 units, which is never less than in characters, with an ellipsis where something was cut. */
export function truncate(text: string, most: number): string {
  const whole = text.toWellFormed()
  if (whole.length <= most) return whole
  // A pair that was cut in two loses its first half as well.
  return `${whole
    .slice(0, most - 1)
    .replace(/[\uD800-\uDBFF]$/, '')
    .trimEnd()}…`
}

/** `0.4 s`, `12 s`, `2 min 5 s`, `1 h 2 min`: a duration as people say it. */
export function duration(milliseconds: number): string {
  if (milliseconds < 9_950) return `${(Math.max(0, milliseconds) / 1000).toFixed(1)} s`
  const seconds = Math.round(milliseconds / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** The first seven digits, as git and GitHub show a commit. */
export const short = (sha: string): string => sha.slice(0, 7)

/** One line without control characters, so that nobody forges a second one, or turns the text around. */
export const oneLine = (text: string): string =>
  text
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replaceAll(/[\p{Bidi_Control}\ufeff]/gu, '')
    .trim()

/** `1 host`, `3 hosts`. */
export const countOf = (number: number, thing: string): string =>
  `${number} ${thing}${number === 1 ? '' : 's'}`

/** `forced by ann: the sale begins`; undefined where nobody did. */
export const forceOf = ({ forced }: Pick<Deployment, 'forced'>): string | undefined =>
  forced && oneLine(`forced by ${forced.by}: ${forced.why}`)
