import { parseArgs, type ParseArgsConfig } from 'node:util'

import { FerrymanError, messageOf } from './errors.ts'
import { closest } from './config/closest.ts'
import { importByName } from './imports.ts'

/** One command: what `--help` says of it, what it takes, and where its work is. Loaded only when it is called. */
export interface Command {
  readonly summary: string
  readonly usage: string
  readonly options: NonNullable<ParseArgsConfig['options']>
  /** How many words it takes beside its options. */
  readonly words: number
  /** Answers the exit code. */
  run(given: Given): Promise<number>
}

export interface Given {
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>
  readonly positionals: readonly string[]
}

const COMMANDS: Readonly<Record<string, { summary: string; load(): Promise<Command> }>> = {
  serve: { summary: 'run the server', load: async () => (await import('./commands/serve.ts')).serve },
  check: {
    summary: 'say what is wrong with the configuration, and what the server would miss',
    load: async () => (await import('./commands/check.ts')).check,
  },
  send: {
    summary: 'sign a sample delivery, send it to a running server and print the verdict',
    load: async () => (await import('./commands/send.ts')).send,
  },
  deliveries: {
    summary: 'show what GitHub has sent and what became of it, and let it be decided anew',
    load: async () => (await import('./commands/deliveries.ts')).deliveries,
  },
  why: {
    summary: 'say why an environment is not deploying, and what is behind it',
    load: async () => (await import('./commands/why.ts')).why,
  },
  show: {
    summary: 'show a deployment: what, who and when, and each step with its exit code and duration',
    load: async () => (await import('./commands/show.ts')).show,
  },
  queue: {
    summary: 'show what runs and what waits, and when it begins',
    load: async () => (await import('./commands/queue.ts')).queue,
  },
  lock: {
    summary: 'let nothing begin in an environment, a repository or anywhere, and say why',
    load: async () => (await import('./commands/lock.ts')).lock,
  },
  unlock: {
    summary: 'free a lock: what it held goes on by itself',
    load: async () => (await import('./commands/unlock.ts')).unlock,
  },
  locks: {
    summary: 'show what is locked, by whom and why',
    load: async () => (await import('./commands/locks.ts')).locks,
  },
  deploy: {
    summary: 'deploy a branch, a tag or a commit, and wait for its end',
    load: async () => (await import('./commands/deploy.ts')).deploy,
  },
  plan: {
    summary: 'show what a deployment would run, where, as whom and with which variables, and run nothing',
    load: async () => (await import('./commands/plan.ts')).plan,
  },
  'dry-run': {
    summary: 'let Ansible say what a deployment would change, and change nothing',
    load: async () => (await import('./commands/dry-run.ts')).dryRun,
  },
  force: {
    summary: 'let a deployment that is held pass what stands in its way',
    load: async () => (await import('./commands/force.ts')).force,
  },
  cancel: {
    summary: 'take a deployment back, whether it waits or runs',
    load: async () => (await import('./commands/cancel.ts')).cancel,
  },
  rollback: {
    summary: 'go back to an earlier deployment, and let nothing newer come by itself',
    load: async () => (await import('./commands/rollback.ts')).rollback,
  },
  unpin: {
    summary: 'let merges and pushes deploy by themselves again after a rollback',
    load: async () => (await import('./commands/unpin.ts')).unpin,
  },
  'mark-bad': {
    summary: 'say that what a deployment put in place is nothing to go back to',
    load: async () => (await import('./commands/mark-bad.ts')).markBad,
  },
  approve: {
    summary: 'agree to a deployment that waits for a second person',
    load: async () => (await import('./commands/approve.ts')).approve,
  },
  outbox: {
    summary: 'show what GitHub and Slack are still to be told and what they refused, and send it again',
    load: async () => (await import('./commands/outbox.ts')).outbox,
  },
  demo: {
    summary: 'watch the whole journey on this machine, without any account',
    load: async () => (await import('./commands/demo.ts')).demo,
  },
}

