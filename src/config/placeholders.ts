/**
 * Placeholders in the arguments of commands: `{sha}`, `{ref}`, `{payload.reason}`. They are filled after the
 * words of a command are separate, so that a value never splits an argument, is never read a second time and
 * never becomes an option. `{{x}}` (templates of other tools), `@{u}` (git), `${x}` (shells) and `%{x}` (curl, rpm) stay
 * as they are.
 */
export interface PlaceholderValues {
  readonly sha: string
  readonly ref: string
  readonly environment: string
  readonly task: string
  /** `owner/name`. */
  readonly repository: string
  /** The commit of the last success before; undefined when there was none. */
  readonly previousSha: string | undefined
  /** The path of the checkout; undefined where the recipe has none. */
  readonly workspace: string | undefined
  /** Whatever came with the deployment, read as JSON. */
  readonly payload: unknown
}

/** `refused` names the placeholder; `because` ends a sentence that begins with it. */
export interface Refusal {
  readonly refused: string
  readonly because: string
}

const FILL = {
  sha: ({ sha }) => sha,
  short_sha: ({ sha }) => sha.slice(0, 7),
  ref: ({ ref }) => ref,
  environment: ({ environment }) => environment,
  env: ({ environment }) => environment,
  task: ({ task }) => task,
  repository: ({ repository }) => repository,
  previous_sha: ({ previousSha }) => previousSha ?? '',
  workspace: ({ workspace }) => workspace ?? '',
} as const satisfies Record<string, (values: PlaceholderValues) => string>

/** The words that may stand between braces; beside them `payload.` and a path. */
export const PLACEHOLDERS: readonly string[] = Object.keys(FILL)

const PLACEHOLDER = /(?<![{@$%])\{([a-z_][\w.-]*)\}(?!\})/g
const PAYLOAD = 'payload.'
const IN_PAYLOAD = /^payload(?:\.[\w-]+)+$/

/** The names of all placeholders of an argument, known or not, in order. */
export const placeholdersIn = (argument: string): string[] =>
  [...argument.matchAll(PLACEHOLDER)].map(([, name = '']) => name)

/** The names of the placeholders of an argument that nothing can fill. */
export const unknownPlaceholders = (argument: string): string[] =>
  placeholdersIn(argument).filter((name) => !Object.hasOwn(FILL, name) && !IN_PAYLOAD.test(name))

/**
 * The argument with its placeholders filled in one pass, or which of them cannot be: a value that would turn
 * the argument into an option, or that no process can be given.
 */
export function fill(argument: string, values: PlaceholderValues): string | Refusal {
  let refusal: Refusal | undefined
  const filled = argument.replaceAll(PLACEHOLDER, (whole, name: string, offset: number) => {
    const value = valueOf(name, values)
    if (value === undefined) return whole
    if (value.includes('\0')) refusal ??= { refused: name, because: 'contains a NUL character' }
    // What stands before may be placeholders without a value.
    if (value.startsWith('-') && isBeginning(argument.slice(0, offset), values))
      refusal ??= { refused: name, because: 'begins with "-" and would be taken for an option' }
    return value
  })
  return refusal ?? filled
}

const isBeginning = (before: string, values: PlaceholderValues): boolean =>
  before.replaceAll(PLACEHOLDER, (whole, name: string) => valueOf(name, values) ?? whole) === ''

function valueOf(name: string, values: PlaceholderValues): string | undefined {
  if (Object.hasOwn(FILL, name)) return FILL[name as keyof typeof FILL](values)
  if (!IN_PAYLOAD.test(name)) return undefined
  return textOf(name.slice(PAYLOAD.length).split('.').reduce(inside, values.payload))
}

const inside = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined || value === null ? '' : JSON.stringify(value)
}
