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
  /** After every life only what was synced is left on the disk; otherwise in some worlds, where that can be done. */
  readonly powerLoss: boolean
  /** Ends it soon, and leaves nothing behind. */
  readonly signal: AbortSignal
}

export interface Summary extends Tally {
  /** Cycles that were seen to their end. */
  readonly done: number
  readonly kills: number
  readonly violations: readonly Violation[]
  /** Where the world is in which an invariant was broken. */
  readonly keptIn: string | undefined
}

interface Tally {
  readonly acknowledged: number
  /** Deployments that ended because the server did. */
  readonly interruptions: number
}

/** So many cycles share a data directory; then a new one begins, so that the first start is tortured as well. */
const CYCLES_PER_WORLD = 8
/** In every so many worlds there is one whose power fails. */
const WORLDS_PER_POWER_LOSS = 5
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
  let summary: Summary = { ...NOTHING, done: 0, kills: 0, violations: [], keptIn: undefined }
  for (let first = 1; first <= options.cycles && isGoingOn(summary, options); first += CYCLES_PER_WORLD) {
    const folder = join(root, `from-cycle-${first}`)
    mkdirSync(folder)
    const number = Math.floor(first / CYCLES_PER_WORLD)
    const canLosePower = options.powerLoss || number % WORLDS_PER_POWER_LOSS === 1
    const world = await createWorld(folder, canLosePower ? shim : undefined)
    try {
      summary = await tortureWorld(world, { ...options, root, first, before: summary }, terminal)
    } finally {
      await world.end()
    }
  }
  if (summary.violations.length === 0) rmSync(root, { recursive: true, force: true })
  return summary
}

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
  const { cycles, seed, program, signal, root, first, before } = options
  const cycleOptions = { program, cache: join(root, 'cache'), disk: diskCounts(world) }
  const { promise: aborted, resolve: abort } = Promise.withResolvers<undefined>()
  signal.addEventListener('abort', () => abort(undefined), { once: true })
  let summary = before
  const last = Math.min(cycles, first + CYCLES_PER_WORLD - 1)
  for (let cycle = first; cycle <= last && isGoingOn(summary, options); cycle += 1) {
    terminal.progress(`cycle ${cycle} of ${cycles}: ${summary.kills} kills so far`)
    const told = await Promise.race([
      runCycle(world, createChance(`${seed}/${cycle}`), cycleOptions),
      aborted,
    ])
    if (told === undefined) break
    summary = added(summary, told, before)
    if (told.violations.length > 0) summary = { ...summary, keptIn: world.directory }
  }
  return summary
}

/** A start asks for a few syncs, the first one for more; every sync stands for some ten changes. */
function diskCounts({ power }: World): DiskCounts {
  if (power !== undefined) return { first: 600, later: 150 }
  return isInstalled('strace') ? { first: 40, later: 25 } : undefined
}

/** What was seen of a world counts from its beginning. */
function added(summary: Summary, { seen, kills, violations }: Told, before: Tally): Summary {
  const { acknowledged, interruptions } = tallyOf(seen)
  return {
    ...summary,
    done: summary.done + 1,
    acknowledged: before.acknowledged + acknowledged,
    interruptions: before.interruptions + interruptions,
    kills: summary.kills + kills,
    violations,
  }
}

const tallyOf = ({ sent, records }: Observation): Tally => ({
  acknowledged: new Set(sent.filter(({ status }) => status >= 200 && status < 300).map(({ guid }) => guid))
    .size,
  interruptions: records.deployments.filter(({ reason }) => reason === 'interrupted').length,
})
