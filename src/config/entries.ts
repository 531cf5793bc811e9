import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'

import type { Value } from '../deployment/recipe.ts'
import { readCommands } from './commands.ts'
import type { EnvironmentConfig, RepositoryConfig } from './config.ts'
import { placeholdersIn } from './placeholders.ts'
import type { Path, Positions } from './positions.ts'
import type { Variables } from './references.ts'
import { DEFAULTS, type EnvironmentEntry, type Repositories } from './schema.ts'
import { readValue } from './values.ts'

export interface EntriesOptions {
  /** Relative paths are resolved against it. */
  readonly directory: string
  readonly variables: Variables
  readonly positions: Positions
  readonly complain: (path: Path, message: string) => void
  /** Whether something was already said about this key. */
  readonly isBroken: (path: Path) => boolean
}

export interface Entries {
  readonly repositories: ReadonlyMap<string, RepositoryConfig>
  readonly secrets: readonly string[]
  /** The literals that look like secrets. */
  readonly literals: readonly { readonly path: Path; readonly text: string }[]
}

/** Every environment with what it inherits; all that is wrong goes to `complain`. */
export function readEntries(repositories: Repositories, options: EntriesOptions): Entries {
  const read = new Map<string, RepositoryConfig>()
  const secrets: string[] = []
  const literals: Entries['literals'][number][] = []
  const folders = createFolderCheck(options)
  const isNewRepository = createTwinCheck('repository', options)

  for (const [name, { environments: given, ...shared }] of Object.entries(repositories)) {
    const path = ['repositories', name]
    isNewRepository([...path])
    const isNewEnvironment = createTwinCheck('environment', options)
    const environments = new Map<string, EnvironmentConfig>()
    const levels = given === undefined ? [{ name: 'production', own: undefined }] : namedLevels(given, path)
    for (const { name: environment, own } of levels) {
      if (own !== undefined) isNewEnvironment(own.path)
      const inherited = { entry: shared, path }
      const { env, ...rest } = readEnvironment(own === undefined ? [inherited] : [own, inherited], options)
      for (const one of env) {
        secrets.push(...one.secrets)
        if ('config' in one.value) literals.push({ path: one.path, text: one.text })
      }
      const config = assemble({ repository: name, environment, env, ...rest })
      if (rest.isPlaced) folders(config, rest.origin('folder'))
      environments.set(environment.toLowerCase(), config)
    }
    read.set(name.toLowerCase(), { name, environments })
  }
  return { repositories: read, secrets, literals }
}

/** An entry and where it stands: an environment's own, or the repository's. */
interface Level {
  readonly entry: EnvironmentEntry
  readonly path: Path
}

const namedLevels = (given: Readonly<Record<string, EnvironmentEntry>>, path: Path) =>
  Object.entries(given).map(([name, entry]) => ({
    name,
    own: { entry, path: [...path, 'environments', name] },
  }))

interface ReadVariable {
  readonly name: string
  readonly path: Path
  readonly value: Value
  readonly text: string
  readonly secrets: readonly string[]
}

type VariableSetting = NonNullable<EnvironmentEntry['env']>[string]

/** What the levels say together; the first that has a key wins, and `env` is joined name by name. */
function readEnvironment(levels: readonly Level[], options: EntriesOptions) {
  const { complain, isBroken, directory } = options
  const [nearest] = levels
  const level = (key: keyof EnvironmentEntry): Level | undefined =>
    levels.find(({ entry }) => entry[key] !== undefined)
  const origin = (key: keyof EnvironmentEntry): Path => [...((level(key) ?? nearest)?.path ?? []), key]
  const isUnmentioned = (...keys: (keyof EnvironmentEntry)[]): boolean =>
    !levels.some(({ path }) => keys.some((key) => isBroken([...path, key])))

  for (const one of levels) checkWork(one, complain)
  const work = levels.map((one) => readCommands(one.entry, one.path, complain))
  const commands = levels.find(({ entry }) => WORK.some((key) => entry[key] !== undefined))
  if (commands === undefined && isUnmentioned(...WORK))
    complain(origin('commands'), 'is missing: expected at least one command such as [git, fetch]')

  const folder = level('folder')?.entry.folder
  if (folder === undefined && isUnmentioned('folder'))
    complain(origin('folder'), 'is missing: expected where the commands run')

  const url = level('environment_url')?.entry.environment_url
  const [placeholder] = url === undefined ? [] : placeholdersIn(url)
  if (placeholder !== undefined)
    complain(origin('environment_url'), `{${placeholder}} is not filled here; write the address as it is`)

  return {
    origin,
    entry: Object.assign({}, ...levels.toReversed().map(({ entry }) => entry)) as EnvironmentEntry,
    folder: resolve(directory, folder ?? ''),
    /** Whether folder and lane are what somebody meant. */
    isPlaced: folder !== undefined && isUnmentioned('folder', 'lane'),
    commands: (commands === undefined ? undefined : work[levels.indexOf(commands)]) ?? [],
    env: readVariables(levels, options),
  }
}

