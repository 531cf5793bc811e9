import type { z } from 'zod'

import { REFUSED } from './ansible.ts'
import { closest } from './closest.ts'
import { isMapping } from './document.ts'
import { isConfidential } from './filled.ts'
import type { Path } from './positions.ts'
import { quoted } from './problems.ts'
import {
  configSchema,
  isOfOneEnvironment,
  keysAt,
  NOT_YET,
  repositoriesSchema,
  SECTIONS,
  type Repositories,
  type Settings,
} from './schema.ts'
import { flowList, splitWords } from './words.ts'
import { closestZone } from './zones.ts'

export interface Structure {
  /** Undefined when anything was wrong. */
  readonly settings: Settings | undefined
  /** What of the repositories could be read, so that the rest can be checked in the same go. */
  readonly repositories: Repositories
  /** Whether something is already said about this key, so that its absence is no news. */
  readonly isBroken: (path: Path) => boolean
}

/** Holds a document against the schema; every complaint goes to `complain`, with a path. */
export function checkStructure(root: unknown, complain: (path: Path, message: string) => void): Structure {
  // It is read once: to compile a parser for it, as Zod does for speed, takes longer.
  const { data, error } = configSchema.safeParse(root, { jitless: true })
  if (data !== undefined) return { settings: data, repositories: data.repositories, isBroken: () => false }
  const broken = new Set<string>()
  const complaints = error.issues.flatMap((issue) => complaintsOf(issue, root))
  for (const { path, meant } of complaints)
    if (meant !== undefined) broken.add(keyOf([...path.slice(0, -1), meant]))
  for (const { path, message } of complaints) {
    // What was misspelled is not missing as well.
    if (valueAt(root, path) !== undefined || !broken.has(keyOf(path))) complain(path, message)
    broken.add(keyOf(path))
  }
  const repositories = isMapping(root) ? soundPart(root['repositories'], broken) : {}
  return { settings: undefined, repositories, isBroken: (path) => broken.has(keyOf(path)) }
}

export interface Complaint {
  readonly path: Path
  readonly message: string
  /** The key that was probably meant. */
  readonly meant?: string | undefined
}

type Issue = z.core.$ZodIssue

/** What an issue of a schema means for people; `unknown` says it of a key that is none. */
export function complaintsOf(issue: Issue, root: unknown, unknown = unknownKey): Complaint[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknown([...path, key], key))
  if (issue.code === 'invalid_key') {
    const message = issue.issues[0]?.message ?? issue.message
    return [
      { path, message: message.startsWith('expected') ? `${message}, got ${quoted(path.at(-1))}` : message },
    ]
  }
  const value = valueAt(root, path)
  if (issue.code === 'invalid_union' && typeof value === 'object') {
    const inside = issue.errors.find((issues) => issues.every((one) => !isAboutKind(one)))
    if (inside !== undefined)
      return inside.flatMap((one) =>
        complaintsOf({ ...one, path: [...issue.path, ...one.path] }, root, unknown),
      )
  }
  if (value === undefined) return [{ path, message: `is missing: ${issue.message}` }]
  return [
    {
      path,
      message: `${issue.message}, got ${shown(path, value)}${advice(path, value)}`,
    },
  ]
}

/** Whether it says that the whole should be something else: a word, say, where it is a mapping. */
const isAboutKind = ({ code, path }: Issue): boolean =>
  path.length === 0 && (code === 'invalid_type' || code === 'invalid_value')

const shown = (path: Path, value: unknown): string =>
  isConfidential(path) && value !== null && typeof value !== 'object' ? '…' : quoted(value)

function unknownKey(path: Path, key: string): Complaint {
  if (NOT_YET.has(key)) return { path, message: 'not supported by this version' }
  if (path.length === 3 && path[0] === 'repositories' && isOfOneEnvironment(key))
    return {
      path,
      message: `belongs to one of the environments: write {environments: {production: {${key}: …}}}`,
    }
  const refused = path.at(-2) === 'ansible' ? REFUSED[key] : undefined
  if (refused !== undefined) return { path, message: refused }
  const known = keysAt(path.slice(0, -1)) ?? []
  const meant = closest(key, known)
  if (meant !== undefined) return { path, message: `unknown key; did you mean ${meant}?`, meant }
  const elsewhere = closest(key, Object.keys(HOMES))
  const hint =
    elsewhere === undefined
      ? `known here: ${known.join(', ')}`
      : `did you mean ${HOMES[elsewhere]}.${elsewhere}?`
  return { path, message: `unknown key; ${hint}` }
}
/** The section of each key that has one. */
const HOMES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(SECTIONS).flatMap(([section, keys]) => Object.keys(keys).map((key) => [key, section])),
)

/** What to write instead, where we can tell. */
function advice(path: Path, value: unknown): string {
  if (path.at(-1) === 'zone' && typeof value === 'string') {
    const meant = closestZone(value)
    return meant === undefined ? '' : `: did you mean ${meant}?`
  }
  const [key, index] = path.slice(path.lastIndexOf('commands'))
  if (key !== 'commands' || path[0] !== 'repositories') return ''
  const isWord = path.length - path.lastIndexOf('commands') === 3
  if (isWord && (typeof value === 'number' || typeof value === 'boolean')) return `: quote it, "${value}"`
  if (isWord || typeof value !== 'string') return ''
  const split = splitWords(value)
  const list = 'words' in split && split.words.length > 0 ? flowList(split.words) : undefined
  if (list === undefined) return ''
  return index === undefined ? `: write [${list}]` : `: write ${list}`
}

/** Takes out what is wrong, key by key, until the rest fits the schema; what goes with it is broken as well. */
function soundPart(given: unknown, broken: Set<string>): Repositories {
  let rest: unknown = without(given, ['repositories'], broken)
  for (let round = 0; round < ROUNDS; round += 1) {
    const { data, error } = repositoriesSchema.safeParse(rest)
    if (data !== undefined) return data
    const wrong = new Set(error.issues.map(({ path }) => keyOf(['repositories', ...present(rest, path)])))
    rest = without(rest, ['repositories'], wrong)
    for (const one of wrong) broken.add(one)
  }
  return {}
}
const ROUNDS = 5

/** As much of the path as is there: where a key is missing that has to be there, what it is missing in goes. */
function present(value: unknown, path: readonly PropertyKey[]): string[] {
  const parts = path.map(String)
  const end = parts.findIndex((_, index) => valueAt(value, parts.slice(0, index + 1)) === undefined)
  return end === -1 ? parts : parts.slice(0, end)
}

/** Without the values at these paths. A list with a wrong item goes as a whole, but for commands: the others are checked too. */
function without(value: unknown, path: Path, wrong: ReadonlySet<string>): unknown {
  if (wrong.has(keyOf(path))) return undefined
  if (Array.isArray(value)) {
    const rest = value.map((item, index) => without(item, [...path, index], wrong) ?? standIn(path))
    return rest.includes(undefined) ? undefined : rest
  }
  if (!isMapping(value)) return value
  const rest = Object.entries(value).map(
    ([key, inner]) => [key, without(inner, [...path, key], wrong)] as const,
  )
  return Object.fromEntries(rest.filter(([, inner]) => inner !== undefined))
}

const standIn = (list: Path): unknown =>
  list.at(-1) === 'commands' ? ['true'] : list.at(-2) === 'commands' ? 'true' : undefined

const valueAt = (root: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, part)
        ? (value as Record<string | number, unknown>)[part]
        : undefined,
    root,
  )

const keyOf = (path: Path): string => JSON.stringify(path.map(String))
