import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

import type { Config, EnvironmentConfig } from '../config/config.ts'
import { messageOf } from '../errors.ts'
import { findProgram } from '../run/command.ts'
import { LEAST_MEGABYTES, megabytesIn, whyUnwritable } from '../room.ts'
import { doubtful, fine, wrong, type Finding } from './findings.ts'

/** What this machine has for the configuration: the data directory, and each environment's folder and programs. */
export async function checkMachine(config: Config, path: string): Promise<Finding[]> {
  const environments = [...config.repositories.values()].flatMap((repository) => [
    ...repository.environments.values(),
  ])
  return [
    checkDataDirectory(config.dataDir),
    ...(await checkRoom(config.dataDir)),
    ...environments.flatMap((environment) => checkEnvironment(environment, path)),
  ]
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
  const left = await Promise.all(folders.map((folder) => megabytesIn(folder).catch(() => Infinity)))
  const least = Math.min(...left)
  if (least >= LEAST_MEGABYTES) return []
  const folder = folders[left.indexOf(least)]
  return [
    wrong(
      `${folder}: the disk is full, ${Math.floor(least)} MB are free`,
      `Nothing is begun until ${LEAST_MEGABYTES} MB are free.`,
    ),
  ]
}

const firstExisting = (directory: string): string =>
  existsSync(directory) ? directory : firstExisting(dirname(directory))

function checkEnvironment({ repository, name, recipe }: EnvironmentConfig, path: string): Finding[] {
  const where = `${repository} ${name}`
  const { folder } = recipe
  if (!(statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false))
    return [
      wrong(`${where}: the folder ${folder} does not exist`, 'Create or clone it, or correct `folder`.'),
    ]
  if (recipe.kind === 'ansible') return [fine(`${where}: folder ${folder}`)]
  const programs = [...new Set(recipe.commands.map(([program = '']) => program))]
  const missing = programs.filter((program) => findProgram(program, folder, path) === undefined)
  const own = programs.filter(
    (program) =>
      !missing.includes(program) && program.includes('/') && isWithin(folder, resolve(folder, program)),
  )
  return [
    fine(`${where}: folder ${folder}`),
    ...ownership(where, folder, programs),
    ...missing.map((program) =>
      wrong(
        `${where}: there is no program ${program}`,
        program.includes('/')
          ? `Looked for ${resolve(folder, program)}.`
          : `Install it, or add its folder to PATH (now ${path}).`,
      ),
    ),
    ...(missing.length < programs.length
      ? [fine(`${where}: ${programs.filter((one) => !missing.includes(one)).join(', ')}`)]
      : []),
    ...own.map((program) =>
      doubtful(
        `${where}: ${program} is code of the repository`,
        'Whoever may push to it decides what this machine runs. Fine where you trust them.',
      ),
    ),
  ]
}

/** Git refuses a work tree that belongs to somebody else: safe.directory in git-config(1). */
function ownership(where: string, folder: string, programs: readonly string[]): Finding[] {
  const repository = join(folder, '.git')
  if (!programs.includes('git') || !existsSync(repository)) return []
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

const isWithin = (folder: string, path: string): boolean => path.startsWith(`${resolve(folder)}/`)
