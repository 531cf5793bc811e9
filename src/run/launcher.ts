import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import type { Readable } from 'node:stream'

import { messageOf } from '../errors.ts'
import { openPipe, type Pipe } from './pipe.ts'
import type { ProcessIdentity } from './processes.ts'
import { BECOME, READ_WORDS, wordsFor } from './words.ts'

/**
 * Makes the named pipe that both streams of the command become, which keeps their true order. It is not the pipe
 * that Node offers, because that is a socket: `> /dev/stderr` and `tee /dev/stdout` fail on sockets (open(2),
 * ENXIO). Opening it for both directions first waits for nobody; what is kept open only writes. Everybody may write
 * to it, so that a command that became another user can open it that way, too; nobody else finds it, since it is in a
 * folder that is ours alone and its name is gone before the command begins.
 */
export const MAKE_PIPE = `command -p mkfifo -m 622 "$1" && exec 3<>"$1" 4>"$1" 3<&- && echo || exit 125
shift`

/**
 * The one program that starts all others. It waits for a word on its input before it becomes the command, so
 * that the server can write down first what is about to run; without the word it ends, and nothing has run.
 * All words of the command are arguments; none is ever part of a script.
 */
const LAUNCHER = `${MAKE_PIPE}
ulimit -S -m "$1" 2>/dev/null
shift
read -r FERRYMAN_GO || exit 125
${BECOME}`

/** The same for a command that is another user's: who it becomes reads on, and is told the rest on the same input. */
const LAUNCHER_OF_ANOTHER = `${MAKE_PIPE}
ulimit -S -m "$1" 2>/dev/null
shift
read -r FERRYMAN_GO || exit 125
exec >&4 2>&1 4>&-
exec "$@"`

/** Started as the other user, with an empty environment. */
const READING = `exec 4>&1
${READ_WORDS}`

export interface Launch {
  /** Absolute path. */
  readonly program: string
  readonly arguments: readonly string[]
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  /** Where the named pipe is made; nothing may be there yet. */
  readonly pipe: string
  /** What all its processes bear, by mark.ts. */
  readonly mark: string
  /** The words in front of a command that make it another user's. */
  readonly become?: readonly string[] | undefined
}

export interface Launched {
  /** Process id, and id of the new group and session. */
  readonly pid: number
  /** Who that is, where it is known by now. */
  readonly process?: ProcessIdentity
  /** Resolves when the word can be given, with the output that the command is going to have. */
  readonly ready: Promise<Pipe>
  /** Gives the word: the command begins. */
  go(): void
  /** Never gives the word: resolves when the launcher is gone, and nothing has run. */
  abandon(): Promise<void>
  readonly ended: Promise<Ended>
}

interface Ended {
  readonly exitCode: number | undefined
  readonly signal: string | undefined
}

/** Why there is no process. */
export interface NotLaunched {
  readonly cause: string
}

/** Starts the launcher in a session of its own; the command waits behind it for `go`. Never throws. */
export async function launch(wanted: Launch): Promise<Launched | NotLaunched> {
  const { program, folder, environment, pipe, mark, become } = wanted
  if (become !== undefined) return launchAs(become, wanted)
  const shell = await startShell(LAUNCHER, [pipe, mark, program, ...wanted.arguments], {
    folder,
    environment,
    pipe,
  })
  return 'cause' in shell ? shell : { ...shell, go: () => shell.end('go\n') }
}

/**
 * What is told on its input is seen by nobody, needs no right to be handed on, and is not what sudo or PAM make of
 * it: they have their say before, so that the mark is set once more as well.
 */
async function launchAs(become: readonly string[], wanted: Launch): Promise<Launched | NotLaunched> {
  const { pipe, mark } = wanted
  const reader = [...become, 'env', '-i', '/bin/sh', '-c', READING, 'sh']
  const shell = await startShell(LAUNCHER_OF_ANOTHER, [pipe, mark, ...reader], {
    folder: '/',
    environment: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C.UTF-8' },
    pipe,
  })
  return 'cause' in shell ? shell : { ...shell, go: () => shell.end(`go\n${wordsFor(wanted)}go\n`) }
}

/** A shell that waits for words. */
export interface Shell extends Omit<Launched, 'go'> {
  write(text: string): void
  /** The last words. */
  end(text: string): void
}

/** Starts a shell with one of our scripts, the first of whose arguments is the pipe. Never throws. */
export async function startShell(
  script: string,
  args: readonly string[],
  { folder, environment, pipe }: Pick<Launch, 'folder' | 'environment' | 'pipe'>,
): Promise<Shell | NotLaunched> {
  try {
    const shell = spawn('/bin/sh', ['-c', script, 'sh', ...args], {
      cwd: folder,
      env: environment,
      detached: true, // the guard ends it with us, also where we have no time left
    })
    const { pid, stdin, stdout, stderr } = shell
    if (pid === undefined) {
      const [cause]: unknown[] = await once(shell, 'error')
      return { cause: whyNot(cause) }
    }
    stdin.on('error', () => {}) // it ended before it read the word; its exit says so
    const ended = endOf(shell)
    return {
      pid,
      ready: pipeOf(stdout, stderr, pipe),
      write: (text) => void stdin.write(text),
      end: (text) => void stdin.end(text),
      async abandon() {
        stdin.end()
        await ended
      },
      ended,
    }
  } catch (thrown) {
    return { cause: whyNot(thrown) }
  }
}

/** What a person would say of the limits of the system; everything else as it is. */
function whyNot(thrown: unknown): string {
  const { code } = Object(thrown) as NodeJS.ErrnoException
  if (code === 'EAGAIN') return 'the system lets this user start no more processes (EAGAIN, see ulimit -u)'
  if (code === 'E2BIG') return 'its arguments and variables are longer than the system takes (E2BIG)'
  if (code === 'EMFILE') return 'the server may open no more files (EMFILE, see ulimit -n)'
  return messageOf(thrown)
}

async function endOf(shell: ChildProcess): Promise<Ended> {
  const [exitCode, killedBy] = (await once(shell, 'exit')) as [number | null, NodeJS.Signals | null]
  return { exitCode: exitCode ?? undefined, signal: killedBy ?? undefined }
}

/** Waits for the shell to say that the pipe is there, and opens the end that we read; its name is needed no longer. */
function pipeOf(stdout: Readable, stderr: Readable, pipe: string): Promise<Pipe> {
  return new Promise((resolve, reject) => {
    let complaint = ''
    stderr.on('data', (chunk: Buffer) => {
      if (complaint.length < 1_000) complaint += chunk.toString()
    })
    stdout.once('data', () => {
      try {
        const reading = openPipe(pipe)
        removePipe(pipe)
        resolve(reading)
      } catch (thrown) {
        reject(thrown instanceof Error ? thrown : new Error(String(thrown)))
      }
    })
    // The shell leaves its first output when it becomes the command, or when it ends.
    stdout.once('close', () => {
      removePipe(pipe)
      reject(new Error(complaint.trim() || 'the launcher ended at once'))
    })
    stdout.resume()
  })
}

/** What cannot be removed, as on a disk that has become read-only, goes at the next start. */
function removePipe(pipe: string): void {
  try {
    rmSync(pipe, { force: true })
  } catch {
    // Its name is in nobody's way.
  }
}
