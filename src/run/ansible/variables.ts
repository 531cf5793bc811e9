import { secretsIn } from '../../config/values.ts'
import type { Deployment } from '../../deployment/deployment.ts'
import type { PlaybookOptions, Value, Variable } from '../../deployment/recipe.ts'

/**
 * What a playbook learns, as the YAML of an extra-vars file: its deployment as one variable `ferryman`, and its own
 * variables of the configuration. Ansible reads extra variables as templates, and `{{lookup('pipe','id')}}` is a valid name of a branch: so every text
 * is `!unsafe`, the keys of the payload too, which Ansible then never evaluates. Pure.
 * https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_advanced_syntax.html
 */
export function extraVariables(
  deployment: Facts,
  previousSha: string | undefined,
  own: Readonly<Record<string, unknown>> = {},
): string {
  const { sha, ref, environment, task, repository, actor, number } = deployment
  const ferryman = {
    sha,
    short_sha: sha.slice(0, 7),
    previous_sha: previousSha ?? '',
    ref,
    environment,
    task,
    repository,
    actor,
    number,
    payload: readJson(deployment.payload),
  }
  const lines = Object.entries({ ...own, ferryman }).map(
    ([name, value]) => `"${name}": ${asYaml(value, 0)}\n`,
  )
  return lines.join('')
}

/** The variables of the configuration as they are at this moment, and which texts in them must not be shown. */
export function resolveVariables(
  given: PlaybookOptions['extraVars'],
  resolve: (value: Value) => string,
): { readonly values: Readonly<Record<string, unknown>>; readonly secrets: readonly string[] } {
  const secrets: string[] = []
  const resolved = (name: string, variable: Variable): unknown => {
    if ('plain' in variable) return variable.plain
    if ('list' in variable) return variable.list.map((item) => resolved(name, item))
    if ('mapping' in variable) return resolvedAll(variable.mapping)
    const text = resolve(variable.text)
    secrets.push(...secretsIn(name, variable.text, text))
    return text
  }
  const resolvedAll = (all: Readonly<Record<string, Variable>>) =>
    Object.fromEntries(Object.entries(all).map(([name, variable]) => [name, resolved(name, variable)]))
  return { values: resolvedAll(given), secrets }
}

export type Facts = Pick<
  Deployment,
  'sha' | 'ref' | 'environment' | 'task' | 'repository' | 'actor' | 'number' | 'payload'
>

/** Deeper than people write it; Python reads YAML by recursion. */
const DEEPEST = 50

function asYaml(value: unknown, depth: number): string {
  if (typeof value === 'string') return unsafeText(value)
  if (typeof value !== 'object' || value === null)
    return typeof value === 'boolean' ? String(value) : number(value)
  if (depth > DEEPEST) return unsafeText('…')
  if (Array.isArray(value)) return `[${value.map((item) => asYaml(item, depth + 1)).join(', ')}]`
  const entries = Object.entries(value).map(
    ([key, inner]) => `? ${unsafeText(key)} : ${asYaml(inner, depth + 1)}`,
  )
  return `{${entries.join(', ')}}`
}

/** YAML knows `1e+21` as a text: exponents need a point before them. */
const number = (value: unknown): string =>
  typeof value === 'number' && Number.isFinite(value) ? String(value).replace(/^(-?\d+)e/, '$1.0e') : 'null'

/** Double quotes as in JSON, and nothing but ASCII: YAML takes neither all characters nor halves of a pair. */
const unsafeText = (text: string): string =>
  `!unsafe ${JSON.stringify(text.toWellFormed()).replaceAll(/[^\x20-\x7e]/gu, escaped)}`

const escaped = (character: string): string =>
  `\\U${(character.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
