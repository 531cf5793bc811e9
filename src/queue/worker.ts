import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'

import { nameOf, type Deployment, type ProcessRecord } from '../deployment/deployment.ts'
import { FerrymanError, messageOf } from '../errors.ts'
import type { Journal } from '../logs/journal.ts'
import { createSeldom } from '../logs/seldom.ts'
import type { Accepted, Change, Claimed, Claiming, Gate, Intake, ReportsFor, Store } from '../store/store.ts'
import { createWaker } from '../waker.ts'
import { moveToEnd } from './ending.ts'

/** How a run ended, as the store takes it. */
export type Ending = Ended | Held

type Ended = {
  readonly state: 'succeeded' | 'failed' | 'cancelled'
  /** How long the work took, where something was waited for after it. */
  readonly tookMs?: number
} & Omit<Change, 'at' | 'endedAt'>

/** It goes back in line: its work may not begin before that moment. */
export interface Held extends Pick<Change, 'reports'> {
  readonly state: 'held'
  readonly until: number
  readonly detail: string
  /** How much its log holds by now. */
  readonly logBytes: number
  /** Something newer takes its place, where it was asked for meanwhile. */
  readonly givesWay: boolean
}

export interface WorkerParts {
  readonly store: Store
  /** How many may be active over all lanes; asked at every claim. */
  limit(): number
  readonly reports: ReportsFor
  readonly gate: Gate
  /** It ran in an earlier life, and is still to be ended. */
  isLeft(id: number): boolean
  /** A gate has stopped what would have been next. */
  held(): void
  /** Prepares what the next deployment is run by. */
  prepare(): PreparedRun
  readonly clock: () => number
  readonly journal: Journal
  /** Hides secrets in what is written down. */
  mask(text: string): string
  /** It has begun or ended, which may be owed to the outside world. */
  moved(deployment: Deployment): void
}

/** What a deployment is run by, before anybody knows which. */
export interface PreparedRun {
  /** What waits to become its first command, where anything does: it may when it was written down with the claim. */
  readonly process: ProcessRecord | undefined
  /** Does the work and answers truthfully, or that it has not ended: something of it cannot be, and we cannot wait. */
  run(deployment: Deployment, signals: RunSignals): Promise<Ending | 'still_there'>
  /** It was not written down, and is for others. */
  giveBack(): void
  /** It may have been written down: nothing is ever begun with it. */
  discard(): void
}

export interface Worker {
  /** Something may be waiting: look now. */
  wake(): void
  /** Has deliveries recorded, and what may begin at once begins with the same transaction. */
  accept(intakes: readonly Intake[]): Promise<readonly Accepted[]>
  /** Ends what runs for a deployment, and what is about to run for it; the first reason counts. */
  interrupt(id: number, why: Interruption): void
  /** Takes no new work, gives what runs the time to end by itself, then interrupts it. */
  stop(withinMs: number): Promise<void>
  /** The time that `stop` gives is over now. */
  hurry(): void
}

/** What a run has to listen to. */
export interface RunSignals {
  /** Aborted with an `Interruption`: it has to end soon, and says why. */
  readonly end: AbortSignal
  /** Aborted, with a sentence, when the server begins to stop. */
  readonly stopping: AbortSignal
  /** Aborted when the server waits for nothing any longer. */
  readonly leaving: AbortSignal
}

const LOOK_AGAIN_MS = 5_000
const RETRY_MS = 1_000
/** A stop waits for a database that is away, but not for ever. */
const TRIES_AT_STOP = 5

/** Why a run has to end early; the reason of the abort signal. */
export interface Interruption {
  readonly kind: 'interrupted' | 'by_person'
  readonly detail: string
}

const isUnderWay = ({ state }: Deployment): boolean => state === 'running' || state === 'cancelling'

/** Somebody has cancelled it, and of that, too, nothing was heard. */
const whyCancelled = ({ state, detail = '' }: Deployment): Interruption | undefined =>
  state === 'cancelling' ? { kind: 'by_person', detail } : undefined

