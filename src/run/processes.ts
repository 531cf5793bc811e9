import { spawn } from 'node:child_process'

import type { ProcessRecord } from '../deployment/deployment.ts'
import { markOn, shownMarkOf } from './mark.ts'
import { pidsInProc, readProc } from './proc.ts'

// What the kernel tells of processes, by proc(5). Where it cannot, all of this throws `NotTold`.

/** Identifies this boot of the machine: process ids of another one mean nothing. */
export const bootId = (): string => readProc('sys/kernel/random/boot_id')?.trim() ?? ''

/** Whether the kernel tells of processes at all, as only Linux does in this way. */
export const areProcessesSeen = (): boolean => statOf(process.pid) !== undefined

/** When a process started, in ticks since boot; undefined when there is none. */
export const startTicks = (pid: number): string | undefined => statOf(pid)?.startTicks

/** What tells a process that leads a group from every other, also from one that is given its number later. */
export type ProcessIdentity = Omit<ProcessRecord, 'runId'>

export const identityOf = (pid: number): ProcessIdentity => ({
  group: pid,
  bootId: bootId(),
  startTicks: startTicks(pid) ?? '',
})

/** State, parent, group and start of a process. The name in brackets may hold anything, so the fields are counted from its end. */
export function statOf(pid: number): ProcessStat | undefined {
  const stat = readProc(`${pid}/stat`)
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, parent, group, ticks] = [fields?.[0], fields?.[1], fields?.[2], fields?.[19]]
  return state === undefined || ticks === undefined
    ? undefined
    : { state, parent: Number(parent), group: Number(group), startTicks: ticks }
}

interface ProcessStat {
  readonly state: string
  readonly parent: number
  readonly group: number
  readonly startTicks: string
}

/** `rsync (4711), ssh (4712)`: processes, for people. */
export const namesOf = (pids: readonly number[]): string =>
  pids.map((pid) => `${nameOf(pid)} (${pid})`).join(', ')

function nameOf(pid: number): string {
  try {
    return readProc(`${pid}/comm`)?.trim() ?? ''
  } catch {
    return '' // nobody waits for a name
  }
}

/**
 * Everybody but ourselves and those we come from: a deployment of Ferryman may be what started this Ferryman. Who is
 * started while the others are looked at is looked at, too: one that starts the next and ends would never be seen.
 */
function* others(ours: ReadonlySet<number> = new Set(lineOf(process.pid))): Generator<number> {
  const seen = new Set(ours)
  for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
    const fresh = pidsInProc().filter((pid) => !seen.has(pid))
    if (fresh.length === 0) return
    for (const pid of fresh) {
      seen.add(pid)
      yield pid
    }
  }
}

/** Where strangers start faster than we can look, we look at the rest another time. */
const MOST_LOOKS = 50

/** A process, its parent, and so on to the first. */
const lineOf = (pid: number): number[] => (pid === 0 ? [] : [pid, ...lineOf(statOf(pid)?.parent ?? 0)])

/** A zombie has ended; it only waits to be collected. */
const isAlive = (state: string): boolean => state !== 'Z' && state !== 'X'

/**
 * Every living process of a run, whatever group or session it is in: it bears the run's mark, or, bearing none, has
 * the run id in its environment. `see` is told of those that bear the mark at once, since some do not live long. Where it
 * is known since when the run has had processes, in ticks since boot, those that are older are passed over.
 */
export function carriersOf(runId: string, see: (pid: number) => void = () => {}, sinceTicks = 0): number[] {
  const [mark, ours] = [shownMarkOf(runId), new Set(lineOf(process.pid))]
  const marked = new Set<number>()
  const named = new Map<number, number>()
  for (const pid of others(ours)) {
    if (sinceTicks > 0 && Number(startTicks(pid)) < sinceTicks) continue
    const borne = markOn(pid)
    if (borne === undefined ? !isNamed(pid, runId) : borne !== mark) continue
    const stat = statOf(pid)
    if (stat === undefined || !isAlive(stat.state)) continue
    if (borne === undefined) named.set(pid, stat.parent)
    else {
      marked.add(pid)
      see(pid)
    }
  }
  const isOurs = (pid: number): boolean => {
    const parent = named.get(pid) ?? 0
    return named.has(parent) ? isOurs(parent) : marked.has(parent) || ours.has(parent) || isReaper(parent)
  }
  return [...marked, ...[...named.keys()].filter(isOurs)]
}

