import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import {
  launch,
  MAKE_PIPE,
  startShell,
  type Launch,
  type Launched,
  type NotLaunched,
  type Shell,
} from './launcher.ts'
import type { Pipe } from './pipe.ts'
import { identityOf, signal, type ProcessIdentity } from './processes.ts'
import { READ_WORDS, wordForNames, wordsFor } from './words.ts'

/**
 * A launcher that is started before anybody knows what it will launch: starting a process takes Node longer the
 * more memory it has. It is told on its input.
 */
const WAITING = `${MAKE_PIPE}
${READ_WORDS}`

/** Starts commands. */
export interface Starter {
  /** Starts the launcher in a session of its own; the command waits behind it for `go`. Never throws. */
  launch(wanted: Launch): Promise<Launched | NotLaunched>
}

/** Starts commands, the next of them quickly. */
export interface Standby extends Starter {
  /** Takes the launcher that waits, for the commands of one run alone; undefined where none is ready. */
  reserve(): Reserved | undefined
  /** Ends the launcher that waits. */
  stop(): Promise<void>
}

/** A launcher that waits to become the first command of a run, or the first that it can become. */
interface Reserved extends Starter {
  readonly process: ProcessIdentity
  /** It is for others again. */
  giveBack(): void
  /** Ends it where it has not become a command. */
  discard(): Promise<void>
}

export interface StandbyParts {
  /** Where its named pipe is for a moment. */
  readonly directory: string
  /** What the environments of all commands have in common; no secrets. */
  readonly environment: Readonly<Record<string, string>>
}

/** A launcher that has made its pipe. */
interface Waiting extends Shell {
  readonly process: ProcessIdentity
  readonly output: Pipe
  /** The names of variables that it was told. */
  readonly names: readonly string[]
  readonly hasEnded: () => boolean
}

/** By then a command has begun: to start the next launcher at once would keep it from the processor, and the server from all else. */
const COMMAND_FIRST_MS = 5

/** Keeps one launcher waiting for the next command. Where there is none, or it cannot be told, a command gets one of its own. */
export function startStandby(parts: StandbyParts): Standby {
  const stopping = new AbortController()
  let next: Promise<Waiting | undefined> | undefined
  /** What `next` has come to. */
  let ready: Waiting | undefined
  let soon: NodeJS.Timeout | undefined
  /** The variables of the last command: those of the next one mostly have the same names. */
  let names: readonly string[] = []
  const keep = (preparing: Promise<Waiting | undefined>): void => {
    next = preparing
    void preparing.then((waiting) => {
      if (next !== preparing) return
      ready = waiting
      if (waiting === undefined) next = undefined // it was killed before it was ready, say
    })
  }
  const prepareNext = (): void => {
    clearTimeout(soon)
    soon = undefined
    if (next === undefined && !stopping.signal.aborted) keep(prepare(parts, names, stopping.signal))
  }
  const prepareSoon = (): void => {
    if (!stopping.signal.aborted) soon ??= setTimeout(prepareNext, COMMAND_FIRST_MS)
  }
  const take = async (): Promise<Waiting | undefined> => {
    const taken = next
    next = ready = undefined
    const waiting = await taken
    if (!waiting?.hasEnded()) return waiting
    waiting.output.destroy()
    return undefined
  }
  /** Tells a launcher that waits what to become. */
  const tell = (waiting: Waiting, plain: Launch): Launched => {
    waiting.write(wordsFor(plain, waiting.names))
    names = Object.keys(plain.environment)
    return {
      ...waiting,
      go() {
        waiting.end('go\n')
        prepareSoon()
      },
      async abandon() {
        await waiting.abandon()
        prepareNext()
      },
    }
  }
  const launchNow = async (wanted: Launch): Promise<Launched | NotLaunched> => {
    const plain = inPlainWords(wanted, parts.environment)
    if (plain === undefined) return launch(wanted)
    const waiting = await take()
    if (waiting !== undefined) return tell(waiting, plain)
    const launched = await launch(wanted)
    prepareNext()
    return launched
  }
  prepareNext()
  return {
    launch: launchNow,
    reserve() {
      if (ready?.hasEnded() === true) {
        void take() // which lets go of it
      }
      if (next === undefined) prepareSoon()
      if (ready === undefined) return undefined
      const waiting = ready
      let isReserved = true
      next = ready = undefined
      return {
        process: waiting.process,
        async launch(wanted) {
          const plain = isReserved ? inPlainWords(wanted, parts.environment) : undefined
          if (plain === undefined || waiting.hasEnded()) return launchNow(wanted)
          isReserved = false
          return tell(waiting, plain)
        },
        giveBack() {
          isReserved = false
          if (next === undefined && !stopping.signal.aborted) keep(Promise.resolve(waiting))
          else void end(waiting)
        },
        async discard() {
          if (!isReserved) return
          isReserved = false
          await end(waiting)
          prepareNext()
        },
      }
    },
    async stop() {
      stopping.abort() // one that hangs before it is ready would be waited for for ever
      clearTimeout(soon)
      const waiting = await take()
      if (waiting !== undefined) await end(waiting)
    },
  }
}

