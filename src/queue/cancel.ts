import { nameOf, type Deployment } from '../deployment/deployment.ts'
import { isFinal } from '../deployment/state.ts'
import type { Journal } from '../logs/journal.ts'
import { cut, oneLine } from '../logs/one-line.ts'
import type { ReportsFor, Store } from '../store/store.ts'
import type { Interruption } from './worker.ts'

export interface CancelParts {
  readonly store: Pick<Store, 'deployment' | 'move'>
  /** Ends what runs for it. */
  interrupt(id: number, why: Interruption): void
  /** It ended before it began: GitHub may have made its deployment without our hearing of it. Never rejects. */
  ended(deployment: Deployment): Promise<void>
  mask(text: string): string
  readonly reports: ReportsFor
  readonly clock: () => number
  readonly journal: Journal
  /** Something is owed to the outside world, or a line has moved up. */
  moved(deployment: Deployment): void
}

/** Who wants it, and why; words from outside. */
export interface Wish {
  readonly by: string
  readonly why?: string | undefined
}

/** What a wish to cancel came to, and the deployment as it was then. */
export type Cancelling =
  /** It had not begun, and never will. */
  | { readonly outcome: 'cancelled'; readonly deployment: Deployment }
  /** It ran, and is being ended. */
  | { readonly outcome: 'cancelling'; readonly deployment: Deployment }
  /** The same, and that it was cancelled is still to be written down: its run does so. */
  | { readonly outcome: 'cancelling_unrecorded'; readonly deployment: Deployment }
  /** Somebody had cancelled it before; what they said stays. */
  | { readonly outcome: 'cancelling_already'; readonly deployment: Deployment }
  | { readonly outcome: 'ended_already'; readonly deployment: Deployment }
  | { readonly outcome: 'unknown' }

/**
 * Takes a deployment back, whatever it is doing. What waits is cancelled when this answers; what runs is being
 * ended, and is cancelled when the last of its processes is gone. What runs is ended also where that cannot be written
 * down: it may be what fills the disk. Rejects when the database cannot be read, or cannot take back what waits: it may
 * have taken the wish all the same, and whoever asks again sees to that.
 */
export async function cancel(id: number, wish: Wish, parts: CancelParts): Promise<Cancelling> {
  const detail = sentence(wish, parts)
  for (;;) {
    const found = await parts.store.deployment(id)
    if (found === undefined) return { outcome: 'unknown' }
    if (isFinal(found.state)) return { outcome: 'ended_already', deployment: found }
    if (found.state === 'cancelling') {
      // Whoever cancelled it may not have heard that it was written down, and nobody told its run.
      parts.interrupt(id, { kind: 'by_person', detail: found.detail ?? detail })
      return { outcome: 'cancelling_already', deployment: found }
    }
    const done =
      found.state === 'queued' ? await takeBack(id, detail, parts) : await end(found, detail, parts)
    if (done !== undefined) return done
    // It has moved on since we looked. States only go forward, so that this ends.
  }
}

const MOST_NAME = 100
const MOST_WHY = 200

function sentence({ by, why = '' }: Wish, { mask }: CancelParts): string {
  const said = (text: string, most: number): string => cut(oneLine(mask(text.trim())), most)
  return `Cancelled by ${said(by, MOST_NAME)}${why.trim() === '' ? '' : `: ${said(why, MOST_WHY)}`}`
}

async function takeBack(id: number, detail: string, parts: CancelParts): Promise<Cancelling | undefined> {
  const { store, clock, reports, journal } = parts
  const change = { at: clock(), reason: 'by_person', detail, reports } as const
  const deployment = await store.move(id, 'queued', 'cancelled', change)
  if (deployment === undefined) return undefined
  journal.info('deployment:ended', { ...about(deployment), state: 'cancelled', reason: 'by_person', detail })
  await parts.ended(deployment)
  parts.moved(deployment)
  return { outcome: 'cancelled', deployment }
}

async function end(running: Deployment, detail: string, parts: CancelParts): Promise<Cancelling | undefined> {
  const { store, clock, reports, journal } = parts
  const { id } = running
  const change = { at: clock(), reason: 'by_person', detail, reports } as const
  const deployment = await store.move(id, 'running', 'cancelling', change).catch((thrown: unknown) => {
    journal.error('deployment:cancel-not-recorded', { ...about(running), detail, error: thrown })
    return 'unrecorded' as const
  })
  if (deployment === undefined) return undefined
  parts.interrupt(id, { kind: 'by_person', detail })
  if (deployment === 'unrecorded') return { outcome: 'cancelling_unrecorded', deployment: running }
  journal.info('deployment:cancelling', { ...about(deployment), detail })
  parts.moved(deployment)
  return { outcome: 'cancelling', deployment }
}

const about = (deployment: Deployment) => ({ deployment: nameOf(deployment), id: deployment.id })