/**
 * Who takes in what has lost its parent: the first process, or one that we come from. Somebody else who lives, such
 * as a process manager, has started what is his own, and only handed our environment on.
 */
const isReaper = (pid: number): boolean => pid <= 1 || statOf(pid) === undefined

function isNamed(pid: number, runId: string): boolean {
  const environment = readProc(`${pid}/environ`)
  if (environment === undefined) return false
  return environment.split('\0').includes(`FERRYMAN_RUN_ID=${runId}`) || isConnection(pid, runId)
}

/** The connections of ssh that wait in the background to be used again by the run. */
export const connectionsOf = (runId: string): number[] =>
  [...others()].filter((pid) => isConnection(pid, runId))

/** Such an ssh writes its title over its environment; the title names its socket, which is in the run's own folder. */
function isConnection(pid: number, runId: string): boolean {
  const title = readProc(`${pid}/cmdline`) ?? ''
  return title.startsWith('ssh: ') && title.includes(`/${runId}/`) && title.includes(' [mux]')
}

/** Every living member of a group. */
export function membersOf(group: number): number[] {
  const members: number[] = []
  for (const pid of others()) {
    const stat = statOf(pid)
    if (stat !== undefined && stat.group === group && isAlive(stat.state)) members.push(pid)
  }
  return members
}

/**
 * Whether the group is still the recorded one: its leader started at that moment, or a member carries the run
 * id. A group whose number was given to somebody else since is neither.
 */
export function isSameGroup({ group, runId, startTicks: recorded }: ProcessRecord): boolean {
  if (recorded !== '' && startTicks(group) === recorded) return true
  const carriers = new Set(carriersOf(runId))
  return membersOf(group).some((pid) => carriers.has(pid))
}

/**
 * Signals a group or, by a positive number, one process; gone already is as good as told. What became another user is
 * told through sudo, a moment later, where that is allowed: see signalAs.
 */
export function signal(target: number, name: NodeJS.Signals): void {
  const us = String(process.getuid?.())
  const users = us === '0' ? [] : usersOf(target) // root ends all, and nobody ends root's
  const strangers = new Set(users.map(({ real }) => real).filter((real) => real !== '0' && real !== us))
  for (const uid of strangers) signalAs(uid, target, name)
  // The sudo in front of them hands on what it is told: they would hear it twice.
  const ours =
    strangers.size === 0 ? [target] : users.flatMap((one) => (one.effective === us ? [one.pid] : []))
  for (const one of ours) kill(one, name)
}

function kill(target: number, name: NodeJS.Signals): void {
  try {
    process.kill(target, name)
  } catch {
    // It is gone, or it belongs to another user: then there is nothing that we could do.
  }
}

interface UserOf {
  readonly pid: number
  /** Of whoever started it, and of whom it has the rights. */
  readonly real: string
  readonly effective: string
}

/** Nobody where that is not told: whoever is still there is signalled again. */
function usersOf(target: number): readonly UserOf[] {
  try {
    return (target < 0 ? membersOf(-target) : [target]).flatMap((pid) => {
      const [, real, effective] = /^Uid:\s+(\d+)\s+(\d+)/m.exec(readProc(`${pid}/status`) ?? '') ?? []
      return real === undefined || effective === undefined ? [] : [{ pid, real, effective }]
    })
  } catch {
    return []
  }
}

// A signal is repeated faster than sudo can carry it: the same one is under way only once.
const underWay = new Set<string>()

function signalAs(uid: string, target: number, name: NodeJS.Signals): void {
  const words = ['-n', '-u', `#${uid}`, '--', '/bin/sh', '-c', 'kill -s "$1" -- "$2"', 'sh']
  const args = [...words, name.replace('SIG', ''), String(target)]
  const key = args.join(' ')
  if (underWay.has(key)) return
  underWay.add(key)
  const done = (): void => void underWay.delete(key)
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin' }
  spawn('sudo', args, { cwd: '/', env, stdio: 'ignore' }).once('error', done).once('exit', done)
}
