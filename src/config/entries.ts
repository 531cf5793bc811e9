import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'

import type { Circumstances, Recipe } from '../deployment/recipe.ts'
import { contextOf } from '../deployment/status.ts'
import type {
  ApprovalDemand,
  EnvironmentConfig,
  LogTarget,
  Predecessor,
  RepositoryConfig,
  SlackNotices,
  Via,
} from './config.ts'
import { NO_HOOKS } from '../deployment/recipe.ts'
import { checkGitSource, gitSourceIn } from './git-source.ts'
import { createHerokuCheck } from './heroku.ts'
import { createLogTargets } from './log-to.ts'
import { readHealthCheck, readHooks } from './hooks.ts'
import { checkInRepository, readInRepository } from './in-repository.ts'
import { readSlackNotices, type General } from './notify.ts'
import { checkReleases, createReleasesCheck, currentIn, readReleases } from './releases.ts'
import { checkRunAs } from './run-as.ts'
import { readPredecessors } from './predecessors.ts'
import { placeholdersIn } from './placeholders.ts'
import { pollIn } from './poll.ts'
import type { Path, Positions } from './positions.ts'
import type { Variables } from './references.ts'
import { DEFAULTS } from './defaults.ts'
import { APPROVAL_EXPIRES, type EnvironmentEntry, type Repositories } from './schema.ts'
import type { Windows } from '../schedule/windows.ts'
import { isTooShort, readValue } from './values.ts'
import { checkVia, withoutGitHub } from './via.ts'
import type { ReadText } from './playbook-options.ts'
import { isPushed, originIn, readTasksFolder, readWork, type Level } from './work.ts'
import { checkWorkspaceWord, readWorkspace } from './workspace.ts'

export interface EntriesOptions {
  /** Relative paths are resolved against it. */
  readonly directory: string
  readonly variables: Variables
  readonly positions: Positions
  /** What stands outside of the repositories; undefined where it is wrong. */
  readonly general: General | undefined
  readonly complain: (path: Path, message: string) => void
  /** Whether something was already said about this key. */
  readonly isBroken: (path: Path) => boolean
}

export interface Entries {
  readonly repositories: ReadonlyMap<string, RepositoryConfig>
  readonly secrets: readonly string[]
  /** The literals that look like secrets. */
  readonly literals: readonly { readonly path: Path; readonly text: string }[]
  /** Where a secret stands that cannot be masked. */
  readonly tooShort: readonly Path[]
}

/** Every environment with what it inherits; all that is wrong goes to `complain`. */
export function readEntries(repositories: Repositories, options: EntriesOptions): Entries {
  const read = new Map<string, RepositoryConfig>()
  const secrets: string[] = []
  const tooShort: Path[] = []
  const literals: Entries['literals'][number][] = []
  const folders = createFolderCheck(options)
  const releases = createReleasesCheck(options.complain)
  const pushes = createHerokuCheck(options.complain)
  const isNewRepository = createTwinCheck('repository', options)
  const shareWindows = createWindowsPool()
  const logTargetOf = createLogTargets(options)

  for (const [name, { environments: given, via = 'github', ...shared }] of Object.entries(repositories)) {
    const path = ['repositories', name]
    isNewRepository([...path])
    const isNewEnvironment = createTwinCheck('environment', options)
    const environments = new Map<string, EnvironmentConfig>()
    const predecessors = readPredecessors(given ?? {}, { ...options, path })
    const levels = given === undefined ? [{ name: 'production', own: undefined }] : namedLevels(given, path)
    for (const { name: environment, own } of levels) {
      if (own !== undefined) isNewEnvironment(own.path)
      const inherited = { entry: shared, path }
      const levelsOfThis = own === undefined ? [inherited] : [own, inherited]
      const inside = { ...options, environment }
      const { env: ownEnv, texts: ownTexts, ...rest } = readEnvironment(levelsOfThis, inside)
      const tasks = readTasks(levelsOfThis, inside)
      const env = [...ownEnv, ...tasks.flatMap((task) => task.env)]
      const texts = [...ownTexts, ...tasks.flatMap((task) => task.texts)]
      const { commit_status: hasStatus, required_contexts: required } = rest.entry
      const isOwn = (name: string): boolean => name.toLowerCase() === contextOf(environment).toLowerCase()
      if (hasStatus === true && Array.isArray(required) && required.some(isOwn))
        options.complain(
          originIn(levelsOfThis, 'required_contexts'),
          `${contextOf(environment)} is what commit_status writes: it would wait for itself`,
        )
      for (const one of [...env, ...texts]) {
        secrets.push(...one.secrets)
        if (one.secrets.some(isTooShort)) tooShort.push(one.path)
        if ('config' in one.value) literals.push({ path: one.path, text: one.text })
      }
      const windows = shareWindows(rest.entry.windows)
      const after = predecessors.get(environment.toLowerCase())
      const logTo = logTargetOf(levelsOfThis)
      const place = { repository: name, via, environment }
      const config = assemble({ ...place, env: ownEnv, windows, after, tasks, logTo, ...rest })
      for (const { recipe, placedBy } of tasks)
        if (placedBy !== undefined) folders({ ...config, recipe }, placedBy)
      releases(`${name} ${environment}`, config.recipe, levelsOfThis)
      pushes(`${name} ${environment}`, config, levelsOfThis)
      checkVia(config, levelsOfThis, options.complain)
      if (rest.placedBy !== undefined) folders(config, rest.placedBy)
      environments.set(environment.toLowerCase(), config)
    }
    read.set(name.toLowerCase(), { name, environments })
  }
  return { repositories: read, secrets, literals, tooShort }
}