async function end({ pid, ended, output, hasEnded }: Waiting): Promise<void> {
  if (!hasEnded()) signal(-pid, 'SIGKILL') // afterwards its number may be somebody else's
  await ended
  output.destroy()
}

async function prepare(
  { directory, environment }: StandbyParts,
  names: readonly string[],
  stopping: AbortSignal,
): Promise<Waiting | undefined> {
  const pipe = join(directory, `standby-${randomBytes(8).toString('hex')}`)
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const shell = await startShell(WAITING, [pipe], { folder: '/', environment, pipe })
    if ('cause' in shell) return undefined
    let hasEnded = false
    void shell.ended.then(() => (hasEnded = true))
    const kill = (): void => signal(-shell.pid, 'SIGKILL')
    if (stopping.aborted) kill()
    stopping.addEventListener('abort', kill)
    const output = await shell.ready.catch(() => undefined)
    stopping.removeEventListener('abort', kill)
    const process = output && whoIs(shell.pid)
    if (output === undefined || process === undefined) {
      output?.destroy()
      await shell.abandon()
      return undefined
    }
    shell.write(wordForNames(names))
    return { ...shell, process, output, names, hasEnded: () => hasEnded }
  } catch {
    return undefined // a command that cannot be started either says why
  }
}

/** Undefined where no more files may be opened: nobody waits until they may. */
function whoIs(pid: number): ProcessIdentity | undefined {
  try {
    return identityOf(pid)
  } catch {
    return undefined
  }
}

/** It reads a byte at a time: more than this is faster told to a launcher of its own. */
const MOST_CHARACTERS = 4096

/**
 * What the waiting launcher can be told, with the variables that are not common, or undefined when it had better not be:
 * every shell hands on plain text and line feeds as they are, and takes the name of a variable for nothing but a name
 * where it has no use for it itself.
 */
function inPlainWords(wanted: Launch, common: StandbyParts['environment']): Launch | undefined {
  const { environment, become } = wanted
  if (become !== undefined || Object.keys(common).some((name) => environment[name] === undefined))
    return undefined
  const own = Object.entries(environment).filter(([name, value]) => common[name] !== value)
  if (!own.every(([name]) => isPlainName(name))) return undefined
  const plain = { ...wanted, environment: Object.fromEntries(own) }
  const words = wordsFor(plain)
  return words.length <= MOST_CHARACTERS && /^[\t\n\x20-\x7e]*$/.test(words) ? plain : undefined
}

// Our script has its own in lower case. What sounds like one of a shell's own is not risked.
const isPlainName = (name: string): boolean => /^[A-Z][A-Z\d_]*$/.test(name) && !OF_SHELLS.test(name)

const OF_SHELLS =
  /^(BASH|CDPATH|COLUMNS|COMP|COPROC|DIRSTACK|E?UID|E?GID|EDITOR|ENV|EPOCH|ERRNO|EXECIGNORE|FC|FIGNORE|FPATH|FUNC|GLOB|GROUPS|HIST|HOST|IFS|IGNOREEOF|INPUTRC|INSIDE|JOB|KSH|LANG|LC_|LINE|MACH|MAIL|NULLCMD|OLDPWD|OPT|OSTYPE|PATH|PGRP|PIPE|POSIX|PPID|PROMPT|PS\d|PWD|RANDOM|READ|REPLY|SECONDS|SH|SRANDOM|TERM|TIME|TMOUT|USERNAME|VISUAL|YASH|ZSH)/
