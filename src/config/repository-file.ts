import { z } from 'zod'

import {
  ALLOWABLE,
  IN_WORKSPACE,
  wordsOf,
  type Allowable,
  type Command,
  type CommandsRecipe,
  type Hook,
  type Hooks,
  type InRepository,
} from '../deployment/recipe.ts'
import { closest } from './closest.ts'
import { readCommands } from './commands.ts'
import { isMapping, readDocument } from './document.ts'
import { expecting } from './expecting.ts'
import { readHealthCheck, readHooks } from './hooks.ts'
import type { Path, Positions } from './positions.ts'
import { createProblemList, type ConfigProblem } from './problems.ts'
import { RECIPE } from './recipe-schema.ts'
import { hasReference, unescaped } from './references.ts'
import { keysAt } from './schema.ts'
import { complaintsOf, type Complaint } from './structure.ts'
import { checkOneWay, originIn, type Level } from './work.ts'
import { folderInWorkspace } from './workspace.ts'

/** What the file says of one deployment. */
export interface Said extends InRepository {
  readonly text: string
  readonly environment: string
  readonly task: string
}

/** The recipe with what the file says instead, or everything that is wrong with the file, one line each. */
export type Reading = { readonly recipe: CommandsRecipe } | { readonly wrong: readonly string[] }

type Complain = (path: Path, message: string) => void

const { commands, deploy, folder, timeout, silence_timeout, hooks, health_check } = RECIPE
const LITERAL = 'a text, a number, true or false: what is secret belongs to the configuration of the server'
const SAYABLE = {
  commands,
  deploy,
  folder,
  timeout,
  silence_timeout,
  hooks,
  health_check,
  env: z
    .record(
      RECIPE.env.unwrap().keyType,
      z.union(
        [
          z.string().refine((given) => !given.includes('\0'), expecting('a text without NUL')),
          z.number(),
          z.boolean(),
        ],
        expecting(LITERAL),
      ),
      expecting('a mapping such as {NODE_ENV: production}'),
    )
    .optional(),
}
const part = z.strictObject(SAYABLE, expecting('a mapping with keys such as commands'))
const named = (what: string) => z.record(z.string(), part, expecting(what)).optional()
const FILE = {
  ...SAYABLE,
  environments: named('a mapping of environments such as {production: {timeout: 10m}}'),
  tasks: named('a mapping of tasks such as {migrate: {commands: [[./migrate]]}}'),
}
const fileSchema = z.strictObject(FILE, expecting('a mapping with keys such as commands'))

/**
 * Reads what a commit says of its own deployment, as data: nothing of it is looked up anywhere else. Whatever the
 * configuration of the server does not allow is wrong, and so is all that would go beyond a limit or a variable of it. Pure.
 */
export function readRepositoryFile(recipe: CommandsRecipe, said: Said): Reading {
  const reading = readDocument(said.file, said.text, 'commands')
  if ('problems' in reading) return { wrong: reading.problems.map((one) => sentenceOf(said.file, one)) }
  const { root, positions } = reading.document
  const problems = createProblemList(said.file, positions)
  const complain: Complain = (path, message) => problems.add(path, message)
  const overlaid = read(recipe, said, { root, positions, complain })
  if (problems.isEmpty && overlaid !== undefined) return { recipe: overlaid }
  return { wrong: problems.all.map((one) => sentenceOf(said.file, one)) }
}

const sentenceOf = (file: string, { line, column, path, message }: ConfigProblem): string =>
  `${file}:${line ?? 1}:${column ?? 1} ${path === '' ? message : `${path}: ${message}`}`

interface Document {
  readonly root: unknown
  readonly positions: Positions
  readonly complain: Complain
}

function read(recipe: CommandsRecipe, said: Said, { root, positions, complain }: Document) {
  const { data, error } = fileSchema.safeParse(root)
  if (data === undefined) {
    for (const { path, message } of error.issues.flatMap((issue) => complaintsOf(issue, root, unknownKey)))
      complain(path, message)
    return undefined
  }
  refuseForbidden(root, said, complain)
  refuseTwins(data, complain)
  const levels = levelsFor(data, said)
  return overlay(recipe, levels, { positions, complain })
}

