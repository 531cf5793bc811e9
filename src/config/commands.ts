import { basename } from 'node:path'

import type { Command } from '../deployment/recipe.ts'
import { closest } from './closest.ts'
import { PLACEHOLDERS, placeholdersIn, unknownPlaceholders } from './placeholders.ts'
import type { Path } from './positions.ts'
import { unescaped } from './references.ts'
import type { EnvironmentEntry } from './schema.ts'
import { splitWords } from './words.ts'

type Complain = (path: Path, message: string) => void

/** What an entry says to do; undefined when it says nothing. Everything wrong with it is complained about. */
export function readCommands(
  entry: Pick<EnvironmentEntry, 'commands' | 'deploy'>,
  path: Path,
  complain: Complain,
): readonly Command[] | undefined {
  const { commands, deploy } = entry
  const list = commands && readCommandList(commands, [...path, 'commands'], complain)
  if (deploy === undefined) return list
  const split = splitWords(deploy)
  if ('wrong' in split) {
    complain([...path, 'deploy'], split.wrong)
    return []
  }
  checkCommand(split.words, () => [...path, 'deploy'], complain)
  return [split.words.map(unescaped)]
}

/** Commands in either form. Everything wrong with them is complained about. */
export const readCommandList = (
  commands: NonNullable<EnvironmentEntry['commands']>,
  path: Path,
  complain: Complain,
): readonly Command[] =>
  commands.map((command, index) => {
    const isNamed = 'run' in command
    const words = isNamed ? command.run : command
    const at = isNamed ? [...path, index, 'run'] : [...path, index]
    checkCommand(words, (position) => [...at, position], complain)
    const read = words.map(unescaped)
    if (!isNamed) return read
    const { name, timeout, continue_on_error: continues, if: onlyIfChanged, run_as: runAs } = command
    return {
      words: read,
      ...(name === undefined ? {} : { name }),
      ...(timeout === undefined ? {} : { timeoutSeconds: timeout }),
      ...(continues === undefined ? {} : { continueOnError: continues }),
      ...(onlyIfChanged === undefined ? {} : { onlyIfChanged }),
      ...(runAs === undefined ? {} : { runAs }),
    }
  })

const REFERENCE = /(?<!\$)\$\{[A-Za-z_]\w*\}/
/** Their values are hexadecimal digits or a path of our own, whoever made the deployment. */
const HARMLESS = new Set(['sha', 'short_sha', 'previous_sha', 'workspace'])
const SHELLS = new Set(['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh', 'fish'])

function checkCommand(
  words: readonly string[],
  pathOf: (position: number) => Path,
  complain: Complain,
): void {
  words.forEach((word, position) => {
    for (const wrong of wrongIn(word, position, words)) complain(pathOf(position), wrong)
  })
}

function wrongIn(word: string, position: number, words: readonly string[]): string[] {
  const reference = REFERENCE.exec(word)?.[0]
  if (reference !== undefined)
    return [
      `${reference} would be seen in \`ps\`; hand it over with \`env:\`, or write $${reference} if it is meant as it stands`,
    ]
  const unknown = unknownPlaceholders(word)
  if (unknown.length > 0) return unknown.map(unknownText)
  const outside = placeholdersIn(word)
  const [first] = outside
  if (first === undefined) return []
  if (position === 0) return [`{${first}} cannot choose the program; write its name`]
  if (/^-+\{/.test(word)) return [`{${first}} cannot choose an option; write its name`]
  const risky = outside.find((name) => !HARMLESS.has(name))
  if (risky !== undefined && isScript(position, words))
    return [
      `{${risky}} would be read as shell; hand it over as a word of its own: [sh, -c, 'echo "$1"', sh, "{${risky}}"]`,
    ]
  return []
}

function unknownText(name: string): string {
  const meant = closest(name, PLACEHOLDERS)
  const hint =
    meant === undefined
      ? `known are {${PLACEHOLDERS.join('}, {')}} and {payload.key}`
      : `did you mean {${meant}}?`
  return `unknown placeholder {${name}}; ${hint}${meant === undefined ? '; braces of your own need a space: { }' : ''}`
}

/** Whether the word is what a shell was told to run: it follows `sh -c`. */
const isScript = (position: number, words: readonly string[]): boolean =>
  /^-[a-z]*c$/.test(words[position - 1] ?? '') &&
  words.slice(0, position).some((word) => SHELLS.has(basename(word)))
