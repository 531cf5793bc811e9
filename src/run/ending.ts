import type { ProcessRecord } from '../deployment/deployment.ts'
import { carriersOf, membersOf, signal, until } from './processes.ts'

/** How long things may take, in milliseconds; tests are less patient. */
export interface Patience {
  /** From INT to TERM, and from TERM to KILL, when a run has to end. */
  readonly intMs: number
  readonly termMs: number
  /** From TERM to KILL for what a command left behind when it ended by itself. */
  readonly leaveMs: number
  /** Output is over when nothing has come for this long after the command's end, and at the latest after `drainMs`. */
  readonly quietMs: number
  readonly drainMs: number
}

export const PATIENCE: Patience = { intMs: 5_000, termMs: 10_000, leaveMs: 2_000, quietMs: 300, drainMs: 5_000 }

/** A killed process is gone as soon as the kernel has a moment; one stuck in a dead disk may never be. */
const KILLED_MS = 10_000
const LOOK_EVERY_MS = 50

/** Ends what is left of the group after its leader ended by itself. What took a session of its own lives on. */
export async function endGroup({ group }: ProcessRecord, { leaveMs }: Patience): Promise<void> {
  if (!exists(group)) return
  signal(-group, 'SIGTERM')
  if (await until(() => !isAlive(group), leaveMs, LOOK_EVERY_MS)) return
  signal(-group, 'SIGKILL')
  await until(() => !isAlive(group), KILLED_MS, LOOK_EVERY_MS)
}

/** Ends the whole run: its group and whatever carries its run id, asking politely first. */
export async function endRun({ group, runId }: ProcessRecord, { intMs, termMs }: Patience): Promise<void> {
  const alive = (): number[] => [...new Set([...(exists(group) ? membersOf(group) : []), ...carriersOf(runId)])]
  const tell = (name: NodeJS.Signals): void => {
    const members = exists(group) ? new Set(membersOf(group)) : new Set<number>()
    if (members.size > 0) signal(-group, name)
    for (const pid of alive()) if (!members.has(pid)) signal(pid, name)
  }
  for (const [name, wait] of [['SIGINT', intMs], ['SIGTERM', termMs]] as const) {
    tell(name)
    if (await until(() => alive().length === 0, wait, LOOK_EVERY_MS)) return
  }
  await until(() => {
    tell('SIGKILL') // again at each look: a process may have been started meanwhile
    return alive().length === 0
  }, KILLED_MS, LOOK_EVERY_MS)
}

const isAlive = (group: number): boolean => exists(group) && membersOf(group).length > 0

/** Whether the kernel knows the group at all; costs less than a look through /proc. */
function exists(group: number): boolean {
  try {
    process.kill(-group, 0)
    return true
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM'
  }
}
