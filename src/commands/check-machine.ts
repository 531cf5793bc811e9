import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

import type { Config, EnvironmentConfig } from '../config/config.ts'
import { usersIn } from '../config/run-as.ts'
import { wordsOf, type Recipe, type TasksFolderRecipe } from '../deployment/recipe.ts'
import { messageOf, problem } from '../errors.ts'
import { whyNotAs } from '../run/another-user.ts'
import { lookUp, troubleWithFolder } from '../run/command.ts'
import { areProcessesSeen } from '../run/processes.ts'
import { currentOf } from '../run/releases.ts'
import { listFolders } from '../run/listing.ts'
import { AROUND_TASKS, foldersOf, type Listing } from '../run/steps.ts'
import { freeAt, isFull, LEAST, whyUnwritable } from '../room.ts'
import { doubtful, fine, wrong, type Finding } from './findings.ts'

/** What this machine has for the configuration: the data directory, and each environment's folder and programs. */
export async function checkMachine(config: Config, path: string): Promise<Finding[]> {
  const environments = [...config.repositories.values()].flatMap((repository) => [
    ...repository.environments.values(),
  ])
  const recipes = environments.flatMap(({ recipe, tasks, anyTask }) => [
    recipe,
    ...tasks.values(),
    ...(anyTask === undefined ? [] : [anyTask]),
  ])
  const listed = await listFolders(recipes.flatMap((recipe) => foldersOf({ recipe })))
  const { message, hint } = problem('processes_unseen', {})
  return [
    ...(areProcessesSeen() ? [] : [wrong(message.replace(/\.$/, ''), hint)]),
    checkDataDirectory(config.dataDir),
    ...(await checkRoom(config.dataDir)),
    ...(await checkUsers(environments)),
    ...environments.flatMap((environment) => checkEnvironment(environment, { path, listed })),
  ]
}

interface Machine {
  /** Where programs are looked for. */
  readonly path: string
  /** What is in the folders of hooks and tasks. */
  readonly listed: ReadonlyMap<string, Listing>
}

function checkDataDirectory(directory: string): Finding {
  try {
    const existing = firstExisting(directory)
    accessSync(existing, constants.W_OK | constants.X_OK)
    const isOurs = existing === directory
    if (isOurs && (statSync(directory).mode & 0o077) !== 0)
      return doubtful(`data directory ${directory}: others may look into it`, `chmod 700 ${directory}`)
    return fine(`data directory ${directory}${isOurs ? '' : ' (will be made)'}`)
  } catch (cause) {
    return wrong(
      `data directory ${directory} cannot be written: ${messageOf(cause)}`,
      'Let the user that runs Ferryman own it, or set data_dir.',
    )
  }
}

async function checkRoom(directory: string): Promise<Finding[]> {
  const folders = [firstExisting(directory), join(directory, 'logs')]
  for (const folder of folders) {
    const cause = await whyUnwritable(folder, 'look')
    if (cause !== undefined)
      return [wrong(`${folder}: the disk cannot be written: ${cause}`, 'Nothing is begun until it can be.')]
  }
  const left = await Promise.all(folders.map((folder) => freeAt(folder).catch(() => undefined)))
  const full = left.find((free) => free !== undefined && isFull(free))
  if (full === undefined) return []
  const { folder, megabytes, files } = full
  const free = `${Math.floor(megabytes)} MB${files === Infinity ? '' : ` and ${files} files`}`
  return [wrong(`${folder}: the disk is full, ${free} are free`, `Nothing is begun until ${LEAST} are free.`)]
}

export const firstExisting = (directory: string): string =>
  existsSync(directory) ? directory : firstExisting(dirname(directory))

/** Whether commands can run as the users that `run_as` names. */
async function checkUsers(environments: readonly EnvironmentConfig[]): Promise<Finding[]> {
  const recipes = environments.flatMap(({ recipe, tasks }) => [recipe, ...tasks.values()])
  const users = new Set(recipes.flatMap((recipe) => [...usersIn(recipe)]))
  return Promise.all(
    [...users].map(async (user) => {
      const cannot = await whyNotAs(user)
      if (cannot === undefined) return fine(`commands can run as ${user}`)
      return wrong(`run_as ${user}: ${cannot.why}`, cannot.hint)
    }),
  )
}

