import { load, YAMLException } from 'js-yaml'

import { keyOfEnvironment, locate, YAML_SCHEMA, type Path, type Positions } from './positions.ts'
import { createProblemList, type ConfigProblem } from './problems.ts'

export type Mapping = Readonly<Record<string, unknown>>

export interface ConfigDocument {
  /** Plain mappings, lists, texts, numbers; without the keys that begin with `x-`. */
  readonly root: unknown
  readonly positions: Positions
}

/** What has one of these of its own is no longer what it seems, or cannot even be shown. */
const MEANT_OTHERWISE = ['__proto__', 'toString', 'valueOf']
const MAX_ALIASES = 100
/** Aliases of aliases make much of little; no configuration needs more. */
const MAX_VALUES = 100_000

/** Reads YAML text; `file` and the keys that it could have are only for the problems. */
export function readDocument(
  file: string,
  text: string,
  keys = 'github and repositories',
): { readonly document: ConfigDocument } | { readonly problems: readonly ConfigProblem[] } {
  try {
    const positions = locate(text)
    const problems = createProblemList(file, positions)
    for (const { path, position, first } of positions.duplicates)
      problems.addAt(position, path, `is here for the second time; the first is on line ${first.line}`)
    for (const { path, position } of positions.endless)
      problems.addAt(position, path, 'is an alias inside of what it names')
    if (!problems.isEmpty) return { problems: problems.all }
    const root = load(text, { schema: YAML_SCHEMA, json: true, maxAliases: MAX_ALIASES })
    const document = { root: createCopy((path, message) => problems.add(path, message))(root, []), positions }
    return problems.isEmpty ? { document } : { problems: problems.all }
  } catch (thrown) {
    if (!(thrown instanceof YAMLException)) throw thrown
    const { line, column } = thrown.mark ?? { line: 0, column: 0 }
    const problems = createProblemList(file, { at: () => ({ line: line + 1, column: column + 1 }) })
    problems.add([], reasonOf(thrown, keys))
    return { problems: problems.all }
  }
}

export const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Without quoting what was written: a password that begins with `*` or `!` would be in it. */
function reasonOf({ reason }: YAMLException, keys: string): string {
  if (reason.includes('input is empty')) return `expected keys such as ${keys}, got an empty file`
  if (reason.includes('alias "')) return 'this alias names no anchor; quote a text that begins with *'
  if (reason.startsWith('unknown')) return 'unknown tag; quote a text that begins with !'
  if (reason === 'deficient indentation')
    return 'a {, a [ or a quote above is not closed, or what is inside of it is not indented'
  return reason.includes('flow')
    ? `${reason}; inside of { } and [ ] quote a text that has braces or brackets`
    : reason
}

/** A copy in which nothing is shared, so that what is done to one place happens there only. */
function createCopy(refuse: (path: Path, message: string) => void) {
  let count = 0
  const copy = (value: unknown, path: Path): unknown => {
    count += 1
    if (count === MAX_VALUES) refuse([], `holds more than ${MAX_VALUES} values, aliases counted`)
    if (count >= MAX_VALUES) return undefined
    if (Array.isArray(value)) return value.map((item, index) => copy(item, [...path, index]))
    if (!isMapping(value)) return value
    const entries = Object.entries(value).filter(([key]) => !isFreeKey(key) || isInVariable(path))
    for (const name of MEANT_OTHERWISE)
      if (Object.hasOwn(value, name)) refuse([...path, name], 'cannot be used as a name')
    return Object.fromEntries(entries.map(([key, inner]) => [key, copy(inner, [...path, key])]))
  }
  return copy
}

/** Inside of a variable for a playbook every key is meant, also `x-frame-options`. */
const isInVariable = (path: Path): boolean => keyOfEnvironment(path).startsWith('ansible.extra_vars.')

/** `x-…` is for notes and anchors everywhere; `x-owner/name` is a repository. */
const isFreeKey = (key: string): boolean => /^x-[^/]*$/.test(key)
