import type { Told } from './cycle.ts'
import type { Observation, Violation } from './invariants.ts'
import type { Terminal } from './terminal.ts'

/** What it all came to. */
export interface Summary {
  /** Cycles that were seen to their end. */
  readonly done: number
  readonly acknowledged: number
  /** Deployments that ended because the server did. */
  readonly interruptions: number
  readonly kills: number
  /** How often the power failed. */
  readonly losses: number
  readonly violations: readonly Violation[]
  /** Where the world is in which an invariant was broken, and which cycles it has seen. */
  readonly broken: { readonly keptIn: string; readonly from: number; readonly cycles: number } | undefined
}

/** Tells how it goes in several worlds at once, and what it comes to. */
export interface Tale {
  /** Resolves when nothing further is to begin: somebody wants it to end, or an invariant was broken. */
  readonly over: Promise<undefined>
  isOver(): boolean
  end(): void
  begins(cycle: number): void
  ended(which: Which, told: Told): void
  summary(): Summary
}

interface Which {
  readonly cycle: number
  /** The first one in its world. */
  readonly first: number
  readonly directory: string
}

interface Telling {
  readonly cycles: number
  readonly seed: string
  readonly signal: AbortSignal
}

/** Begins at nothing; only the first world in which something breaks counts. */
export function createTale({ cycles, seed, signal }: Telling, terminal: Pick<Terminal, 'progress'>): Tale {
  const { promise: over, resolve } = Promise.withResolvers<undefined>()
  let isOver = false
  const end = (): void => {
    isOver = true
    resolve(undefined)
  }
  signal.addEventListener('abort', end, { once: true })
  /** By the first cycle of each; what was seen of a world counts from its beginning. */
  const worlds = new Map<number, Observation>()
  let [done, kills, losses] = [0, 0, 0]
  let violations: readonly Violation[] = []
  let broken: Summary['broken']
  return {
    over,
    isOver: () => isOver,
    end,
    begins: (cycle) =>
      terminal.progress(
        `cycle ${cycle} begins, seed ${seed}: ${done} of ${cycles} done, ${kills} kills so far`,
      ),
    ended({ cycle, first, directory }, told) {
      if (broken !== undefined) return
      worlds.set(first, told.seen)
      done += 1
      kills += told.kills
      losses += told.losses
      if (told.violations.length === 0) return
      violations = told.violations
      broken = { keptIn: directory, from: first, cycles: cycle - first + 1 }
      end()
    },
    summary() {
      const all = [...worlds.values()]
      const acknowledged = all.reduce((sum, seen) => sum + acknowledgedIn(seen), 0)
      const interruptions = all.reduce((sum, seen) => sum + interruptionsIn(seen), 0)
      return { done, acknowledged, interruptions, kills, losses, violations, broken }
    },
  }
}

const acknowledgedIn = ({ sent }: Observation): number =>
  new Set(sent.filter(({ status }) => status >= 200 && status < 300).map(({ guid }) => guid)).size

const interruptionsIn = ({ records }: Observation): number =>
  records.deployments.filter(({ reason }) => reason === 'interrupted').length
