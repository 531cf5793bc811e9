import type { OwedReport } from '../store/store.ts'
import { EVERYTHING, type Rests } from './rests.ts'

/** Sent side by side: in one channel, to one repository, and to all repositories together that did not work lately. */
const AT_ONCE = 12
const PER_REPOSITORY = 2
const SUSPECTS = 6

type Flying = readonly Pick<OwedReport, 'deployment'>[]

/** How many more may be sent now. A channel that did not work is tried with one. */
export const freeSlots = (rests: Rests, flying: Flying): number =>
  (rests.failures(EVERYTHING) > 0 ? 1 : AT_ONCE) - flying.length

/**
 * Repositories that get nothing more now: they rest, or have enough under way. Those that did not work lately
 * have one slot each and half of all together, so that however many of them hang, the others have room.
 */
export function closedRepositories(rests: Rests, flying: Flying, now: number): readonly string[] {
  const suspects = new Set(rests.suspects())
  const counts = new Map<string, number>()
  for (const { deployment } of flying)
    counts.set(deployment.repository, (counts.get(deployment.repository) ?? 0) + 1)
  const suspected = flying.filter(({ deployment }) => suspects.has(deployment.repository)).length
  const isClosed = (repository: string): boolean => {
    const isSuspect = suspects.has(repository)
    if (isSuspect && (suspected >= SUSPECTS || rests.resting(repository, now) !== undefined)) return true
    return (counts.get(repository) ?? 0) >= (isSuspect ? 1 : PER_REPOSITORY)
  }
  return [...new Set([...suspects, ...counts.keys()])].filter(isClosed)
}

/**
 * What is due, in the order in which it goes: as the store gave it, but of several repositories that could go
 * the one first that was `served` longest ago. One that owes a thousand reports does not push in front of others.
 */
export function inTurn(
  due: readonly OwedReport[],
  served: ReadonlyMap<string, number>,
): readonly OwedReport[] {
  const turns = new Map<string, number>()
  const placed = due.map((report) => {
    const { attempts, isFinal, deployment } = report
    const group = [attempts > 0 ? 1 : 0, isFinal ? 0 : 1]
    const key = [...group, deployment.repository].join(' ')
    const turn = turns.get(key) ?? 0
    turns.set(key, turn + 1)
    return { report, place: [...group, turn, served.get(deployment.repository) ?? 0] }
  })
  return placed.toSorted((one, other) => compare(one.place, other.place)).map(({ report }) => report)
}

const compare = (one: readonly number[], other: readonly number[]): number =>
  one.map((part, index) => part - (other[index] ?? 0)).find((difference) => difference !== 0) ?? 0
