import { dirname, resolve } from 'node:path'

import {
  IN_WORKSPACE,
  type CommandsRecipe,
  type HerokuRecipe,
  type PlaybookRecipe,
  type TasksFolderRecipe,
} from '../deployment/recipe.ts'
import { readCommands } from './commands.ts'
import { DEFAULTS } from './defaults.ts'
import { readHeroku } from './heroku.ts'
import { mayBringCommands } from './in-repository.ts'
import { placeholdersIn } from './placeholders.ts'
import { readPlaybookOptions, type ReadText } from './playbook-options.ts'
import type { Path } from './positions.ts'
import type { Variables } from './references.ts'
import { hasReleases } from './releases.ts'
import type { EnvironmentEntry } from './schema.ts'
import { folderInWorkspace, hasWorkspace } from './workspace.ts'

/** An entry and where it stands: a task's, an environment's own, or the repository's. */
export interface Level {
  readonly entry: EnvironmentEntry
  readonly path: Path
}

/** What an environment's entries say to do, and where. */
type Work =
  | Pick<CommandsRecipe, 'kind' | 'folder' | 'commands'>
  | Pick<PlaybookRecipe, 'kind' | 'folder' | 'inventory' | 'playbook' | 'options'>
  | Pick<HerokuRecipe, 'kind' | 'folder' | 'app' | 'apiKey' | 'url' | 'branch'>
  | TasksFolderWork

type TasksFolderWork = Pick<TasksFolderRecipe, 'kind' | 'folder' | 'tasksFolder' | 'preTaskBlocks'>

export interface WorkOptions {
  /** The name of the environment. */
  readonly environment: string
  readonly variables: Variables
  /** Relative paths are resolved against it. */
  readonly directory: string
  readonly complain: (path: Path, message: string) => void
  /** Whether something was already said about this key. */
  readonly isBroken: (path: Path) => boolean
}

export interface WorkReading<What = Work> {
  readonly work: What
  /** The texts in it that may be secrets. */
  readonly texts: readonly ReadText[]
  /** The key that says where; undefined when none does, or when it is wrong. */
  readonly placedBy: Path | undefined
}

/**
 * What the levels say to do, nearest first. Commands come from one level; of a playbook and its inventory each
 * may stand in another, since environments often share the one and not the other.
 */
export function readWork(levels: readonly Level[], options: WorkOptions): WorkReading {
  const { directory, complain } = options
  for (const level of levels) checkOneWay(level, complain)
  const lists = levels.map(({ entry, path }) => readCommands(entry, path, complain))
  const nearest = levels.findIndex(({ entry }) => WORK.some((key) => entry[key] !== undefined))
  const read = createReader(levels, options)

  const entry = levels[nearest]?.entry
  const inFolder = readTasksFolder(levels, options)
  const nearestFolder = levels.findIndex(({ entry: { tasks_folder: folder } }) => folder !== undefined)
  const isInFolder = inFolder !== undefined && (nearest === -1 || nearestFolder < nearest)
  const isPlaybook =
    !isInFolder && (entry?.ansible_hosts !== undefined || entry?.ansible_playbook !== undefined)
  if (!isPlaybook) refuseAnsible(levels.slice(0, (isInFolder ? nearestFolder : nearest) + 1), complain)
  if (isInFolder) return inFolder
  if (isPlaybook) return readPlaybook(levels, read, options)
  if (entry?.heroku !== undefined) return readHeroku(levels, options)
  const mayBeLeftOut = hasReleases(levels) || mayBringCommands(levels)
  if (entry === undefined && !mayBeLeftOut && read.isUnmentioned(...WORK, 'releases', 'in_repository'))
    complain(read.origin('commands'), 'is missing: expected at least one command such as [git, fetch]')
  const folder = read.text('folder')
  if (hasWorkspace(levels))
    return {
      work: {
        kind: 'commands',
        folder: folderInWorkspace(levels, folder, complain),
        commands: lists[nearest] ?? [],
      },
      texts: [],
      placedBy: undefined, // nobody else is there
    }
  if (folder === undefined && read.isUnmentioned('folder', 'workspace', 'source', 'releases'))
    complain(read.origin('folder'), 'is missing: expected where the commands run')
  return {
    work: { kind: 'commands', folder: resolve(directory, folder ?? ''), commands: lists[nearest] ?? [] },
    texts: [],
    placedBy:
      folder !== undefined && read.isUnmentioned('folder', 'lane') ? read.origin('folder') : undefined,
  }
}

/** What the executables of a folder do, where a level names one; they work where it stands, if nothing else is said. */
export function readTasksFolder(
  levels: readonly Level[],
  { directory, complain }: WorkOptions,
): WorkReading<TasksFolderWork> | undefined {
  const level = levels.find(({ entry }) => entry.tasks_folder !== undefined)
  const given = level?.entry.tasks_folder
  if (given === undefined) return undefined
  const [placeholder] = placeholdersIn(given)
  if (placeholder !== undefined)
    complain(originIn(levels, 'tasks_folder'), `{${placeholder}} is not filled here; write the path as it is`)
  const tasksFolder = resolve(directory, given)
  const folder = levels.find(({ entry }) => entry.folder !== undefined)?.entry.folder
  const isFresh = hasWorkspace(levels)
  const inPlace = folder === undefined ? dirname(tasksFolder) : resolve(directory, folder)
  const blocks = levels.find(({ entry }) => entry.pre_task_blocks !== undefined)?.entry.pre_task_blocks
  return {
    work: {
      kind: 'tasks_folder',
      folder: isFresh ? folderInWorkspace(levels, folder, complain) : inPlace,
      tasksFolder,
      preTaskBlocks: blocks ?? DEFAULTS.pre_task_blocks,
    },
    texts: [],
    // Several environments may have one folder of executables, and know where else they work.
    placedBy: folder === undefined || isFresh ? undefined : originIn(levels, 'folder'),
  }
}

