import type { ProcessRecord } from '../deployment/deployment.ts'
import { carriersOf, connectionsOf, membersOf, signal, startTicks, until } from './processes.ts'

/** How long things may take, in milliseconds; tests are less patient. */
export interface Patience {
  /** From INT to TERM, and from TERM to KILL, when a run has to end. */
  readonly intMs: number
  readonly termMs: number
  /** From TERM to KILL for what a command left behind when it ended by itself. */
  readonly leaveMs: number
  /** Output is over when nothing has come for this long after the command's end, or after `drainMs` of waiting. */
  readonly quietMs: number
  readonly drainMs: number
}

export const PATIENCE: Patience = {
  intMs: 5_000,
  termMs: 10_000,
  leaveMs: 2_000,
  quietMs: 300,
  drainMs: 5_000,
}

/** A killed process is gone as soon as the kernel has a moment; one stuck in a dead disk may never be. */
const KILLED_MS = 10_000
const LOOK_EVERY_MS = 50

/** Ends what is left of the group after its leader ended by itself, and answers how many; what took a session of its own lives on. */
export async function endGroup(record: ProcessRecord, { leaveMs }: Patience): Promise<number> {
  const left = membersLeft(record).length
  if (left === 0) return 0
  const isGone = (): boolean => membersLeft(record).length === 0
  signal(-record.group, 'SIGTERM')
  if (await until(isGone, leaveMs, LOOK_EVERY_MS)) return left
  signal(-record.group, 'SIGKILL')
  await until(isGone, KILLED_MS, LOOK_EVERY_MS)
  return left
}

/** Ends the connections of ssh that a run has left in the background to be used again. */
export async function endConnections(runId: string, { leaveMs }: Patience): Promise<void> {
  for (const name of ['SIGTERM', 'SIGKILL'] as const) {
    for (const pid of connectionsOf(runId)) signal(pid, name)
    if (await until(() => connectionsOf(runId).length === 0, leaveMs, LOOK_EVERY_MS)) return
  }
}

/** Ends the whole run: its group and whatever carries its run id, asking politely first. */
export async function endRun(record: ProcessRecord, { intMs, termMs }: Patience): Promise<void> {
  const alive = (): number[] => [...new Set([...membersLeft(record), ...carriersOf(record.runId)])]
  const tell = (name: NodeJS.Signals): void => {
    const members = new Set(membersLeft(record))
    if (members.size > 0) signal(-record.group, name)
    for (const pid of alive()) if (!members.has(pid)) signal(pid, name)
  }
  for (const [name, wait] of [
    ['SIGINT', intMs],
    ['SIGTERM', termMs],
  ] as const) {
    tell(name)
    if (await until(() => alive().length === 0, wait, LOOK_EVERY_MS)) return
  }
  await until(
    () => {
      tell('SIGKILL') // again at each look: a process may have been started meanwhile
      return alive().length === 0
    },
    KILLED_MS,
    LOOK_EVERY_MS,
  )
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
