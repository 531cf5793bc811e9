import { setTimeout as pause } from 'node:timers/promises'

import type { ProcessRecord } from '../deployment/deployment.ts'
import { told, until } from './proc.ts'
import { carriersOf, connectionsOf, membersOf, signal, startTicks } from './processes.ts'

/** How long things may take, in milliseconds; tests are less patient. */
export interface Patience {
  /** From INT to TERM, and from TERM to KILL, when a run has to end. */
  readonly intMs: number
  readonly termMs: number
  /** How long what was killed may take to be gone, before that is told. */
  readonly killMs: number
  /** From TERM to KILL for what a command left behind when it ended by itself. */
  readonly leaveMs: number
  /**
   * Output is over when nothing has come for this long after the command's end, or after `drainMs` of waiting; where nobody
   * of its group is left, after `quietMs` of it.
   */
  readonly quietMs: number
  readonly drainMs: number
}

export const PATIENCE: Patience = {
  intMs: 5_000,
  termMs: 10_000,
  // A killed process is gone as soon as the kernel has a moment.
  killMs: 10_000,
  leaveMs: 2_000,
  quietMs: 300,
  drainMs: 5_000,
}

const LOOK_EVERY_MS = 50

/** What became of the processes that a command had left in its group. */
export interface Leaving {
  /** How many there were. */
  readonly found: number
  /** Those that cannot be ended. */
  readonly stayed: readonly number[]
}

/** Whether somebody of the group is left. */
export const hasGroup = (record: ProcessRecord): Promise<boolean> =>
  told(() => membersLeft(record).length > 0)

/** Ends what is left of the group after its leader ended by itself; what took a session of its own lives on. */
export async function endGroup(record: ProcessRecord, { leaveMs, killMs }: Patience): Promise<Leaving> {
  const found = (await told(() => membersLeft(record))).length
  if (found === 0) return { found, stayed: [] }
  const isGone = (): boolean => membersLeft(record).length === 0
  signal(-record.group, 'SIGTERM')
  if (await until(isGone, leaveMs, LOOK_EVERY_MS)) return { found, stayed: [] }
  signal(-record.group, 'SIGKILL')
  await until(isGone, killMs, LOOK_EVERY_MS)
  return { found, stayed: await told(() => membersLeft(record)) }
}

/** Ends the connections of ssh that a run has left in the background to be used again. */
export async function endConnections(runId: string, { leaveMs }: Patience): Promise<void> {
  for (const name of ['SIGTERM', 'SIGKILL'] as const) {
    for (const pid of await told(() => connectionsOf(runId))) signal(pid, name)
    if (await until(() => connectionsOf(runId).length === 0, leaveMs, LOOK_EVERY_MS)) return
  }
}

/** Processes of a run live on although they were killed, and the server is about to end. */
export class StillThere extends Error {}

export interface EndingParts {
  readonly patience: Patience
  /** Told of what lives on although it was killed, and again from time to time. */
  stuck(pids: readonly number[]): void
  /** The server is about to end: what lives on is left to its next start. */
  readonly leaving: AbortSignal
}

const LOOK_AGAIN_MS = 1_000
const TELL_AGAIN_LOOKS = 600

/**
 * Ends the whole run, and answers when nothing of it is left: until then nothing else may begin in its place. What
 * cannot be ended is waited for, not silently; rejects with `StillThere` when the server itself has to end.
 */
export async function endForGood(
  record: ProcessRecord,
  { patience, stuck, leaving }: EndingParts,
): Promise<void> {
  let left = await endRun(record, patience)
  for (let looks = 0; left.length > 0; looks += 1) {
    if (looks % TELL_AGAIN_LOOKS === 0) stuck(left)
    if (leaving.aborted) throw new StillThere(`Still there: ${left.join(', ')}`)
    await pause(LOOK_AGAIN_MS, undefined, { signal: leaving }).catch(() => {})
    left = await kill(record, LOOK_EVERY_MS)
  }
}

/**
 * Ends the whole run: its group and whatever else is of the run, asking politely first. Answers what lives on
 * although it was killed: what hangs in the kernel, or has become another user's.
 */
async function endRun(record: ProcessRecord, patience: Patience): Promise<readonly number[]> {
  for (const [name, wait] of [
    ['SIGINT', patience.intMs],
    ['SIGTERM', patience.termMs],
  ] as const) {
    await told(() => tell(record, name))
    if (await until(() => leftOf(record).length === 0, wait, LOOK_EVERY_MS)) return []
  }
  return kill(record, patience.killMs)
}

/** Kills what is left of a run, also what is started meanwhile; answers what lives on. */
async function kill(record: ProcessRecord, withinMs: number): Promise<readonly number[]> {
  const isGone = await until(
    () => {
      tell(record, 'SIGKILL')
      return leftOf(record).length === 0
    },
    withinMs,
    LOOK_EVERY_MS,
  )
  return isGone ? [] : told(() => leftOf(record))
}

const leftOf = (record: ProcessRecord): number[] => [
  ...new Set([...membersLeft(record), ...carriersOf(record.runId)]),
]

/** Signals the group as one, since nobody in it can start another meanwhile, and the others as they are found. */
function tell(record: ProcessRecord, name: NodeJS.Signals): void {
  const members = new Set(membersLeft(record))
  if (members.size > 0) signal(-record.group, name)
  const told = new Set(members)
  const tellOne = (pid: number): void => {
    if (!told.has(pid)) signal(pid, name)
    told.add(pid)
  }
  for (const pid of carriersOf(record.runId, tellOne)) tellOne(pid)
}

/** Who lives in the group, unless its number was given to somebody else since: then nobody of ours. */
function membersLeft({ group, startTicks: recorded }: ProcessRecord): number[] {
  if (!exists(group)) return []
  const leader = startTicks(group)
  return leader === undefined || leader === recorded ? membersOf(group) : []
}

/** Whether the kernel knows the group at all; costs less than a look through /proc. */
function exists(group: number): boolean {
  try {
    process.kill(-group, 0)
    return true
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM'
  }
}