/** Some of the file, and where that stands. */
interface Part extends Level {
  readonly entry: z.output<typeof part>
}

/** The nearest first: what the file says of this environment, or of this task, and what it says of all. */
function levelsFor(data: z.output<typeof fileSchema>, { environment, task }: Said): readonly Part[] {
  const { environments = {}, tasks = {}, ...all } = data
  const level = (given: z.output<typeof part>, path: Path): Part => ({
    entry: given,
    path,
  })
  const find = (named: typeof environments, path: string, isMeant: (name: string) => boolean) =>
    Object.entries(named).flatMap(([name, given]) => (isMeant(name) ? [level(given, [path, name])] : []))
  const isDeploy = task === 'deploy'
  const isOurs = (name: string): boolean => name.toLowerCase() === environment.toLowerCase()
  const levels = [...find(environments, 'environments', isOurs), level(all, [])]
  return isDeploy ? levels : [...find(tasks, 'tasks', (name) => name === task), ...levels.map(around)]
}

/** What a task runs is never what a deployment runs; where, with what and for how long is the same. */
function around({ entry, path }: Part): Part {
  const { commands: _, deploy: __, hooks: ___, health_check: ____, ...rest } = entry
  return { entry: rest, path }
}

/** One of them would count, and nobody could say which. */
function refuseTwins({ environments = {} }: z.output<typeof fileSchema>, complain: Complain): void {
  const seen = new Map<string, string>()
  for (const name of Object.keys(environments)) {
    const first = seen.get(name.toLowerCase())
    if (first !== undefined) complain(['environments', name], `is the same environment as ${first}`)
    seen.set(name.toLowerCase(), name)
  }
}

const KEY_OF: Readonly<Record<string, Allowable>> = { deploy: 'commands' }

/** Also what is said of other environments is refused: nobody shall believe that it counts. */
function refuseForbidden(root: unknown, { allow }: Said, complain: Complain): void {
  const isAllowed = (key: string): boolean => {
    const name = KEY_OF[key] ?? key
    return (allow as readonly string[]).includes(name) || !(ALLOWABLE as readonly string[]).includes(name)
  }
  const look = (value: unknown, path: Path): void => {
    if (!isMapping(value)) return
    for (const key of Object.keys(value))
      if (!isAllowed(key))
        complain(
          [...path, key],
          `is for the configuration of the server, which allows ${allow.join(', ')} here (\`in_repository\`)`,
        )
  }
  look(root, [])
  if (!isMapping(root)) return
  for (const group of ['environments', 'tasks'])
    if (isMapping(root[group]))
      for (const [name, inner] of Object.entries(root[group])) look(inner, [group, name])
}

function overlay(
  recipe: CommandsRecipe,
  levels: readonly Part[],
  { positions, complain }: Pick<Document, 'positions' | 'complain'>,
): CommandsRecipe {
  const find = <Key extends keyof Part['entry']>(key: Key): Part['entry'][Key] =>
    levels.find(({ entry }) => entry[key] !== undefined)?.entry[key]
  const within = (key: 'timeout' | 'silence_timeout', most: number): number => {
    const seconds = find(key)
    if (seconds !== undefined && seconds > most)
      complain(
        originIn(levels, key),
        `is longer than the ${most} s that the configuration of the server allows`,
      )
    return seconds ?? most
  }
  for (const level of levels) checkOneWay(level, complain)
  const lists = levels.map(({ entry, path }) => readCommands(entry, path, complain))
  const folder = find('folder')
  const healthCheck = readHealthCheck(levels)
  const read = {
    ...recipe,
    commands: lists.find((list) => list !== undefined) ?? recipe.commands,
    folder: folder === undefined ? recipe.folder : folderInWorkspace(levels, folder, complain),
    env: { ...recipe.env, ...readEnv(recipe, levels, { positions, complain }) },
    timeoutSeconds: within('timeout', recipe.timeoutSeconds),
    silenceSeconds: within('silence_timeout', recipe.silenceSeconds),
    hooks: mergedHooks(recipe.hooks, levels, complain),
    ...(healthCheck === undefined ? {} : { healthCheck }),
  }
  if (lists.some((list) => list !== undefined))
    refuseUsers(read.commands, originIn(levels, 'commands'), complain)
  return read
}

