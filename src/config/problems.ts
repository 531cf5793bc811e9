import { basename } from 'node:path'

import type { Path, Position, Positions } from './positions.ts'

/** One thing that is wrong (or doubtful) in the configuration. */
export interface ConfigProblem {
  /** Absolute. */
  readonly file: string
  /** Counted from 1; undefined where the problem is no place in the file: a variable, a flag, the file itself. */
  readonly line: number | undefined
  readonly column: number | undefined
  /** `repositories.acme/shop.commands[0]`, or the name of the variable or flag. */
  readonly path: string
  /** What is wrong and what to write instead; never a secret. */
  readonly message: string
}

/** `config.yml:14:7 repositories.acme/shop.timeout: expected …`: one line for people. */
export function lineOf({ file, line, column, path, message }: ConfigProblem): string {
  if (line === undefined) return `${path === '' ? basename(file) : path}: ${message}`
  return `${basename(file)}:${line}:${column ?? 1} ${path === '' ? '' : `${path}: `}${message}`
}

/** Collects what is wrong, each thing once, in the order of the file. */
export interface ProblemList {
  add(path: Path, message: string): void
  /** For a value that did not come from the file: `source` is its variable or flag. */
  addFor(source: string, message: string): void
  addAt(position: Position, path: Path, message: string): void
  readonly all: readonly ConfigProblem[]
  readonly isEmpty: boolean
}

/** An empty list for this file. */
export function createProblemList(file: string, positions: Pick<Positions, 'at'>): ProblemList {
  const found = new Map<string, ConfigProblem>()
  const put = (position: Position | undefined, path: string, message: string): void => {
    const problem = { file, line: position?.line, column: position?.column, path, message }
    found.set(lineOf(problem), problem)
  }
  return {
    add: (path, message) => put(positions.at(path), pathText(path), message),
    addFor: (source, message) => put(undefined, source, message),
    addAt: (position, path, message) => put(position, pathText(path), message),
    get all() {
      return [...found.values()].toSorted(
        (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
      )
    },
    get isEmpty() {
      return found.size === 0
    },
  }
}

/** `repositories.acme/shop.commands[0][1]`. */
export const pathText = (path: Path): string =>
  path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`))
    .join('')

/** A value as a message quotes it: JSON, on one line, not too long. */
export function quoted(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'an empty mapping' : 'a mapping'
  const text = JSON.stringify(value)
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}
const LONGEST = 60
