import type { ProcessRecord } from '../deployment/deployment.ts'
import { messageOf } from '../errors.ts'
import { endForGood, endGroup, hasGroup, type EndingParts, type Leaving } from './ending.ts'
import type { Guard } from './guard.ts'
import type { Launched } from './launcher.ts'
import { markOf } from './mark.ts'
import { follow, type Output } from './output.ts'
import { identityOf } from './processes.ts'
import type { Taking } from './pipe.ts'
import { lookUp } from './program.ts'
import type { Starter } from './standby.ts'

export { findProgram, lookUp, troubleWithFolder } from './program.ts'

/** How a command ended; `exitCode` is undefined when a signal ended it. */
type CommandResult = Ended | NotStarted

export interface Ended {
  readonly kind: 'ended'
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  /** It was told to end before it ended by itself: the first cause counts. */
  readonly isStopped: boolean
  /** What it had left behind in its group. */
  readonly leaving: Leaving
  /** Somebody lives on who has its output, which nobody reads any more. */
  readonly isOutputHeld: boolean
}

interface NotStarted {
  readonly kind: 'not_started'
  readonly reason: 'command_not_found' | 'folder_missing' | 'internal_error'
  readonly detail: string
}

export interface CommandParts extends EndingParts {
  readonly argv: readonly string[]
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  readonly runId: string
  /** Where the named pipe of its output is made, for this command only. */
  readonly pipe: string
  readonly guard: Guard
  readonly standby: Starter
  /** Writes the process down durably; only then is the word given. */
  record(process: ProcessRecord): Promise<void>
  /** Takes the output as it comes; the command waits while it is busy. */
  write(chunk: Buffer): Taking
  /** Ends the command and everything that it started; the step is over only when the last of it is gone. */
  readonly signal: AbortSignal
  /** The signal came before the command had ended by itself: now it is being ended. */
  interrupting(): void
  /** What it leaves in its group when it succeeds lives on. */
  readonly leaveProcesses: boolean
  /** The words in front of it that make it another user's; then only that user knows what can be run, and where. */
  readonly become?: readonly string[] | undefined
}

/**
 * Runs one command to its end. Never throws for what the command does; rejects when its output cannot be kept,
 * after the command was ended, and with `StillThere` when it cannot be ended and the server has to.
 */
export async function runCommand(parts: CommandParts): Promise<CommandResult> {
  const { folder, environment, pipe, guard, standby, signal, become } = parts
  const [name = '', ...args] = parts.argv
  const path = environment['PATH'] ?? ''
  const found = become === undefined ? lookUp(name, folder, path) : { program: name }
  if ('reason' in found) return { kind: 'not_started', ...found }
  const launched = await standby.launch({
    program: found.program,
    arguments: args,
    folder,
    environment,
    pipe,
    mark: markOf(parts.runId),
    become,
  })
  if ('cause' in launched) return notStarted(`${name} could not be started: ${launched.cause}`)

  const [ready, recorded] = await Promise.allSettled([launched.ready, writeDown(launched, parts)])
  if (ready.status === 'rejected' || recorded.status === 'rejected' || signal.aborted) {
    if (ready.status === 'fulfilled') ready.value.destroy()
    await launched.abandon()
    return notStarted(whyNot(name, ready, recorded))
  }
  const record = recorded.value
  guard.add(record)
  try {
    const output = follow(ready.value, (chunk) => parts.write(chunk))
    launched.go()
    return await seeThrough(record, launched, output, parts)
  } finally {
    guard.remove(record)
  }
}

async function writeDown(
  { pid, process: known }: Launched,
  { runId, record }: CommandParts,
): Promise<ProcessRecord> {
  const process = { runId, ...(known ?? identityOf(pid)) }
  await record(process)
  return process
}

const notStarted = (detail: string): NotStarted => ({ kind: 'not_started', reason: 'internal_error', detail })

function whyNot(
  name: string,
  ready: PromiseSettledResult<unknown>,
  recorded: PromiseSettledResult<unknown>,
): string {
  if (recorded.status === 'rejected')
    return `${name} was not started, since its start could not be written down: ${messageOf(recorded.reason)}`
  if (ready.status === 'rejected') return `${name} could not be started: ${messageOf(ready.reason)}`
  return `${name} was not started: the run was ended before.`
}

/** Sees a running command to the end of its leader, of its output and of its group. */
async function seeThrough(
  record: ProcessRecord,
  launched: Launched,
  output: Output,
  parts: CommandParts,
): Promise<CommandResult> {
  const { signal, interrupting, patience } = parts
  let ending: Promise<void> | undefined
  let lost: { readonly reason: unknown } | undefined
  const givenUp = Promise.withResolvers<never>()
  givenUp.promise.catch(() => {}) // told where it is waited for
  const endNow = (): void => {
    ending ??= endForGood(record, parts)
    ending.catch(givenUp.reject)
  }
  const watchLog = async (): Promise<void> => {
    lost = { reason: await output.broken }
    endNow() // what cannot be kept must not go on unseen
  }
  void watchLog()
  const stop = (): void => {
    interrupting()
    endNow()
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()

  // One that hangs in the kernel has no end that could be waited for.
  const { exitCode, signal: killedBy } = await Promise.race([launched.ended, givenUp.promise])
  const isStopped = signal.aborted
  // From here on the command has ended by itself, and only what it left behind is to be ended.
  signal.removeEventListener('abort', stop)
  // Somebody in a session of its own may go on printing: of the command itself only what is in the pipe is missing.
  const isHeld = await output.drain({ ...patience, drainMs: patience.quietMs })
  if (isHeld && (await hasGroup(record))) await output.drain(patience)
  const mayStay = parts.leaveProcesses && exitCode === 0
  const leaving = ending === undefined && !mayStay ? await endGroup(record, patience) : NOTHING_LEFT
  await ending
  if (ending !== undefined || leaving.found > 0) await output.drain(patience)
  const isOutputHeld = output.close() // somebody in a session of its own may hold the other end for ever
  if (lost !== undefined) throw lost.reason
  return { kind: 'ended', exitCode, signal: killedBy, isStopped, leaving, isOutputHeld }
}

const NOTHING_LEFT: Leaving = { found: 0, stayed: [] }
