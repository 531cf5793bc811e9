import { accessSync, constants, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'

import { execa } from 'execa'

import type { ProcessRecord } from '../deployment/deployment.ts'
import { messageOf } from '../errors.ts'
import type { Guard } from './guard.ts'
import { endGroup, endRun, type Patience } from './ending.ts'
import { bootId, startTicks } from './processes.ts'

/**
 * Every command starts through this: it waits for a word on a pipe, so that its process group is written down
 * before the command may run. If the server dies before the word is given, nothing runs. Program and
 * arguments are positional parameters, never part of the script; both outputs share one pipe, in true order.
 */
const LAUNCHER = 'read -r go || exit 125; exec "$@" 2>&1 </dev/null'
const SHELL = '/bin/sh'

/** How a command ended; `exitCode` is undefined when a signal ended it. */
export type CommandResult =
  | { readonly kind: 'ended'; readonly exitCode: number | undefined; readonly signal: string | undefined }
  | { readonly kind: 'not_started'; readonly reason: 'command_not_found' | 'folder_missing' | 'internal_error'; readonly detail: string }

export interface CommandParts {
  readonly argv: readonly string[]
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  readonly runId: string
  readonly guard: Guard
  /** Writes the process down durably; only then is the word given. */
  record(process: ProcessRecord): Promise<void>
  /** Takes the output as it comes; the command waits while it is busy. */
  write(chunk: Buffer): Promise<void>
  /** Ends the command and everything that it started; the step is over only when the last of it is gone. */
  readonly signal: AbortSignal
  readonly patience: Patience
}

/**
 * Runs one command to its end. Never throws for what the command does; rejects when its output cannot be kept,
 * after the command was ended.
 */
export async function runCommand(parts: CommandParts): Promise<CommandResult> {
  const { folder, environment, signal } = parts
  if (!isFolder(folder)) return notStarted('folder_missing', `The folder ${folder} does not exist.`)
  const [name = '', ...args] = parts.argv
  const program = findProgram(name, folder, environment['PATH'] ?? '')
  if (program === undefined) return notStarted('command_not_found', `Command not found: ${name}`)
  if (signal.aborted) return notStarted('internal_error', 'It was ended before it began.')

  const launched = execa(SHELL, ['-c', LAUNCHER, 'sh', program, ...args], {
    cwd: folder,
    env: environment,
    extendEnv: false,
    killDescendants: true, // its own session and group, so that the group can be ended as one
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'ignore',
    buffer: false,
    reject: false,
  })
  const child = launched.nodeChildProcess
  if (child.pid === undefined) {
    const { originalMessage } = await launched
    return notStarted('internal_error', `${name} could not be started: ${originalMessage ?? 'the system refused it'}`)
  }
  const exited = new Promise<CommandResult>((done) => {
    child.once('exit', (code, killedBy) => done({ kind: 'ended', exitCode: code ?? undefined, signal: killedBy ?? undefined }))
  })
  child.stdin?.on('error', () => {}) // it ended before it read the word
  const record: ProcessRecord = { runId: parts.runId, group: child.pid, bootId: bootId(), startTicks: startTicks(child.pid) ?? '' }
  try {
    await parts.record(record)
  } catch (cause) {
    child.stdin?.end()
    child.stdout?.destroy()
    await exited
    return notStarted('internal_error', `${name} was not started, since its start could not be written down: ${messageOf(cause)}`)
  }
  parts.guard.add(record)
  child.stdin?.end('go\n')
  try {
    return await follow(record, exited, child.stdout as Readable, parts)
  } finally {
    parts.guard.remove(record)
  }
}

const notStarted = (reason: 'command_not_found' | 'folder_missing' | 'internal_error', detail: string): CommandResult => ({
  kind: 'not_started',
  reason,
  detail,
})

/** Sees a running command to the end of its leader, of its output and of its group. */
async function follow(record: ProcessRecord, exited: Promise<CommandResult>, output: Readable, parts: CommandParts): Promise<CommandResult> {
  const { signal, patience } = parts
  let ending: Promise<void> | undefined
  const endNow = (): void => {
    ending ??= endRun(record, patience)
  }
  signal.addEventListener('abort', endNow, { once: true })
  if (signal.aborted) endNow()
  const reading = read(output, parts.write)
  reading.failed.catch(endNow) // what cannot be kept must not go on unseen

  const result = await exited
  await Promise.race([reading.done, reading.quiet(patience.quietMs, patience.drainMs)])
  await (ending ?? endGroup(record, patience))
  await Promise.race([reading.done, reading.quiet(patience.quietMs, patience.drainMs)])
  await ending
  signal.removeEventListener('abort', endNow)
  output.destroy() // somebody in a session of its own may hold the other end for ever
  await reading.done
  await Promise.race([reading.failed, Promise.resolve()])
  return result
}

/** Reads with backpressure. `done` never rejects; `failed` rejects when a piece could not be kept, else stays open. */
function read(output: Readable, write: (chunk: Buffer) => Promise<void>) {
  let busy = false
  let lastAt = performance.now()
  let fail = (_cause: unknown): void => {}
  const failed = new Promise<never>((_resolve, reject) => {
    fail = reject
  })
  failed.catch(() => {})
  const readAll = async (): Promise<void> => {
    try {
      for await (const chunk of output as AsyncIterable<Buffer>) {
        busy = true
        await write(chunk).catch(fail)
        busy = false
        lastAt = performance.now()
      }
    } catch {
      // The stream was destroyed, by us.
    }
  }
  return {
    done: readAll(),
    failed,
    /** Resolves when nothing has come for a while, or at the latest after a longer one. */
    quiet: (quietMs: number, mostMs: number): Promise<void> =>
      new Promise((resolve) => {
        const since = performance.now()
        lastAt = Math.max(lastAt, since)
        const look = (): void => {
          const now = performance.now()
          const isOver = (!busy && now - lastAt >= quietMs) || now - since >= mostMs
          if (isOver) resolve()
          else setTimeout(look, Math.max(5, Math.min(quietMs - (now - lastAt), quietMs)))
        }
        look()
      }),
  }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

/** Where the program is: beside the folder when it is named with a slash, else on PATH. */
export function findProgram(name: string, folder: string, path: string): string | undefined {
  if (name === '') return undefined
  if (name.includes('/')) return isProgram(resolve(folder, name)) ? resolve(folder, name) : undefined
  return path
    .split(':')
    .filter((entry) => entry !== '')
    .map((entry) => resolve(folder, entry, name))
    .find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
