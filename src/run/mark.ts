import { randomBytes } from 'node:crypto'

import { readProc } from './proc.ts'

/**
 * Every process of a run bears a mark that it hands on to whatever it starts, also where that takes a session of its
 * own, gives up its output and empties its environment: a soft limit (RLIMIT_RSS) that Linux has not heeded since
 * 2.4.30, by getrlimit(2), set to a number that is the run's own and larger than any memory. A shell can set it
 * without any right, and everybody may read it in /proc/PID/limits.
 */
const SMALLEST_KIB = 2n ** 52n
const DIGITS = 12

/** The id of a part of a run that has a mark of its own, so that it can be ended alone. */
export const partOf = (runId: string): string => `${wholeOf(runId)}${randomBytes(DIGITS / 2).toString('hex')}`

/** What a run and its parts have in common, and nobody else has. */
export const wholeOf = (runId: string): string => runId.slice(0, -DIGITS)

/** The mark of a run, as `ulimit -S -m` takes it. */
export const markOf = (runId: string): string => String(SMALLEST_KIB + BigInt(`0x${runId.slice(-DIGITS)}`))

/** The mark of a run, as it stands in /proc/PID/limits. */
export const shownMarkOf = (runId: string): string => String(BigInt(markOf(runId)) * 1024n)

/** The mark that a process bears, as it is shown; undefined when it bears none, or is not there. */
export function markOn(pid: number): string | undefined {
  const [, shown] = /^Max resident set +(\d+) /m.exec(readProc(`${pid}/limits`) ?? '') ?? []
  return shown !== undefined && BigInt(shown) >= SMALLEST_KIB * 1024n ? shown : undefined
}