/** Takes what is queued, lane by lane, and sees every deployment through to exactly one end. */
export function startWorker(parts: WorkerParts): Worker {
  const { store, clock, journal } = parts
  const active = new Map<number, { work: Promise<void>; abort: AbortController }>()
  /** Cancelled before they were ours: the claim was written down, and its answer is still to come. */
  const early = new Map<number, Interruption>()
  const stopping = new AbortController()
  const graceOver = new AbortController()
  const isStopping = (): boolean => stopping.signal.aborted
  let mayBeStrays = false
  /** Runs that came to nothing, since we did not hear what their claims had done. */
  const unheard = new Set<string>()
  const accepting = new Set<Promise<unknown>>()
  const isToBeTold = createSeldom()
  let again: NodeJS.Timeout | undefined

  const lookSoon = (): void => {
    if (isStopping()) return
    again ??= setTimeout(() => {
      again = undefined
      waker.wake()
    }, RETRY_MS)
  }
  /** Tells of a claim once, when it is called for the first time. */
  const tellingClaim = (deployment: Deployment): (() => void) => {
    let isTold = false
    return () => {
      if (isTold) return
      isTold = true
      journal.info('deployment:claimed', {
        deployment: nameOf(deployment),
        id: deployment.id,
        sha: deployment.sha,
      })
      parts.moved(deployment)
    }
  }
  const begin = (deployment: Deployment, prepared: PreparedRun): void => {
    const abort = new AbortController()
    const why = early.get(deployment.id) ?? whyCancelled(deployment)
    if (why !== undefined) abort.abort(why)
    early.delete(deployment.id)
    const signals = { end: abort.signal, stopping: stopping.signal, leaving: graceOver.signal }
    const tell = tellingClaim(deployment)
    const run = () => prepared.run(deployment, signals).finally(tell)
    const work = see(deployment, { run, signals }, parts).finally(() => {
      active.delete(deployment.id)
      waker.wake()
    })
    active.set(deployment.id, { work, abort })
    setImmediate(() => setImmediate(tell)) // the command comes first, and then the answer to who called for it
  }
  /** Begins what was claimed without our hearing of it; what has begun before has another process written down. */
  const takeStrays = async (): Promise<void> => {
    mayBeStrays = false
    for (const { id } of await store.inState('running', 'cancelling')) {
      if (active.has(id) || parts.isLeft(id)) continue
      const processes = await store.processesOf(id)
      if (!processes.every(({ runId }) => unheard.has(runId))) continue
      const deployment = await store.deployment(id) // its processes are forgotten when it ends, as it may have by now
      if (deployment === undefined || !isUnderWay(deployment)) continue
      const prepared = parts.prepare()
      prepared.giveBack() // the claim is written down already
      begin(deployment, prepared)
    }
  }
  /** Claims something for the run, and begins it. */
  const claim = async <Answer extends { readonly claimed: Claimed }>(
    prepared: PreparedRun,
    ask: (claiming: Claiming) => Promise<Answer>,
  ): Promise<Answer> => {
    const { reports, gate } = parts
    const { process } = prepared
    const answer = await ask({ limit: parts.limit(), at: clock(), reports, gate, process }).catch(
      (thrown: unknown) => {
        mayBeStrays = true // the database may have done what it could not tell us of
        lookSoon()
        if (process !== undefined) unheard.add(process.runId)
        prepared.discard()
        throw thrown
      },
    )
    const { deployment, held } = answer.claimed
    if (held.length > 0) setImmediate(tellHeld, held)
    if (deployment === undefined) prepared.giveBack()
    else begin(deployment, prepared)
    return answer
  }
  const hasRoom = (): boolean => !isStopping() && active.size < parts.limit()
  const accept = async (intakes: readonly Intake[]): Promise<readonly Accepted[]> => {
    const { acceptAndClaim } = store
    const leadsOn = intakes.some(({ deployments }) => deployments.length > 0)
    if (acceptAndClaim === undefined || !leadsOn || !hasRoom() || mayBeStrays) return store.accept(intakes)
    const prepared = parts.prepare()
    // Without a process one cannot tell what has begun from what was claimed just now.
    if (prepared.process === undefined) return store.accept(intakes)
    const { accepted, claimed } = await claim(prepared, (claiming) => acceptAndClaim(intakes, claiming))
    if (claimed.deployment !== undefined) await turn() // by then its command has begun
    return accepted
  }
  const tellHeld = (held: readonly Deployment[]): void => {
    for (const { id, hold, ...one } of held)
      journal.info('deployment:held', {
        deployment: nameOf(one),
        id,
        reason: hold?.reason,
        detail: hold?.detail,
      })
    parts.held()
  }
  const waker = createWaker(async () => {
    try {
      if (mayBeStrays && !isStopping()) await takeStrays()
      while (hasRoom()) {
        const { claimed } = await claim(parts.prepare(), async (claiming) => ({
          claimed: await store.claim(claiming),
        }))
        if (claimed.deployment === undefined) return
      }
    } catch (thrown) {
      mayBeStrays = true
      if (isToBeTold()) journal.error('queue:broken', { error: thrown })
      lookSoon()
    }
  })
  // Events wake the worker; the timer is for those that nobody told it of.
  const timer = setInterval(waker.wake, LOOK_AGAIN_MS)
  waker.wake()
  return {
    wake: waker.wake,
    accept(intakes) {
      const accepted = accept(intakes)
      accepting.add(accepted)
      return accepted.finally(() => accepting.delete(accepted))
    },
    interrupt(id, why) {
      const running = active.get(id)
      if (running !== undefined) return running.abort.abort(why)
      early.set(id, why)
      mayBeStrays = true
      waker.wake()
    },
    async stop(withinMs) {
      stopping.abort(
        `Ferryman is stopping. What runs may end by itself within ${withinMs / 1000} s; what waits for Ferryman to be gone waits in vain.`,
      )
      clearInterval(timer)
      clearTimeout(again)
      await Promise.allSettled([waker.looking, ...accepting])
      const works = () => [...active.values()].map(({ work }) => work)
      await Promise.race([
        Promise.allSettled(works()),
        pause(withinMs, undefined, { signal: graceOver.signal }).catch(() => {}),
      ])
      graceOver.abort()
      const reason: Interruption = {
        kind: 'interrupted',
        detail: 'Interrupted: Ferryman was stopped while it ran. It is not started again by itself.',
      }
      for (const { abort } of active.values()) abort.abort(reason)
      await Promise.allSettled(works())
    },
    hurry: () => graceOver.abort(),
  }
}

