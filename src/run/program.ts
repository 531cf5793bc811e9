import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'

/** Why a command cannot even be tried. */
export interface CannotRun {
  readonly reason: 'folder_missing' | 'command_not_found'
  readonly detail: string
}

/**
 * The absolute path of the program that a command means: by PATH, or with a slash in it from the folder. Looked
 * up before anything starts, so that a program that is not there is told apart from one that failed.
 */
export function findProgram(word: string, folder: string, path: string): { readonly program: string } | CannotRun {
  if (!isFolder(folder))
    return { reason: 'folder_missing', detail: `The folder ${folder} does not exist, or may not be entered.` }
  const candidates = word.includes('/')
    ? [resolve(folder, word)]
    : path.split(delimiter).map((entry) => resolve(folder, entry, word))
  const program = word === '' ? undefined : candidates.find(isProgram)
  return program === undefined ? { reason: 'command_not_found', detail: explain(word, candidates) } : { program }
}

const explain = (word: string, candidates: readonly string[]): string => {
  if (!word.includes('/')) return `There is no program "${word}" on the PATH of the commands.`
  return isFile(candidates[0] ?? '')
    ? `${word} is there, but this user may not execute it.`
    : `There is no program ${word} in the folder.`
}

const isProgram = (file: string): boolean => isFile(file) && isAllowed(file, constants.X_OK)
const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory() && isAllowed(path, constants.X_OK)
  } catch {
    return false
  }
}

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}
