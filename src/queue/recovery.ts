import { nameOf, type Deployment, type ProcessRecord } from '../deployment/deployment.ts'
import type { Journal } from '../logs/journal.ts'
import { createSeldom } from '../logs/seldom.ts'
import type { Conclusion, ReportsFor, Store } from '../store/store.ts'
import { createWaker } from '../waker.ts'
import { moveToEnd } from './ending.ts'

export interface RecoveryParts {
  readonly store: Store
  /** Of which deployments there were logs when the server started. */
  readonly begun: readonly number[]
  /** How much the log of a deployment holds, in bytes. */
  logSize(id: number): Promise<number>
  /** Writes a last line into the log of a deployment, where that can be. */
  noteInLog(deployment: Deployment, text: string): Promise<void>
  /** Ends what an earlier life of the server left running; answers which processes are left after that time. */
  endLeftovers(processes: readonly ProcessRecord[], withinMs: number): Promise<{ left: string | undefined }>
  readonly reports: ReportsFor
  /** With the last lines of the step that failed. */
  reportsWith(lastLines: readonly string[]): ReportsFor
  readonly clock: () => number
  readonly journal: Journal
  /** One that was left has ended: its lane is free. */
  freed(): void
}

export interface Recovery {
  /** Whether a deployment ran when the server ended, and could not be ended yet. */
  isLeft(id: number): boolean
  /** Looks no more at what could not be ended yet; the next start does. */
  stop(): Promise<void>
}

const WITHIN_MS = 10_000
const LOOK_AGAIN_MS = 1_000
const TELL_AGAIN_LOOKS = 600

/**
 * What a start finds: a deployment that was running ended with the server that ran it. Its processes are ended
 * first, then it is reported as interrupted, or as cancelled where somebody had cancelled it; starting it again is
 * a decision that people make. While processes of it cannot be ended it keeps its lane, and is looked at again;
 * then it ends as the others did. One whose work was over ends as that has ended, and what it has left lives on. One
 * that waits and has a log began after the backup that the database was restored from: it is not started again either.
 */
export async function recover(parts: RecoveryParts): Promise<Recovery> {
  await endForgotten(parts)
  const isToBeTold = createSeldom()
  const orSay = (deployment: Deployment, settling: Promise<'ended' | 'left'>): Promise<'ended' | 'left'> =>
    settling.catch((thrown: unknown) => {
      if (isToBeTold())
        parts.journal.error('recovery:broken', { deployment: nameOf(deployment), error: thrown })
      return 'left'
    })
  const found = await parts.store.inState('running', 'cancelling')
  const ended = await Promise.all(
    found.map((deployment) => orSay(deployment, settle(deployment, WITHIN_MS, parts))),
  )
  const held = new Map(
    found.filter((_, index) => ended[index] === 'left').map((deployment) => [deployment.id, deployment]),
  )
  let looks = 0
  const waker = createWaker(async () => {
    looks += 1
    for (const [id, deployment] of held) {
      if ((await orSay(deployment, lookAgain(deployment, looks, parts))) === 'left') continue
      held.delete(id)
      parts.freed()
    }
    if (held.size === 0) clearInterval(timer)
  })
  const timer = held.size > 0 ? setInterval(waker.wake, LOOK_AGAIN_MS) : undefined
  return {
    isLeft: (id) => held.has(id),
    async stop() {
      clearInterval(timer)
      waker.stop()
      await waker.looking
    },
  }
}

const FORGOTTEN = {
  reason: 'interrupted',
  detail:
    'Not started: its log is there, so it began after the backup that was restored. What became of it is not known.',
} as const

async function endForgotten({
  store,
  begun,
  logSize,
  reports,
  clock,
  journal,
}: RecoveryParts): Promise<void> {
  const logs = new Set(begun)
  for (const { id, blocked } of await store.inState('queued')) {
    if (!logs.has(id)) continue
    // What a hook has put back in line has a log, and its work has not begun, if that has not grown since.
    if (blocked !== undefined && (await logSize(id)) <= blocked.logBytes) continue
    const ended = await store.move(id, 'queued', 'failed', { ...FORGOTTEN, at: clock(), reports })
    if (ended !== undefined)
      journal.warn('deployment:forgotten', { deployment: nameOf(ended), id, detail: FORGOTTEN.detail })
  }
}

function lookAgain(deployment: Deployment, looks: number, parts: RecoveryParts): Promise<'ended' | 'left'> {
  const isTold = looks % TELL_AGAIN_LOOKS === 0
  const journal = isTold ? parts.journal : { ...parts.journal, error() {} }
  return settle(deployment, 0, { ...parts, journal })
}

/** Ends what is left of one, and then itself. */
async function settle(
  { id, ...deployment }: Deployment,
  withinMs: number,
  parts: RecoveryParts,
): Promise<'ended' | 'left'> {
  const { store, journal } = parts
  const about = { deployment: nameOf(deployment), id }
  const concluded = await store.conclusionOf(id)
  if (concluded !== undefined) {
    const ended = await endAs(id, concluded, parts)
    const { state, reason, detail } = concluded
    if (ended !== undefined) journal.info('deployment:ended', { ...about, state, reason, detail })
    return 'ended'
  }
  const { left } = await parts.endLeftovers(await store.processesOf(id), withinMs)
  if (left !== undefined) {
    journal.error('processes:left', { ...about, processes: left })
    return 'left'
  }
  const ended = await end(id, parts)
  if (ended?.reason === 'interrupted') await parts.noteInLog(ended, INTERRUPTED.detail)
  if (ended !== undefined) journal.warn('deployment:interrupted', { ...about, state: ended.state })
  return 'ended'
}

const INTERRUPTED = {
  reason: 'interrupted',
  detail: 'Interrupted: Ferryman ended while it ran. It is not started again by itself.',
} as const

/** Its work was over; what was waited for came to nothing. */
const endAs = (
  id: number,
  { state, lastLines, at: endedAt, ...change }: Conclusion,
  { store, reportsWith, clock }: Pick<RecoveryParts, 'store' | 'reportsWith' | 'clock'>,
): Promise<Deployment | undefined> =>
  moveToEnd(id, state, { ...change, endedAt, at: clock(), reports: reportsWith(lastLines) }, store)

/** Somebody may have cancelled it, also since it was looked at. */
async function end(
  id: number,
  { store, clock, reports }: Pick<RecoveryParts, 'store' | 'clock' | 'reports'>,
): Promise<Deployment | undefined> {
  const change = { at: clock(), reports }
  const interrupted = await store.move(id, 'running', 'failed', { ...INTERRUPTED, ...change })
  if (interrupted !== undefined) return interrupted
  const { detail } = (await store.deployment(id)) ?? {}
  return store.move(id, 'cancelling', 'cancelled', { reason: 'by_person', detail, ...change })
}