const WORK = ['commands', 'deploy', 'ansible_hosts', 'ansible_playbook'] as const

/** One way to say what to do, in each entry for itself. */
function checkWork({ entry, path }: Level, complain: EntriesOptions['complain']): void {
  const { commands, deploy, ansible_hosts: hosts, ansible_playbook: playbook } = entry
  const isAnsible = hosts !== undefined || playbook !== undefined
  const isGated = entry.required_contexts === 'all' || (entry.required_contexts?.length ?? 0) > 0
  if (isGated) complain([...path, 'required_contexts'], NO_GATE)
  if (commands !== undefined && deploy !== undefined)
    complain([...path, 'deploy'], 'stands beside commands; write one of them')
  if (isAnsible && (commands ?? deploy) !== undefined)
    complain(
      [...path, playbook === undefined ? 'ansible_hosts' : 'ansible_playbook'],
      `stands beside ${commands === undefined ? 'deploy' : 'commands'}; write one of them`,
    )
  if (isAnsible && playbook === undefined)
    complain([...path, 'ansible_hosts'], 'needs ansible_playbook beside it')
  if (isAnsible && hosts === undefined)
    complain([...path, 'ansible_playbook'], 'needs ansible_hosts beside it')
  if (hosts !== undefined && playbook !== undefined)
    complain([...path, 'ansible_playbook'], 'not supported by this version; write the call as a command')
}

function readVariables(
  levels: readonly Level[],
  { directory, variables, positions, complain }: EntriesOptions,
) {
  const read = new Map<string, ReadVariable>()
  for (const { entry, path: levelPath } of levels)
    for (const [name, given] of Object.entries(entry.env ?? {})) {
      if (read.has(name)) continue
      const path = [...levelPath, 'env', name]
      const value = readValue(textOf(given, positions.written(path)), {
        path,
        directory,
        environment: variables,
      })
      if ('wrong' in value) complain(path, value.wrong)
      else read.set(name, { name, path, ...value })
    }
  return [...read.values()]
}

/** A number is handed on as it was written: 1.10 is not 1.1. */
function textOf(given: VariableSetting, written: string | undefined): string | { readonly file: string } {
  if (typeof given === 'number') return written ?? String(given)
  return typeof given === 'boolean' ? String(given) : given
}

interface Parts {
  readonly repository: string
  readonly environment: string
  readonly entry: EnvironmentEntry
  readonly folder: string
  readonly commands: readonly (readonly string[])[]
  readonly env: readonly ReadVariable[]
}

/** A key whose effect is not built yet is refused: whoever wrote it counts on it. */
const NO_GATE =
  'not supported by this version: nothing would wait for these checks; take it out, and let GitHub require them where the deployment is asked for'

const assemble = ({ repository, environment, entry, folder, commands, env }: Parts): EnvironmentConfig => ({
  repository,
  name: environment,
  lane: (entry.lane ?? `${repository}/${environment}`).toLowerCase(),
  requiredContexts: entry.required_contexts,
  acceptActionsDeployments: entry.accept_actions_deployments ?? DEFAULTS.accept_actions_deployments,
  publicLogs: entry.public_logs ?? DEFAULTS.public_logs,
  environmentUrl: entry.environment_url,
  recipe: {
    kind: 'commands',
    folder,
    commands,
    env: Object.fromEntries(env.map(({ name, value }) => [name, value])),
    timeoutSeconds: entry.timeout ?? DEFAULTS.timeout,
    maxLogBytes: entry.max_log_bytes ?? DEFAULTS.max_log_bytes,
  },
})

/** Complains about names that differ only in case: GitHub takes them for the same. */
function createTwinCheck(what: string, { positions, complain }: EntriesOptions) {
  const seen = new Map<string, Path>()
  return (path: Path): void => {
    const name = String(path.at(-1)).toLowerCase()
    const twin = seen.get(name)
    if (twin === undefined) seen.set(name, path)
    else
      complain(
        path,
        `is the same ${what} as ${twin.at(-1)} on line ${positions.at(twin).line}; only the case differs`,
      )
  }
}

/** Complains about environments that share a folder without sharing a lane: their deployments could meet there. */
function createFolderCheck({ complain }: EntriesOptions) {
  const seen = new Map<string, EnvironmentConfig>()
  return (config: EnvironmentConfig, path: Path): void => {
    const { folder } = config.recipe
    const other = seen.get(realFolder(folder))
    if (other === undefined) seen.set(realFolder(folder), config)
    else if (other.lane !== config.lane)
      complain(
        path,
        `${folder} is also the folder of ${nameOf(other)}, and deployments of ${nameOf(config)} could meet there: ` +
          'write the same lane in both, such as `lane: some-name`',
      )
  }
}

const nameOf = ({ repository, name }: EnvironmentConfig): string => `${repository} ${name}`

/** Two names may lead to the same folder; one that does not exist yet is taken as written. */
function realFolder(folder: string): string {
  try {
    return realpathSync(folder)
  } catch {
    return folder
  }
}
