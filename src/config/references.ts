import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'

import { messageOf } from '../errors.ts'

/** The environment variables that references are filled from. */
export type Variables = Readonly<Record<string, string | undefined>>

export type Filled =
  | { readonly text: string; readonly values: readonly string[] }
  /** What is wrong, and what to do. */
  | { readonly wrong: string }

const REFERENCE = /\$\$\{|\$\{([^}]*)\}?/g
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Fills every `${NAME}`; `$${` becomes `${`. `values` are those that were filled in. */
export function fillReferences(text: string, variables: Variables): Filled {
  const values: string[] = []
  const missing: string[] = []
  let malformed = false
  const filled = text.replaceAll(REFERENCE, (whole, name: string | undefined) => {
    if (name === undefined) return '${'
    if (!NAME.test(name) || !whole.endsWith('}')) malformed = true
    const value = variables[name]
    if (value === undefined || value === '') missing.push(name)
    else values.push(value)
    return value ?? ''
  })
  if (malformed) return { wrong: 'write a reference as ${NAME}, and $${ where ${ itself is meant' }
  if (missing.length > 0) return { wrong: missingText([...new Set(missing)]) }
  return { text: filled, values }
}

/** Whether anything would be filled. */
export const hasReference = (text: string): boolean =>
  [...text.matchAll(REFERENCE)].some(([, name]) => name !== undefined)

/** The text as it is meant where nothing is filled: `$${` is `${`. */
export const unescaped = (text: string): string => text.replaceAll('$${', '${')

/** The content of a `{file: path}`, without its last line break; relative to `directory`. */
export function readReferencedFile(path: string, directory: string): Filled {
  const file = resolve(directory, path)
  try {
    const about = statSync(file)
    if (!about.isFile()) return { wrong: `${file} is no regular file` }
    if (about.size > LARGEST) return { wrong: `${file} is larger than ${LARGEST} bytes` }
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    return text === '' ? { wrong: `${file} is empty` } : { text, values: [text] }
  } catch (thrown) {
    return { wrong: `${file} cannot be read: ${causeOf(thrown)}` }
  }
}
const LARGEST = 65_536

/** Why a file cannot be read, in words. */
export function causeOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
  return CAUSES[code] ?? messageOf(thrown)
}
const CAUSES: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a directory',
}

const missingText = (names: readonly string[]): string =>
  names.length === 1
    ? `the environment variable ${names[0]} is not set`
    : `the environment variables ${names.join(' and ')} are not set`