/** Who it runs as is nothing that a commit decides. */
function refuseUsers(list: readonly Command[], path: Path, complain: Complain): void {
  list.forEach((command, index) => {
    if ('words' in command && command.runAs !== undefined)
      complain(
        [...path, index, 'run_as'],
        `who ${wordsOf(command)[0] ?? ''} runs as is for the configuration of the server`,
      )
  })
}

function readEnv(
  recipe: CommandsRecipe,
  levels: readonly Part[],
  { positions, complain }: Pick<Document, 'positions' | 'complain'>,
): CommandsRecipe['env'] {
  const read = new Map<string, { readonly literal: string }>()
  for (const { entry, path: levelPath } of levels)
    for (const [name, given] of Object.entries(entry.env ?? {})) {
      const path = [...levelPath, 'env', name]
      const text = typeof given === 'number' ? (positions.written(path) ?? String(given)) : String(given)
      if (Object.hasOwn(recipe.env, name)) complain(path, 'is set by the configuration of the server')
      if (hasReference(text))
        complain(
          path,
          'nothing is looked up for this file; set it in the configuration of the server, or write $${ for a plain ${',
        )
      if (!read.has(name)) read.set(name, { literal: unescaped(text) })
    }
  return Object.fromEntries(read)
}

const HOOK_KEYS = [
  ['before', 'before'],
  ['verify', 'verify'],
  ['after_success', 'afterSuccess'],
  ['after_failure', 'afterFailure'],
] as const

/** Of the hooks those that the file names take the place of the server's. */
function mergedHooks(hooks: Hooks, levels: readonly Level[], complain: Complain): Hooks {
  const said = levels.flatMap(({ entry }) => entry.hooks ?? [])
  if (said.length === 0) return hooks
  const path = originIn(levels, 'hooks')
  const read = readHooks(levels, {
    environment: '',
    variables: {},
    directory: IN_WORKSPACE,
    complain,
    isBroken: () => false,
  })
  const limit = said.find((one) => one.timeout !== undefined)?.timeout
  if (limit !== undefined && limit > hooks.timeoutSeconds)
    complain(
      [...path, 'timeout'],
      `is longer than the ${hooks.timeoutSeconds} s that the configuration of the server allows`,
    )
  const own = HOOK_KEYS.flatMap(([written, key]) => {
    if (said.every((one) => one[written] === undefined)) return []
    if (read[key].some((hook) => 'folder' in hook))
      complain([...path, written], 'a folder is for the configuration of the server; write commands')
    refuseUsers(read[key].flatMap(commandIn), [...path, written], complain)
    return [[key, read[key]]] as const
  })
  return { ...hooks, ...Object.fromEntries(own), timeoutSeconds: limit ?? hooks.timeoutSeconds }
}

const commandIn = (hook: Hook): readonly Command[] => ('command' in hook ? [hook.command] : [])

function unknownKey(path: Path, key: string): Complaint {
  const known =
    path.length === 1
      ? Object.keys(FILE)
      : path.length === 3 && path[0] !== 'hooks'
        ? Object.keys(SAYABLE)
        : []
  const isOfServer = known.length > 0 && keysAt(['repositories', 'acme/shop'])?.includes(key) === true
  if (isOfServer) return { path, message: 'is for the configuration of the server' }
  const meant = closest(key, known)
  if (meant !== undefined) return { path, message: `unknown key; did you mean ${meant}?`, meant }
  return {
    path,
    message: known.length === 0 ? 'unknown key' : `unknown key; known here: ${known.join(', ')}`,
  }
}