const namedLevels = (given: Readonly<Record<string, EnvironmentEntry>>, path: Path) =>
  Object.entries(given).map(([name, entry]) => ({
    name,
    own: { entry, path: [...path, 'environments', name] },
  }))

/** With the name of the environment. */
type Inside = EntriesOptions & { readonly environment: string }

interface ReadTask {
  readonly name: string
  readonly recipe: Recipe
  readonly env: readonly ReadVariable[]
  readonly texts: readonly ReadText[]
  readonly placedBy: Path | undefined
}

/**
 * The tasks of an environment: its own, and those of its repository that it does not have itself. Where they run, with
 * which variables and within which limits they say themselves, or the environment does.
 */
function readTasks(levels: readonly Level[], options: Inside): readonly ReadTask[] {
  const current = currentIn(levels, options)
  const around = levels.map(({ entry, path }, index) => {
    const { env, run_as, timeout, silence_timeout, leave_processes, max_log_bytes } = entry
    const isPlace = entry.releases !== undefined || entry.folder !== undefined
    const folder = current !== undefined && isPlace ? resolve(current, entry.folder ?? '.') : entry.folder
    // A task makes no release: it works in the one that is there.
    const usual = index === levels.length - 1 && isPushed(levels) ? 'fresh' : undefined
    const workspace = current === undefined ? (entry.workspace ?? usual) : 'none'
    const source =
      current === undefined && gitSourceIn([{ entry, path }]) !== undefined ? entry.source : undefined
    const kept = {
      folder,
      source,
      workspace,
      env,
      run_as,
      timeout,
      silence_timeout,
      leave_processes,
      max_log_bytes,
    }
    return { entry: kept, path }
  })
  const read = new Map<string, ReadTask>()
  for (const { entry, path: levelPath } of levels)
    for (const [name, task] of Object.entries(entry.tasks ?? {})) {
      if (read.has(name)) continue
      const path = [...levelPath, 'tasks', name]
      // What is wrong with the levels around it was said when they were read.
      const complain: Inside['complain'] = (where, message) => {
        if (where.length >= path.length && path.every((part, index) => where[index] === part))
          options.complain(where, message)
      }
      const all = [{ entry: task, path }, ...around]
      const inside = { ...options, complain }
      const { work, texts, placedBy } = readWork(all, inside)
      const env = readVariables(all, inside)
      const recipe = { ...work, ...circumstancesOf(all, env, inside) }
      checkWorkspaceWord(recipe, all, complain)
      checkRunAs(recipe, all, complain)
      checkInRepository(recipe, all, complain)
      read.set(name, { name, recipe, env, texts, placedBy })
    }
  return [...read.values()]
}

/** What is said of everything that is run, the nearest level first. */
function circumstancesOf(
  levels: readonly Level[],
  env: readonly ReadVariable[],
  options: Inside,
): Omit<Circumstances, 'folder'> {
  const entry = Object.assign(
    {},
    ...levels.toReversed().map((level) => defined(level.entry)),
  ) as EnvironmentEntry
  const check = readHealthCheck(levels)
  const inRepository = readInRepository(levels)
  return {
    workspace: readWorkspace(levels, options),
    env: Object.fromEntries(env.map(({ name, value }) => [name, value])),
    ...(entry.run_as === undefined ? {} : { runAs: entry.run_as }),
    timeoutSeconds: entry.timeout ?? DEFAULTS.timeout,
    silenceSeconds: entry.silence_timeout ?? DEFAULTS.silence_timeout,
    leaveProcesses: entry.leave_processes ?? DEFAULTS.leave_processes,
    maxLogBytes: entry.max_log_bytes ?? DEFAULTS.max_log_bytes,
    hooks: readHooks(levels, options),
    ...(inRepository === undefined ? {} : { inRepository }),
    ...(check === undefined ? {} : { healthCheck: check }),
  }
}

const defined = (entry: EnvironmentEntry): Partial<EnvironmentEntry> =>
  Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined))

interface ReadVariable extends ReadText {
  readonly name: string
}

type VariableSetting = NonNullable<EnvironmentEntry['env']>[string]