const HELP = `Ferryman carries your merges into production, and tells everybody how it went.

Usage: ferryman <command> [options]

${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`)
  .join('\n')}

  ferryman <command> --help   says what a command takes
  ferryman --version

Exit codes: 0 it worked; 1 it did not, and the text says why; 2 the call was wrong.
`

const OK = 0
const FAILED = 1
const USAGE = 2

class UsageError extends Error {}

/** Runs the command line; answers the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args
  if (name === 'help' && rest[0] !== undefined) return main([rest[0], '--help'])
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(HELP)
    return name === undefined ? USAGE : OK
  }
  if (name === '--version' || name === '-v') {
    const { version } = await import('./version.ts')
    process.stdout.write(`${version}\n`)
    return OK
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (entry === undefined && name.startsWith('-'))
    throw new UsageError(
      `The command comes first, and "${name}" is none: as in \`ferryman check --config FILE\`. \`ferryman --help\` lists them.`,
    )
  if (entry === undefined)
    throw new UsageError(
      `There is no command "${name}".${suggestion(name, Object.keys(COMMANDS))} \`ferryman --help\` lists them.`,
    )
  const command = await entry.load()
  const given = parse(name, command, rest)
  if (given.values['help'] === true) {
    process.stdout.write(command.usage)
    return OK
  }
  const surplus = given.positionals[command.words]
  if (surplus !== undefined)
    throw new UsageError(`"${surplus}" is not understood. \`ferryman ${name} --help\` says what it takes.`)
  return command.run(given)
}

/** ` Did you mean "serve"?`, or nothing. */
function suggestion(word: string, known: readonly string[]): string {
  const meant = closest(word, known)
  return meant === undefined ? '' : ` Did you mean "${meant}"?`
}

function parse(name: string, command: Command, args: readonly string[]): Given {
  const options = { ...command.options, help: { type: 'boolean', short: 'h' } } as const
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (thrown) {
    const flag = /'(?:-., )?--?([\w-]+)/.exec(messageOf(thrown))?.[1] ?? ''
    const known =
      flag in options
        ? ''
        : suggestion(
            `--${flag}`,
            Object.keys(options).map((option) => `--${option}`),
          )
    throw new UsageError(
      `${messageOf(thrown).split('. ')[0]}.${known} \`ferryman ${name} --help\` says what it takes.`,
    )
  }
}

// Somebody who reads only the head of our output closes the pipe. That is no failure, and no end either: whoever waits for
// the exit code of a deployment gets its own.
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  if (code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED') return
  process.stderr.write(`ferryman: The output cannot be written: ${message}\n`)
  process.exit(FAILED)
})
process.stderr.on('error', () => {})

function textOf(thrown: unknown): string {
  if (thrown instanceof UsageError) return thrown.message
  if (thrown instanceof FerrymanError) return `${thrown.message}\n  ${thrown.hint}`
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
}

/** The call itself was wrong, not what it was about. */
const isWrongCall = (thrown: unknown): boolean =>
  thrown instanceof UsageError || (thrown instanceof FerrymanError && thrown.status === 400)

/** Releases are removed, and people stand in them: nothing here needs the folder, and Node fails wherever it is asked for. */
function leaveRemovedFolder(): void {
  try {
    process.cwd()
  } catch {
    process.chdir('/')
  }
}

leaveRemovedFolder()
importByName()
try {
  process.exitCode = await main(process.argv.slice(2))
} catch (thrown) {
  const { printable } = await import('./logs/one-line.ts')
  const { createMasker } = await import('./logs/redact.ts')
  // What was thrown while a configuration was known was masked by it; this is for all else.
  process.stderr.write(createMasker([]).mask(`ferryman: ${printable(textOf(thrown))}\n`))
  process.exitCode = isWrongCall(thrown) ? USAGE : FAILED
}