/** Runs one deployment and writes down its end, however long the database takes to accept it. */
async function see(
  deployment: Deployment,
  { run, signals }: { readonly signals: RunSignals; run(): ReturnType<PreparedRun['run']> },
  parts: WorkerParts,
): Promise<void> {
  const { store, clock, journal } = parts
  const startedAt = deployment.startedAt ?? clock()
  const begunAt = performance.now()
  const ending = await run().catch((thrown: unknown) => broken(thrown, parts))
  const id = { deployment: nameOf(deployment), id: deployment.id }
  if (ending === 'still_there')
    // the next start sees to it; until then the lane is taken
    return writeDown(id, signals, journal, () => noteCancel(deployment, signals, parts))
  if (ending.state === 'held') return putBack(deployment, ending, signals, parts)
  const { state, tookMs = performance.now() - begunAt, ...change } = ending
  // How long it took is true, whatever was done to the clock meanwhile.
  const endedAt = startedAt + Math.round(tookMs)
  const about = { ...id, state, reason: change.reason }
  await writeDown(about, signals, journal, async () => {
    await noteCancel(deployment, signals, parts)
    const ended = await moveToEnd(deployment.id, state, { ...change, endedAt, at: clock() }, store)
    if (ended === undefined) journal.error('deployment:moved-elsewhere', about)
    else journal.info('deployment:ended', { ...about, detail: change.detail })
    parts.moved(deployment)
  })
}

/** Puts back in line what has not begun its work; what was cancelled meanwhile ends so. */
async function putBack(
  deployment: Deployment,
  { reports, ...blocked }: Held,
  signals: RunSignals,
  parts: WorkerParts,
): Promise<void> {
  const { store, clock, journal } = parts
  const { id } = deployment
  const about = { deployment: nameOf(deployment), id, state: 'queued', reason: 'hook_blocked' }
  await writeDown(about, signals, journal, async () => {
    await noteCancel(deployment, signals, parts)
    const held = await store.putBack(id, blocked, { at: clock(), reports })
    if (held === undefined) {
      const detail = (await store.deployment(id))?.detail
      await store.move(id, 'cancelling', 'cancelled', { reason: 'by_person', detail, at: clock(), reports })
    } else if (held.state === 'queued') journal.info('deployment:held', { ...about, detail: blocked.detail })
    else
      journal.info('deployment:ended', {
        ...about,
        state: held.state,
        reason: held.reason,
        detail: held.detail,
      })
    parts.held()
    parts.moved(deployment)
  })
}

/** Writes down that somebody has cancelled it, where that could not be done at once. */
async function noteCancel(
  { id, ...deployment }: Deployment,
  { end }: RunSignals,
  { store, clock, reports, journal }: WorkerParts,
): Promise<void> {
  const { kind, detail } = (end.reason ?? {}) as Partial<Interruption>
  if (kind !== 'by_person') return
  const change = { at: clock(), reason: kind, detail, reports }
  if ((await store.move(id, 'running', 'cancelling', change)) !== undefined)
    journal.info('deployment:cancelling', { deployment: nameOf(deployment), id, detail })
}

/** Tries until it is written down; a stop does not wait for ever. */
async function writeDown(
  about: Readonly<Record<string, unknown>>,
  signals: RunSignals,
  journal: Journal,
  write: () => Promise<void>,
): Promise<void> {
  const isToBeTold = createSeldom()
  for (let triesLeft = TRIES_AT_STOP; ; triesLeft -= signals.stopping.aborted ? 1 : 0) {
    try {
      await write()
      return
    } catch (thrown) {
      if (isToBeTold() || triesLeft <= 0)
        journal.error('deployment:end-not-recorded', { ...about, error: thrown })
      if (triesLeft <= 0) return // the next start finds it running, and says that it was interrupted
      await pause(RETRY_MS)
    }
  }
}

function broken(thrown: unknown, { reports, journal, mask }: WorkerParts): Ending {
  journal.error('deployment:broken', { error: thrown })
  if (thrown instanceof FerrymanError && thrown.code === 'log_unwritable')
    return { state: 'failed', reason: 'log_unwritable', detail: thrown.message, reports }
  return {
    state: 'failed',
    reason: 'internal_error',
    detail: mask(`Ferryman failed: ${messageOf(thrown)}`),
    reports,
  }
}