function checkEnvironment(environment: EnvironmentConfig, machine: Machine): Finding[] {
  const { repository, name, recipe, tasks, anyTask } = environment
  const where = `${repository} ${name}`
  const { releases } = recipe
  const isToCome = releases !== undefined && !existsSync(currentOf(releases))
  const others = isToCome
    ? [...tasks.keys()].map((task) => fine(`${where} ${task}: works in the release that is yet to come`))
    : [...tasks].flatMap(([task, one]) => checkRecipe(`${where} ${task}`, one, machine))
  const own = checkRecipe(where, recipe, machine)
  const any =
    anyTask === undefined || anyTask.kind === recipe.kind ? [] : checkRecipe(where, anyTask, machine)
  const isNew = ({ text }: Finding): boolean => own.every((one) => one.text !== text) // mostly of the same folder
  return [...own, ...any.filter(isNew), ...others]
}

function checkRecipe(where: string, recipe: Recipe, { path, listed }: Machine): Finding[] {
  const { folder, hooks } = recipe
  const isFresh = recipe.workspace !== undefined || recipe.releases !== undefined
  const trouble = isFresh ? undefined : troubleWithFolder(folder)
  if (trouble !== undefined && !(trouble.isClosed && recipe.runAs !== undefined))
    return [
      wrong(
        `${where}: ${trouble.detail.replace(/\.$/, '')}`,
        trouble.isClosed
          ? 'Let the user that runs Ferryman enter it, and the folders that it is in, or correct `folder`.'
          : 'Create or clone it, or correct `folder`.',
      ),
    ]
  const around = [hooks.before, hooks.verify, hooks.afterSuccess, hooks.afterFailure].flat()
  const commands = [
    ...(recipe.kind === 'commands' ? recipe.commands : []),
    ...around.flatMap((hook) => ('command' in hook ? [hook.command] : [])),
  ]
  // What another user may run, only that user knows.
  const ours = commands.filter(
    (one) => (('words' in one ? one.runAs : undefined) ?? recipe.runAs) === undefined,
  )
  const folders = new Set(around.flatMap((hook) => ('folder' in hook ? [hook.folder] : [])))
  const programs = [...new Set(ours.map((one) => wordsOf(one)[0] ?? ''))]
  return [
    fine(`${where}: ${placeName(recipe)}`),
    ...(recipe.kind === 'tasks_folder' ? checkTasksFolder(where, recipe, listed) : []),
    ...(isFresh
      ? checkInCheckout(where, programs, path)
      : [
          ...checkWorkTree(where, folder, ours.map(wordsOf)),
          ...checkPrograms(where, folder, programs, path),
        ]),
    ...[...folders].map((one) => {
      const listing = listed.get(one)
      if (listing === undefined || 'why' in listing)
        return wrong(`${where}: hooks: ${listing?.why ?? one}`, 'Make it, or correct `hooks`.')
      return fine(`${where}: hooks in ${one}: ${named(listing.executables)}`)
    }),
  ]
}

function placeName(recipe: Recipe): string {
  const { folder, workspace, releases } = recipe
  if (recipe.kind === 'heroku') return `pushed to ${recipe.url}, to ${recipe.branch}`
  if (releases !== undefined) return `a release for each deployment, in ${releases.path}`
  return workspace === undefined ? `folder ${folder}` : 'a fresh checkout for each deployment'
}

const named = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.join(', '))

