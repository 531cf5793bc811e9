import { readdirSync, readFileSync } from 'node:fs'

import { setTimeout as pause } from 'node:timers/promises'

import type { World } from './world.ts'

export interface Living {
  readonly pid: number
  /** When it began, in the kernel's ticks: a number may be given to somebody else later. */
  readonly since: string
  /** Its words, the first of them. */
  readonly command: string
}

/** Processes that carry the world's marker in their environment, or its data directory in their words: commands and launchers. */
export const livingIn = ({ marker, dataDirectory }: Pick<World, 'marker' | 'dataDirectory'>): Living[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => ({ pid, words: read(pid, 'cmdline').replaceAll('\0', ' ').trim() }))
    .filter(
      ({ pid, words }) =>
        words.includes(dataDirectory) || read(pid, 'environ').includes(`TORTURE=${marker}\0`),
    )
    .map(({ pid, words }) => ({ pid: Number(pid), since: beginOf(pid), command: words.slice(0, 120) }))

const beginOf = (pid: string): string => read(pid, 'stat').split(') ').at(-1)?.split(' ')[22 - 3] ?? '' // it is the 22nd; the 2nd is in brackets

/** Waits until they have ended; answers who has not. */
export async function survivorsOf(
  processes: readonly Living[],
  world: Pick<World, 'marker' | 'dataDirectory'>,
  withinMs: number,
): Promise<Living[]> {
  const until = performance.now() + withinMs
  const left = (): Living[] =>
    livingIn(world).filter(({ pid, since }) =>
      processes.some((one) => one.pid === pid && one.since === since),
    )
  let survivors = left()
  for (; survivors.length > 0 && performance.now() < until; survivors = left()) await pause(20)
  return survivors
}

function read(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1')
  } catch {
    return '' // it is gone, or a zombie
  }
}

/** Ends them all at once, as the end of the machine would. */
export async function killAll(world: Pick<World, 'marker' | 'dataDirectory'>): Promise<void> {
  for (let living = livingIn(world); living.length > 0; living = livingIn(world)) {
    for (const { pid } of living) kill(pid)
    await pause(5) // they may have started others meanwhile
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it is gone
  }
}
