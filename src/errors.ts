/** Every problem a person can meet. The message says what is wrong; the hint says what to do. */
export const PROBLEMS = {
  config_not_found: {
    status: 500,
    message: 'There is no configuration at {paths}.',
    hint: 'Copy config.example.yml to config.yml, or name a file with --config or FERRYMAN_CONFIG.',
  },
  config_unreadable: {
    status: 500,
    message: 'The configuration {file} cannot be read: {cause}.',
    hint: 'Check that the file exists and that this user may read it.',
  },
  config_invalid: {
    status: 500,
    message: 'The configuration {file} has {count}:\n{list}',
    hint: 'Mend the lines named above; `ferryman check` looks at them again.',
  },
  data_dir_locked: {
    status: 500,
    message: 'Another Ferryman is already running on {directory}.',
    hint: 'Stop it first, or give this one its own data_dir.',
  },
  data_dir_unusable: {
    status: 500,
    message: 'The data directory {directory} cannot be used: {cause}.',
    hint: 'Create it, and let the user that runs Ferryman own it.',
  },
  database_unreachable: {
    status: 500,
    message: 'The database {database} does not answer: {cause}.',
    hint: 'Check the address and the credentials in `database`, and that the server is running.',
  },
  database_locked: {
    status: 500,
    message: 'Another Ferryman is already running on the database {database}.',
    hint: 'Stop it first: one server per database.',
  },
  database_newer: {
    status: 500,
    message: 'The database was written by a newer Ferryman ({version}).',
    hint: 'Install that version again, or restore the backup from before the upgrade.',
  },
  address_in_use: {
    status: 500,
    message: 'The address {address} is already in use.',
    hint: 'Stop the program that listens there, or set another server.port (or PORT).',
  },
  address_unusable: {
    status: 500,
    message: 'Ferryman cannot listen on {address}: {cause}.',
    hint: 'Set server.host to an address of this machine and server.port to a port this user may open.',
  },
} as const satisfies Record<string, Problem>

interface Problem {
  /** The HTTP status where the problem is an answer. */
  readonly status: number
  readonly message: string
  readonly hint: string
}

export type ProblemCode = keyof typeof PROBLEMS

type Blanks<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Blanks<Rest>
  : never
type Details<C extends ProblemCode> = Record<
  Blanks<(typeof PROBLEMS)[C]['message'] | (typeof PROBLEMS)[C]['hint']>,
  string
>

/** A problem with a stable code; `message` and `hint` are ready to be shown. */
export class FerrymanError extends Error {
  override readonly name = 'FerrymanError'
  readonly code: ProblemCode
  readonly status: number
  readonly hint: string

  constructor(code: ProblemCode, details: Record<string, string>, cause?: unknown) {
    const { message, hint, status } = PROBLEMS[code]
    super(fill(message, details), cause === undefined ? undefined : { cause })
    this.code = code
    this.status = status
    this.hint = fill(hint, details)
  }
}

/** `throw problem('config_not_found', {paths})`: a missing blank does not compile. */
export const problem = <C extends ProblemCode>(
  code: C,
  details: Details<C>,
  cause?: unknown,
): FerrymanError => new FerrymanError(code, details, cause)

/** What went wrong in words, whatever was thrown. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)

const fill = (text: string, details: Record<string, string>): string =>
  text.replaceAll(/\{(\w+)\}/g, (blank, name: string) => details[name] ?? blank)
