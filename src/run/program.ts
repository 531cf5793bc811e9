import { accessSync, closeSync, constants, openSync, readSync, statSync, type Stats } from 'node:fs'
import { resolve } from 'node:path'

/** Why a command cannot even be tried. */
export interface CannotRun {
  readonly reason: 'folder_missing' | 'command_not_found'
  readonly detail: string
  /** Whether the program is there all the same. */
  readonly isThere: boolean
}

/**
 * What a command needs before anything starts, so that a program that is not there is told apart from one that
 * failed: the folder, and the absolute path of the program.
 */
export function lookUp(name: string, folder: string, path: string): { readonly program: string } | CannotRun {
  const trouble = troubleWithFolder(folder)
  if (trouble !== undefined) return { reason: 'folder_missing', detail: trouble.detail, isThere: false }
  const program = findProgram(name, folder, path)
  const missing = program && missingBehind(program, folder)
  if (missing !== undefined)
    return {
      reason: 'command_not_found',
      detail: `${name} cannot be started: its first line ${missing}`,
      isThere: true,
    }
  if (program !== undefined) return { program }
  const isThere = candidates(name, folder, path).some((candidate) => look(candidate)?.isFile())
  const detail = isThere ? `${name} may not be executed by this user.` : `Command not found: ${name}`
  return { reason: 'command_not_found', detail, isThere }
}

const LONGEST_FIRST_LINE = 256

/**
 * What is wrong with the first line of a script that names a program which is not there: of that the system says only that
 * the script itself was not found.
 */
function missingBehind(program: string, folder: string): string | undefined {
  const [, named] = /^#![ \t]*([^ \t\n\0]+)/.exec(beginningOf(program)) ?? []
  const needed = resolve(folder, named ?? '/')
  if (named === undefined || look(needed) !== undefined || isHidden(needed)) return undefined
  return named.endsWith('\r')
    ? 'ends as on Windows (CR LF). Save it with LF.'
    : `names ${named}, and there is no such program.`
}

/** The beginning of a file that this user may read. */
function beginningOf(path: string): string {
  try {
    const file = openSync(path, 'r')
    try {
      const bytes = Buffer.alloc(LONGEST_FIRST_LINE)
      return bytes.toString('utf8', 0, readSync(file, bytes))
    } finally {
      closeSync(file)
    }
  } catch {
    return ''
  }
}

/** Where the program is: beside the folder when it is named with a slash, else on PATH. */
export const findProgram = (name: string, folder: string, path: string): string | undefined =>
  candidates(name, folder, path).find(isProgram)

/** Why nothing can be run in a folder, in a sentence; `isClosed`: to this user, and perhaps to no other. */
export function troubleWithFolder(
  folder: string,
): { readonly detail: string; readonly isClosed: boolean } | undefined {
  const closed = { detail: `The folder ${folder} may not be entered by this user.`, isClosed: true }
  if (isHidden(folder)) return closed
  const found = look(folder)
  if (found === undefined) return { detail: `The folder ${folder} does not exist.`, isClosed: false }
  if (!found.isDirectory()) return { detail: `${folder} is not a folder.`, isClosed: false }
  return mayExecute(folder) ? undefined : closed
}

/** Whether it is behind a folder that this user may not enter, so that nobody knows whether it is there. */
function isHidden(path: string): boolean {
  try {
    statSync(path)
    return false
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EACCES'
  }
}

function candidates(name: string, folder: string, path: string): string[] {
  if (name === '') return []
  if (name.includes('/')) return [resolve(folder, name)]
  return path
    .split(':')
    .filter((entry) => entry !== '')
    .map((entry) => resolve(folder, entry, name))
}

const isProgram = (path: string): boolean => look(path)?.isFile() === true && mayExecute(path)

function look(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined // also behind a folder that may not be entered, or in a circle of links
  }
}

function mayExecute(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
