import { resolve } from 'node:path'

import type { PlaybookOptions, Value, Variable } from '../deployment/recipe.ts'
import { NO_FILE_OF_HOSTS, type VariableSetting } from './ansible.ts'
import { placeholdersIn } from './placeholders.ts'
import type { Path } from './positions.ts'
import { hasReference, type Variables } from './references.ts'
import type { EnvironmentEntry } from './schema.ts'
import { readValue } from './values.ts'
import type { Level } from './work.ts'

export interface PlaybookContext {
  /** The name of the environment. */
  readonly environment: string
  /** Relative paths of `ansible` begin here. */
  readonly base: string
  /** Relative `{file: path}` begin here. */
  readonly directory: string
  readonly variables: Variables
  readonly complain: (path: Path, message: string) => void
}

/** A text of the configuration that may hold secrets. */
export interface ReadText {
  readonly path: Path
  readonly value: Value
  readonly text: string
  /** The texts in it that must not be shown. */
  readonly secrets: readonly string[]
}

/**
 * What the levels say under `ansible`. Each key counts where it stands first, from the nearest level on;
 * `extra_vars` are joined name by name.
 */
export function readPlaybookOptions(
  levels: readonly Level[],
  context: PlaybookContext,
): { readonly options: PlaybookOptions; readonly texts: readonly ReadText[] } {
  const said = Object.assign({}, ...levels.toReversed().map(({ entry }) => entry.ansible)) as Entry
  const path = (given: string | undefined): string | undefined =>
    given === undefined ? undefined : resolve(context.base, given)
  const texts: ReadText[] = []
  const options: PlaybookOptions = {
    limit: readLimit(levels, context),
    tags: said.tags ?? [],
    skipTags: said.skip_tags ?? [],
    extraVars: readVariables(levels, context, texts),
    vaultPasswordFile: path(said.vault_password_file),
    requirements: path(said.requirements),
    config: path(said.config),
  }
  complainOfTwice(levels, context)
  return { options, texts }
}

type Entry = NonNullable<EnvironmentEntry['ansible']>

/** Where a key of `ansible` stands that is looked for from the nearest level on. */
function find<Key extends keyof Entry>(levels: readonly Level[], key: Key) {
  for (const { entry, path } of levels) {
    const value = entry.ansible?.[key]
    if (value !== undefined) return { value, path: [...path, 'ansible', key] }
  }
  return undefined
}

/** Nobody outside can choose a host: of all placeholders only the name that stands in this file. */
function readLimit(levels: readonly Level[], { environment, complain }: PlaybookContext): string | undefined {
  const found = find(levels, 'limit')
  if (found === undefined) return undefined
  const [wrong] = placeholdersIn(found.value).filter((name) => !FILLED.has(name))
  if (wrong !== undefined) complain(found.path, `{${wrong}} is not filled here; only {environment} is`)
  if (hasReference(found.value))
    complain(found.path, 'would be seen in `ps`; write the pattern as it is, without ${…}')
  const limit = found.value.replaceAll(/\{(?:environment|env)\}/g, environment)
  if (!NO_FILE_OF_HOSTS.test(limit))
    complain(found.path, `would be a file of hosts, with the name of this environment: ${limit}`)
  return limit
}
const FILLED = new Set(['environment', 'env'])

/** One file of settings, named in one way. */
function complainOfTwice(levels: readonly Level[], { complain }: PlaybookContext): void {
  const found = find(levels, 'config')
  const isInEnv = levels.some(({ entry }) => entry.env?.['ANSIBLE_CONFIG'] !== undefined)
  if (found !== undefined && isInEnv)
    complain(found.path, 'is named by ANSIBLE_CONFIG under `env` as well; write one of them')
}

function readVariables(
  levels: readonly Level[],
  context: PlaybookContext,
  texts: ReadText[],
): Readonly<Record<string, Variable>> {
  const read = new Map<string, Variable>()
  for (const { entry, path } of levels)
    for (const [name, given] of Object.entries(entry.ansible?.extra_vars ?? {})) {
      if (read.has(name)) continue
      const at = [...path, 'ansible', 'extra_vars', name]
      const file = fileOf(given)
      const readText = createTextReader(context, texts)
      read.set(name, file === undefined ? readVariable(given, name, at, readText) : readText(file, name, at))
    }
  return Object.fromEntries(read)
}

/** `{file: path}` counts as a reference right below a name, as it does in `env`. */
function fileOf(given: VariableSetting): { readonly file: string } | undefined {
  if (typeof given !== 'object' || !('file' in given) || Object.keys(given).length > 1) return undefined
  return typeof given.file === 'string' ? { file: given.file } : undefined
}

type ReadOne = (given: string | { readonly file: string }, name: string, path: Path) => Variable

const createTextReader =
  ({ directory, variables, complain }: PlaybookContext, texts: ReadText[]): ReadOne =>
  (given, name, path) => {
    const value = readValue(given, { name, path, directory, environment: variables })
    if ('wrong' in value) {
      complain(path, value.wrong)
      return { plain: false } // nothing is run with it
    }
    texts.push({ path, ...value })
    return { text: value.value }
  }

/** The items of a list are called what the list is. */
function readVariable(given: VariableSetting, name: string, path: Path, readText: ReadOne): Variable {
  if (typeof given === 'string') return readText(given, name, path)
  if (typeof given !== 'object') return { plain: given }
  if (isList(given))
    return { list: given.map((item, index) => readVariable(item, name, [...path, index], readText)) }
  const entries = Object.entries(given)
  return {
    mapping: Object.fromEntries(
      entries.map(([key, inner]) => [key, readVariable(inner, key, [...path, key], readText)]),
    ),
  }
}

const isList = (given: object): given is readonly VariableSetting[] => Array.isArray(given)