/** Where a key stands that is looked for from the nearest level on. */
export function originIn(levels: readonly Level[], key: keyof EnvironmentEntry): Path {
  const level = levels.find(({ entry }) => entry[key] !== undefined) ?? levels[0]
  return [...(level?.path ?? []), key]
}

const WORK = ['commands', 'deploy', 'ansible_hosts', 'ansible_playbook', 'heroku'] as const

/** Whether the nearest level that says what to do says that it is pushed to Heroku. */
export const isPushed = (levels: readonly Level[]): boolean =>
  levels.find(({ entry }) => WORK.some((key) => entry[key] !== undefined))?.entry.heroku !== undefined

type PlaceKey = 'folder' | 'ansible_hosts' | 'ansible_playbook'

function createReader(levels: readonly Level[], { isBroken }: WorkOptions) {
  return {
    origin: (key: keyof EnvironmentEntry): Path => originIn(levels, key),
    text: (key: PlaceKey): string | undefined =>
      levels.find(({ entry }) => entry[key] !== undefined)?.entry[key],
    isUnmentioned: (...keys: (keyof EnvironmentEntry)[]): boolean =>
      !levels.some(({ path }) => keys.some((key) => isBroken([...path, key]))),
  }
}

/** How a playbook is run has no effect where something else is, up to the level that says so. */
function refuseAnsible(levels: readonly Level[], complain: WorkOptions['complain']): void {
  for (const { entry, path } of levels)
    if (entry.ansible !== undefined)
      complain([...path, 'ansible'], 'needs ansible_hosts and ansible_playbook; here no playbook is run')
}

/** One way to say what to do, in each entry for itself. */
/** Complains where a level says in more than one way what to do. */
export function checkOneWay({ entry, path }: Level, complain: WorkOptions['complain']): void {
  const { commands, deploy, ansible_hosts: hosts, ansible_playbook: playbook, heroku } = entry
  const [other] = Object.entries({ commands, deploy, ansible_playbook: playbook, ansible_hosts: hosts })
    .filter(([, given]) => given !== undefined)
    .map(([key]) => key)
  if (heroku !== undefined && other !== undefined)
    complain(
      [...path, 'heroku'],
      `stands beside ${other}; write one of them: what follows the push stands under hooks, as verify or after_success`,
    )
  if (commands !== undefined && deploy !== undefined)
    complain([...path, 'deploy'], 'stands beside commands; write one of them')
  if ((hosts ?? playbook) !== undefined && (commands ?? deploy) !== undefined)
    complain(
      [...path, playbook === undefined ? 'ansible_hosts' : 'ansible_playbook'],
      `stands beside ${commands === undefined ? 'deploy' : 'commands'}; write one of them`,
    )
}

function readPlaybook(
  levels: readonly Level[],
  { text, origin, isUnmentioned }: ReturnType<typeof createReader>,
  workOptions: WorkOptions,
): WorkReading {
  const { directory, complain } = workOptions
  const hosts = text('ansible_hosts')
  const playbook = text('ansible_playbook')
  if (playbook === undefined && isUnmentioned('ansible_playbook'))
    complain(origin('ansible_hosts'), 'needs ansible_playbook beside it')
  if (hosts === undefined && isUnmentioned('ansible_hosts'))
    complain(origin('ansible_playbook'), 'needs ansible_hosts beside it')
  for (const key of ['ansible_hosts', 'ansible_playbook'] as const) {
    const [placeholder] = placeholdersIn(text(key) ?? '')
    if (placeholder !== undefined)
      complain(origin(key), `{${placeholder}} is not filled here; write the path as it is`)
  }
  const given = text('folder')
  const isFresh = hasWorkspace(levels)
  const base = isFresh ? folderInWorkspace(levels, given, complain) : resolve(directory, given ?? '')
  const playbookPath = resolve(base, playbook ?? '')
  const isOutside = isFresh && !playbookPath.startsWith(`${IN_WORKSPACE}/`)
  const { options, texts } = readPlaybookOptions(levels, { ...workOptions, base })
  return {
    work: {
      kind: 'ansible',
      folder: given === undefined && !isOutside ? dirname(playbookPath) : base,
      // Ansible takes a text with a comma for a list of hosts.
      inventory: hosts?.includes(',') === true ? hosts : resolve(base, hosts ?? ''),
      playbook: playbookPath,
      options,
    },
    texts,
    placedBy:
      !isFresh && isUnmentioned('folder', 'lane', 'ansible_playbook')
        ? origin(given === undefined ? 'ansible_playbook' : 'folder')
        : undefined,
  }
}