function checkTasksFolder(
  where: string,
  { tasksFolder }: TasksFolderRecipe,
  listed: Machine['listed'],
): Finding[] {
  const listing = listed.get(tasksFolder)
  if (listing === undefined || 'why' in listing)
    return [wrong(`${where}: tasks: ${listing?.why ?? tasksFolder}`, 'Make it, or correct `tasks_folder`.')]
  const around = new Set<string>(AROUND_TASKS)
  const found = listing.executables
  const tasks = found.filter((name) => !around.has(name))
  const said = `${where}: tasks in ${tasksFolder}: ${named(tasks)}`
  const between = found.filter((name) => around.has(name))
  return [
    tasks.length === 0
      ? doubtful(
          said,
          'Each deployment would end as "Unknown task". Put an executable there, such as `deploy`.',
        )
      : fine(between.length === 0 ? said : `${said}; around them ${between.join(', ')}`),
  ]
}

/** What is in the checkout is seen only when there is one. */
function checkInCheckout(where: string, programs: readonly string[], path: string): Finding[] {
  const own = programs.filter((program) => program.includes('/') && !program.startsWith('/'))
  const others = programs.filter((program) => !own.includes(program))
  return [
    ...checkPrograms(where, '/', others, path),
    ...own.map((program) => codeOfRepository(where, program)),
  ]
}

const codeOfRepository = (where: string, program: string): Finding =>
  doubtful(
    `${where}: ${program} is code of the repository`,
    'Whoever may push to it decides what this machine runs. Fine where you trust them.',
  )

const MEND_IT = 'Make it executable (chmod +x), with a first line that names a program of this machine.'

function checkPrograms(where: string, folder: string, programs: readonly string[], path: string): Finding[] {
  const refused = programs.flatMap((program) => {
    const found = lookUp(program, folder, path)
    return 'reason' in found ? [{ program, ...found }] : []
  })
  const missing = refused.map(({ program }) => program)
  const own = programs.filter(
    (program) =>
      !missing.includes(program) && program.includes('/') && isWithin(folder, resolve(folder, program)),
  )
  return [
    ...refused.map(({ program, isThere, detail }) => {
      if (isThere) return wrong(`${where}: ${detail.replace(/\.$/, '')}`, MEND_IT)
      return wrong(
        `${where}: there is no program ${program}`,
        program.includes('/')
          ? `Looked for ${resolve(folder, program)}.`
          : `Install it, or add its folder to PATH (now ${path}).`,
      )
    }),
    ...(missing.length < programs.length
      ? [fine(`${where}: ${programs.filter((one) => !missing.includes(one)).join(', ')}`)]
      : []),
    ...own.map((program) => codeOfRepository(where, program)),
  ]
}

/** Of git, what works in a work tree that is there already. */
const IN_WORK_TREE = new Set(['checkout', 'fetch', 'merge', 'pull', 'rebase', 'reset', 'switch'])

/** Git refuses a work tree that belongs to somebody else: safe.directory in git-config(1). */
function checkWorkTree(where: string, folder: string, commands: readonly (readonly string[])[]): Finding[] {
  const ofGit = commands.filter(([program]) => program === 'git').map(([, command = '']) => command)
  if (ofGit.length === 0) return []
  const repository = ancestors(resolve(folder))
    .map((one) => join(one, '.git'))
    .find((one) => existsSync(one))
  const isMadeThere = ofGit.some((command) => command === 'clone' || command === 'init')
  const needsOne = ofGit.find((command) => IN_WORK_TREE.has(command))
  if (repository === undefined)
    return isMadeThere || needsOne === undefined
      ? []
      : [
          doubtful(
            `${where}: ${folder} is no git work tree, so \`git ${needsOne}\` will fail there`,
            'Clone the repository there, or correct `folder`.',
          ),
        ]
  const owner = statSync(repository).uid
  const us = process.getuid?.()
  if (us === undefined || us === owner) return []
  return [
    doubtful(
      `${where}: ${folder} belongs to another user (${owner}), and git may refuse to work in it`,
      `Give it to the user that runs Ferryman, or run: git config --global --add safe.directory ${folder}`,
    ),
  ]
}

/** A folder and those that it is in, from the inside out. */
const ancestors = (folder: string): string[] =>
  folder === dirname(folder) ? [folder] : [folder, ...ancestors(dirname(folder))]

const isWithin = (folder: string, path: string): boolean => path.startsWith(`${resolve(folder)}/`)