/** What the levels say together; the first that has a key wins, and `env` is joined name by name. */
function readEnvironment(levels: readonly Level[], options: Inside) {
  const entry = Object.assign({}, ...levels.toReversed().map((level) => level.entry)) as EnvironmentEntry
  const { work, texts, placedBy } = readWork(levels, options)
  const url = entry.environment_url
  const [placeholder] = url === undefined ? [] : placeholdersIn(url)
  if (placeholder !== undefined)
    options.complain(
      originIn(levels, 'environment_url'),
      `{${placeholder}} is not filled here; write the address as it is`,
    )

  const slack = readSlackNotices(levels, options)
  const env = readVariables(levels, options)
  const circumstances = circumstancesOf(levels, env, options)
  const inFolder = readTasksFolder(levels, { ...options, complain() {} }) // readWork has complained
  // Hooks are of what the environment deploys; a task has only its own.
  const { healthCheck: _, inRepository: __, ...ofAnyTask } = { ...circumstances, hooks: NO_HOOKS }
  const anyTask = inFolder && { ...inFolder.work, ...ofAnyTask }
  const read = readReleases(levels, options)
  const recipe = { ...work, ...circumstances, ...(read && { releases: read.releases }) }
  checkGitSource(levels, options.complain)
  checkReleases(recipe, levels, options.complain)
  checkWorkspaceWord(recipe, levels, options.complain)
  checkRunAs(recipe, levels, options.complain)
  checkInRepository(recipe, levels, options.complain)
  const branch = entry.branch ?? gitSourceIn(levels)?.branch
  return { entry, branch, recipe, anyTask, texts: [...texts, ...(read?.texts ?? [])], placedBy, slack, env }
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
  readonly via: Via
  readonly environment: string
  readonly entry: EnvironmentEntry
  readonly branch: string | undefined
  readonly recipe: Recipe
  readonly anyTask: Recipe | undefined
  readonly tasks: readonly ReadTask[]
  readonly slack: SlackNotices | undefined
  readonly env: readonly ReadVariable[]
  readonly windows: Windows | undefined
  readonly logTo: LogTarget | undefined
  readonly after: Predecessor | undefined
}

const assemble = ({
  repository,
  via,
  environment,
  entry,
  branch,
  recipe,
  anyTask,
  tasks,
  slack,
  windows,
  logTo,
  after,
}: Parts): EnvironmentConfig => ({
  repository,
  name: environment,
  lane: (entry.lane ?? `${repository}/${environment}`).toLowerCase(),
  requiredContexts: entry.required_contexts,
  enforceRequiredContexts: entry.enforce_required_contexts ?? DEFAULTS.enforce_required_contexts,
  evenWhenForced: entry.even_when_forced ?? [],
  force: entry.force ?? DEFAULTS.force,
  checksWaitSeconds: entry.checks_wait ?? DEFAULTS.checks_wait,
  // What is not at GitHub has no merges and no pushes.
  deployOn: via === 'none' ? 'none' : (entry.deploy_on ?? DEFAULTS.deploy_on),
  via,
  poll: via === 'none' ? pollIn(entry.poll) : undefined,
  branch,
  defaultRef: entry.default_ref,
  windows,
  approval: approvalIn(entry),
  order: entry.order ?? DEFAULTS.order,
  after,
  acceptActionsDeployments: entry.accept_actions_deployments ?? DEFAULTS.accept_actions_deployments,
  publicLogs: entry.public_logs ?? DEFAULTS.public_logs,
  logTo,
  environmentUrl: entry.environment_url,
  commitStatus: entry.commit_status ?? DEFAULTS.commit_status,
  slack,
  recipe: asFor(via, recipe),
  tasks: new Map(tasks.map((task) => [task.name, asFor(via, task.recipe)])),
  anyTask: anyTask && asFor(via, anyTask),
})

const asFor = (via: Via, recipe: Recipe): Recipe => (via === 'none' ? withoutGitHub(recipe) : recipe)

function approvalIn({ approval = false }: EnvironmentEntry): ApprovalDemand | undefined {
  if (approval === false) return undefined
  const {
    by,
    expires = APPROVAL_EXPIRES,
    allow_author: allowsAuthor = false,
  } = approval === true ? {} : approval
  return { by, expiresSeconds: expires, allowsAuthor }
}

/** Windows that say the same are one object, so that what is found out about them is found out once. */
function createWindowsPool() {
  const pool = new Map<string, Windows>()
  return (given: Windows | undefined): Windows | undefined => {
    if (given === undefined || given.allow.length + given.deny.length === 0) return undefined
    const key = JSON.stringify(given)
    const one = pool.get(key) ?? given
    pool.set(key, one)
    return one
  }
}

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

/**
 * Complains about environments that share a folder without sharing a lane: their deployments could meet there.
 * Playbooks only read their folder, so that two of them may.
 */
function createFolderCheck({ complain }: EntriesOptions) {
  const seen = new Map<string, EnvironmentConfig[]>()
  return (config: EnvironmentConfig, path: Path): void => {
    const { folder, kind } = config.recipe
    const others = seen.get(realFolder(folder)) ?? []
    seen.set(realFolder(folder), [...others, config])
    const other = others.find(
      ({ lane, recipe }) => lane !== config.lane && [kind, recipe.kind].includes('commands'),
    )
    if (other !== undefined)
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
