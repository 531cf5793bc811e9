import type { Reading } from './units.ts'

const FORM = 'changed("path/**"), with one or more patterns in quotes'
const CALL = /^\s*changed\s*\(\s*((?:"[^"]*"|'[^']*')(?:\s*,\s*(?:"[^"]*"|'[^']*'))*)\s*\)\s*$/

/** Reads when a command is run: the patterns in `changed("a/**", "b.txt")`, of files from the root of the repository. */
export function readCondition(given: string): Reading<readonly string[]> {
  const [, list] = CALL.exec(given) ?? []
  if (list === undefined) return { expected: FORM }
  const patterns = [...list.matchAll(/"([^"]*)"|'([^']*)'/g)].map(([, one, other]) => one ?? other ?? '')
  const wrong = patterns.map(wrongWith).find((one) => one !== undefined)
  return wrong === undefined ? { value: patterns } : { expected: wrong }
}

/** A pattern that no path could match would leave its command out for ever. */
function wrongWith(pattern: string): string | undefined {
  if (pattern === '') return FORM
  if (pattern.startsWith('!')) return `what has changed instead of what has not: "${pattern}" begins with "!"`
  if (/^\.{0,2}\//.test(pattern))
    return `a path from the root of the repository, such as db/**, instead of "${pattern}"`
  return pattern.endsWith('/') ? `"${pattern}**", which is everything in that folder` : undefined
}
