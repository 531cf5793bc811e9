import type { ProcessRecord } from '../deployment/deployment.ts'
import { takeBackLeft } from './another-user.ts'
import { told, until } from './proc.ts'
import { bootId, carriersOf, isSameGroup, membersOf, namesOf, signal, statOf } from './processes.ts'

/**
 * Ends what an earlier life of the server left running: the recorded groups, and whatever carries their run
 * ids. A process id that was given to somebody else since, or that is from before a reboot, is never touched.
 * What was handed over to other users is taken back. Answers how many processes there were, and which are left after that time.
 */
export async function endLeftovers(
  records: readonly ProcessRecord[],
  withinMs: number,
): Promise<{ found: number; left: string | undefined }> {
  const boot = await told(bootId)
  const ours = records.filter((record) => record.bootId === boot)
  const groups = await told(() => ours.filter(isSameGroup))
  const alive = (see?: (pid: number) => void): Set<number> =>
    new Set([
      ...ours.flatMap(({ runId }) => carriersOf(runId, see)),
      ...groups.filter(isSameGroup).flatMap(({ group }) => membersOf(group)),
    ])
  await takeBackLeft(records.map(({ runId }) => runId))
  const found = await told(alive)
  const ownGroup = await told(() => statOf(process.pid)?.group)
  for (const { group } of groups) if (group !== ownGroup) signal(-group, 'SIGKILL')
  const gone = await until(() => {
    for (const pid of alive(kill)) kill(pid) // also what was started meanwhile
    return alive().size === 0
  }, withinMs)
  return { found: found.size, left: gone ? undefined : namesOf([...(await told(alive))]) || undefined }
}

const kill = (pid: number): void => signal(pid, 'SIGKILL')
