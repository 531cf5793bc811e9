import { resolve } from 'node:path'

import type { Value } from '../deployment/recipe.ts'
import { problem } from '../errors.ts'
import type { Path } from './positions.ts'
import { pathText } from './problems.ts'
import {
  fillReferences,
  hasReference,
  readReferencedFile,
  unescaped,
  type Filled,
  type Variables,
} from './references.ts'

export interface Sources {
  readonly environment: Variables
  /** The literal at a path of the configuration in force; undefined when it is gone. */
  readonly lookup: (path: readonly string[]) => string | undefined
}

/** The text that a value stands for at this moment; throws `value_gone` when its variable, file or key is no longer there. */
export function resolveValue(value: Value, { environment, lookup }: Sources): string {
  if ('literal' in value) return value.literal
  if ('config' in value) {
    const found = lookup(value.config)
    if (found === undefined)
      throw problem('value_gone', { what: `${pathText(value.config)} is not in the configuration` })
    return found
  }
  const filled =
    'template' in value ? fillReferences(value.template, environment) : readReferencedFile(value.file, '/')
  if ('wrong' in filled) throw problem('value_gone', { what: filled.wrong })
  return filled.text
}

/** How one variable of `env:` is kept, and what it stands for now. */
export interface ReadValue {
  readonly value: Value
  readonly text: string
  /** The texts in it that must not be shown. */
  readonly secrets: readonly string[]
}

export interface ReadOptions {
  readonly path: Path
  readonly directory: string
  readonly environment: Variables
  /** What it is called, where that is not the last of its path. */
  readonly name?: string
}

/** Reads one variable of `env:` as it stands in the file. */
export function readValue(
  given: string | { readonly file: string },
  { path, directory, environment, name = String(path.at(-1)) }: ReadOptions,
): ReadValue | { readonly wrong: string } {
  if (typeof given !== 'string') return readFileValue(name, given.file, { directory, environment })
  if (hasReference(given)) return read(name, { template: given }, fillReferences(given, environment))
  const text = unescaped(given)
  const value = looksSecret(name, text) ? { config: path.map(String) } : { literal: text }
  return { value, text, secrets: secretsIn(name, value, text) }
}

/**
 * The texts in a variable of `env:` that must not be shown. Of a reference everything counts as secret, but for
 * a plain word or a short number under a name that speaks of nothing secret: masking `production` would
 * deface every message.
 */
export function secretsIn(name: string, value: Value, text: string): string[] {
  if ('literal' in value) return []
  const isPlain =
    !SECRET_NAME.test(name) && !('file' in value) && /^(?:[A-Za-z][A-Za-z_-]{0,19}|\d{1,5})$/.test(text)
  return isPlain ? [] : [text, ...credentialsIn(text)]
}

/** The same of a variable that a commit sets itself, where nothing can be looked up. */
export const secretsSaid = (name: string, text: string): string[] =>
  looksSecret(name, text) ? [text, ...credentialsIn(text)] : []

/** The masker leaves such words alone: hiding each `abc` would deface every log. */
export const isTooShort = (secret: string): boolean => {
  const { length } = secret.trim()
  return length > 0 && length < SHORTEST_MASKED
}
const SHORTEST_MASKED = 6

/**
 * What is secret by itself in an address: the password of `postgres://user:password@host`, as written and decoded,
 * and the path of a webhook of Slack, which is all that the request line of HTTP shows.
 */
export function credentialsIn(text: string): string[] {
  const paths = [...text.matchAll(WEBHOOK_OF_SLACK)].map(([, path = '']) => path)
  return [...passwordsIn(text), ...paths]
}

/** The passwords in addresses, as written and decoded. */
export const passwordsIn = (text: string): string[] =>
  [...text.matchAll(ADDRESS_WITH_PASSWORD)].flatMap(([, password = '']) => [
    ...new Set([password, decoded(password)]),
  ])

function readFileValue(
  name: string,
  given: string,
  { directory, environment }: { directory: string; environment: Variables },
): ReadValue | { readonly wrong: string } {
  const path = fillReferences(given, environment)
  if ('wrong' in path) return path
  const file = resolve(directory, path.text)
  return read(name, { file }, readReferencedFile(file, directory))
}

function read(name: string, value: Value, filled: Filled): ReadValue | { readonly wrong: string } {
  if ('wrong' in filled) return filled
  const parts = filled.values.flatMap((part) => secretsIn(name, value, part))
  return { value, text: filled.text, secrets: [...secretsIn(name, value, filled.text), ...parts] }
}

const SECRET_NAME =
  /SECRET|TOKEN|PASS|PWD|(?:^|_)(?:PIN|PW|SALT|COOKIE)$|PRIVATE|CREDENTIAL|AUTH|(?:API|ACCESS)_KEY|KEY$|_DSN$|WEBHOOK/i
const ADDRESS_WITH_PASSWORD = /[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:([^\s/@]+)@/gi
const WEBHOOK_OF_SLACK = /https?:\/\/[^\s/]+\/((?:services|workflows|triggers)\/[\w/-]+)/gi

const looksSecret = (name: string, text: string): boolean =>
  text !== '' && (SECRET_NAME.test(name) || credentialsIn(text).length > 0)

function decoded(password: string): string {
  try {
    return decodeURIComponent(password)
  } catch {
    return password
  }
}
