import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { isInstalled } from '../bench/place.ts'
import { createChance } from './chance.ts'
import { runCycle } from './cycle.ts'
import type { DiskCounts } from './plan.ts'
import { compileShim } from './power-loss/power-loss.ts'
import { createTale, type Summary, type Tale } from './tale.ts'
import type { Terminal } from './terminal.ts'
import { createWorld, type World } from './world.ts'

export interface TortureOptions {
  readonly cycles: number
  readonly seed: string
  /** `bin/ferryman`, of whichever version. */
  readonly program: string
  /** The number of the first cycle: each has decisions of its own, whatever came before. */
  readonly from: number
  /** After every life only what was synced is left on the disk; otherwise in some cycles, where that can be done. */
  readonly powerLoss: boolean
  /** Ends it soon, and leaves nothing behind. */
  readonly signal: AbortSignal
}

/** So many cycles share a data directory; then a new one begins, so that the first start is tortured as well. */
const CYCLES_PER_WORLD = 10
/** Data directories at a time: a cycle mostly waits. */
const SIDE_BY_SIDE = 2
/** One in so many cycles is one in which the power fails, the first one too: no data directory is spared. */
const CYCLES_PER_POWER_LOSS = 3

/** Tortures, cycle by cycle, until the first one in which an invariant is broken. */
export async function torture(options: TortureOptions, terminal: Terminal): Promise<Summary> {
  const root = mkdtempSync(join(tmpdir(), 'ferryman-torture-'))
  try {
    return await tortureIn(root, options, terminal)
  } catch (cause) {
    throw new Error(`It went wrong by itself; what there is of it is in ${root}`, { cause })
  }
}

async function tortureIn(root: string, options: TortureOptions, terminal: Terminal): Promise<Summary> {
  const shim = compileShim(root)
  const tale = createTale(options, terminal)
  const firsts = firstCycles(options)
  const torturing = async (): Promise<void> => {
    for (let first = firsts.shift(); first !== undefined && !tale.isOver(); first = firsts.shift()) {
      const folder = join(root, `from-cycle-${first}`)
      mkdirSync(folder)
      const world = await createWorld(folder, { program: options.program, shim })
      try {
        await tortureWorld(world, { ...options, cache: join(root, 'cache'), first }, tale)
      } finally {
        await world.end()
      }
    }
  }
  await allOf(Array.from({ length: SIDE_BY_SIDE }, torturing), tale)
  const summary = tale.summary()
  if (summary.broken === undefined) rmSync(root, { recursive: true, force: true })
  return summary
}

/** Waits for all, even when one fails: every world has to be ended. */
async function allOf(all: readonly Promise<void>[], tale: Tale): Promise<void> {
  for (const one of all) one.catch(() => tale.end())
  const failed = (await Promise.allSettled(all)).find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

/** Where data directories begin. */
function firstCycles({ from, cycles }: TortureOptions): number[] {
  const firsts: number[] = []
  for (let first = from; first < from + cycles; first = worldAfter(first)) firsts.push(first)
  return firsts
}

const worldAfter = (cycle: number): number => Math.ceil(cycle / CYCLES_PER_WORLD) * CYCLES_PER_WORLD + 1

/** What this machine lacks, in a sentence each. */
export const missing = (): { readonly gcc?: string; readonly strace?: string } => ({
  ...(isInstalled('gcc') ? {} : { gcc: 'no gcc: the power never fails (apt-get install gcc libc6-dev)' }),
  ...(isInstalled('strace')
    ? {}
    : { strace: 'no strace: no kill at the n-th fsync (apt-get install strace)' }),
})

interface WorldOptions extends TortureOptions {
  /** Compiled code is kept here. */
  readonly cache: string
  /** The number of the first cycle in this world. */
  readonly first: number
}

async function tortureWorld(world: World, options: WorldOptions, tale: Tale): Promise<void> {
  const { from, cycles, seed, cache, first } = options
  const last = Math.min(from + cycles, worldAfter(first)) - 1
  for (let cycle = first; cycle <= last && !tale.isOver(); cycle += 1) {
    tale.begins(cycle)
    const power = losesPower(cycle, options) ? world.power : undefined
    const cycleOptions = { cache, disk: diskCounts(power), power }
    const told = await Promise.race([
      runCycle(world, createChance(`${seed}/${cycle}`), cycleOptions),
      tale.over,
    ])
    if (told === undefined) return
    tale.ended({ cycle, first, directory: world.directory }, told)
  }
}

const losesPower = (cycle: number, { powerLoss }: TortureOptions): boolean =>
  powerLoss || cycle % CYCLES_PER_POWER_LOSS === 1

/** A start asks for a few syncs, the first one for more; every sync stands for some ten changes. */
function diskCounts(power: World['power']): DiskCounts {
  if (power !== undefined) return { first: 600, later: 150 }
  return isInstalled('strace') ? { first: 40, later: 25 } : undefined
}
