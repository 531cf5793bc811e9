import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { isInstalled } from '../bench/place.ts'
import { createChance } from './chance.ts'
import { runCycle, type Told } from './cycle.ts'
import type { Observation, Violation } from './invariants.ts'
import type { DiskCounts } from './plan.ts'
import { compileShim } from './power-loss/power-loss.ts'
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

export interface Summary extends Tally {
  /** Cycles that were seen to their end. */
  readonly done: number
  readonly kills: number
  readonly violations: readonly Violation[]
  /** How often the power failed. */
  readonly losses: number
  /** Where the world is in which an invariant was broken, and which cycles it has seen. */
  readonly broken: { readonly keptIn: string; readonly from: number; readonly cycles: number } | undefined
}

interface Tally {
  readonly acknowledged: number
  /** Deployments that ended because the server did. */
  readonly interruptions: number
}

/** So many cycles share a data directory; then a new one begins, so that the first start is tortured as well. */
const CYCLES_PER_WORLD = 8
/** One in so many cycles is one in which the power fails, the first one too: no data directory is spared. */
const CYCLES_PER_POWER_LOSS = 3
const NOTHING: Tally = { acknowledged: 0, interruptions: 0 }

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
  const { from, cycles } = options
  let summary: Summary = { ...NOTHING, done: 0, kills: 0, losses: 0, violations: [], broken: undefined }
  for (let first = from; first < from + cycles && isGoingOn(summary, options); first = worldAfter(first)) {
    const folder = join(root, `from-cycle-${first}`)
    mkdirSync(folder)
    const world = await createWorld(folder, { program: options.program, shim })
    try {
      summary = await tortureWorld(world, { ...options, root, first, before: summary }, terminal)
    } finally {
      await world.end()
    }
  }
  if (summary.violations.length === 0) rmSync(root, { recursive: true, force: true })
  return summary
}

const worldAfter = (cycle: number): number => Math.ceil(cycle / CYCLES_PER_WORLD) * CYCLES_PER_WORLD + 1

/** What this machine lacks, in a sentence each. */
export const missing = (): { readonly gcc?: string; readonly strace?: string } => ({
  ...(isInstalled('gcc') ? {} : { gcc: 'no gcc: the power never fails (apt-get install gcc libc6-dev)' }),
  ...(isInstalled('strace')
    ? {}
    : { strace: 'no strace: no kill at the n-th fsync (apt-get install strace)' }),
})

const isGoingOn = ({ violations }: Summary, { signal }: TortureOptions): boolean =>
  violations.length === 0 && !signal.aborted

interface WorldOptions extends TortureOptions {
  readonly root: string
  /** The number of the first cycle in this world. */
  readonly first: number
  /** What the worlds before it came to. */
  readonly before: Summary
}

async function tortureWorld(world: World, options: WorldOptions, terminal: Terminal): Promise<Summary> {
  const { seed, signal, root, first, before } = options
  const { promise: aborted, resolve: abort } = Promise.withResolvers<undefined>()
  signal.addEventListener('abort', () => abort(undefined), { once: true })
  let summary = before
  const end = options.from + options.cycles
  const last = Math.min(end, worldAfter(first)) - 1
  for (let cycle = first; cycle <= last && isGoingOn(summary, options); cycle += 1) {
    terminal.progress(`cycle ${cycle} of ${end - 1}, seed ${seed}: ${summary.kills} kills so far`)
    const power = losesPower(cycle, options) ? world.power : undefined
    const cycleOptions = { cache: join(root, 'cache'), disk: diskCounts(power), power }
    const told = await Promise.race([
      runCycle(world, createChance(`${seed}/${cycle}`), cycleOptions),
      aborted,
    ])
    if (told === undefined) break
    summary = added(summary, told, before)
    if (told.violations.length > 0)
      summary = {
        ...summary,
        broken: { keptIn: world.directory, from: first, cycles: cycle - first + 1 },
      }
  }
  return summary
}

const losesPower = (cycle: number, { powerLoss }: TortureOptions): boolean =>
  powerLoss || cycle % CYCLES_PER_POWER_LOSS === 1

/** A start asks for a few syncs, the first one for more; every sync stands for some ten changes. */
function diskCounts(power: World['power']): DiskCounts {
  if (power !== undefined) return { first: 600, later: 150 }
  return isInstalled('strace') ? { first: 40, later: 25 } : undefined
}

/** What was seen of a world counts from its beginning. */
function added(summary: Summary, { seen, kills, losses, violations }: Told, before: Tally): Summary {
  const { acknowledged, interruptions } = tallyOf(seen)
  return {
    ...summary,
    done: summary.done + 1,
    acknowledged: before.acknowledged + acknowledged,
    interruptions: before.interruptions + interruptions,
    kills: summary.kills + kills,
    losses: summary.losses + losses,
    violations,
  }
}

const tallyOf = ({ sent, records }: Observation): Tally => ({
  acknowledged: new Set(sent.filter(({ status }) => status >= 200 && status < 300).map(({ guid }) => guid))
    .size,
  interruptions: records.deployments.filter(({ reason }) => reason === 'interrupted').length,
})
