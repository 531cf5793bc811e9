import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'

import { HOOKS_AGAIN_MS, nameOf, type Deployment, type ProcessRecord } from './deployment/deployment.ts'
import type { Value } from './deployment/recipe.ts'
import type { LogTarget } from './config/config.ts'
import type { GitHub } from './github/github.ts'
import type { Journal } from './logs/journal.ts'
import type { Logs, LogWriter } from './logs/logs.ts'
import { plainTextOf } from './logs/plain-text.ts'
import type { Ending, Held, PreparedRun, RunSignals } from './queue/worker.ts'
import type { SureStore } from './queue/recording.ts'
import { reportsFor, type ReportContext } from './report/reports.ts'
import { askForChanges } from './run/changes.ts'
import { StillThere } from './run/ending.ts'
import type { RunParts } from './run/parts.ts'
import { publishLog, type PublishParts } from './run/publish/publish.ts'
import type { RunResult } from './run/result.ts'
import { run } from './run/run.ts'
import type { Standby, Starter } from './run/standby.ts'
import type { ReportsFor } from './store/store.ts'

export interface PerformParts extends Pick<
  RunParts,
  'masker' | 'guard' | 'server' | 'patience' | 'installed' | 'checkouts' | 'isFull'
> {
  readonly standby: Standby
  readonly store: SureStore
  readonly logs: Logs
  /** Where the private folders of runs are made. */
  readonly directory: string
  github(): GitHub
  resolve(value: Value): string
  /** Whether GitHub is asked what came with it. */
  isAtGitHub(deployment: Deployment): boolean
  /** Whether something newer takes its place where it goes. */
  givesWay(deployment: Deployment): boolean
  /** Where its log is put when it has ended; undefined: nowhere. */
  logTarget(deployment: Deployment): LogTarget | undefined
  /** GitHub as whoever has this token; undefined: as we are. */
  githubAs(token: string | undefined): Pick<GitHub, 'createGist'>
  readonly context: ReportContext
  readonly reports: ReportsFor
  readonly clock: () => number
  readonly journal: Journal
  /** Something may be owed to the outside world. */
  moved(): void
}

/** So often it is asked: a day, if nothing else keeps it waiting. */
const MOST_TRIES = 24 * 60

/** Prepares what sees a deployment from its claim to its end: its log, its run, and what came with it. */
export const createPrepare = (parts: PerformParts) => (): PreparedRun => {
  const runId = randomBytes(16).toString('hex')
  let reserved = parts.standby.reserve()
  const process = reserved && { runId, ...reserved.process }
  return {
    process,
    async run(deployment, signals) {
      try {
        const as = { runId, starter: reserved ?? parts.standby, written: reserved && process }
        const ending = await perform(deployment, { ...signals, ...as }, parts)
        if (ending === 'still_there' || ending.state !== 'held') return ending
        const logBytes = await parts.logs.size(deployment.id)
        return { ...ending, logBytes, givesWay: parts.givesWay(deployment) }
      } finally {
        await reserved?.discard()
      }
    },
    giveBack() {
      reserved?.giveBack()
      reserved = undefined
    },
    discard: () => void reserved?.discard(),
  }
}

type Performed = Exclude<Ending, { readonly state: 'held' }> | Omit<Held, 'logBytes' | 'givesWay'>

interface RunAs extends RunSignals {
  readonly runId: string
  readonly starter: Starter
  /** The process that was written down with the claim. */
  readonly written: ProcessRecord | undefined
}

async function perform(
  deployment: Deployment,
  { runId, starter, written, ...signals }: RunAs,
  parts: PerformParts,
): Promise<Performed | 'still_there'> {
  const { store, logs, masker, journal, clock } = parts
  const { maxLogBytes: maxBytes } = deployment.recipe
  const asked = store.previousSha(deployment.id)
  const comparedWith = parts.isAtGitHub(deployment) ? asked : Promise.resolve(undefined)
  asked.catch(() => {}) // told below, when there is a log to close
  const begunAt = performance.now()
  let changes: ReturnType<typeof askForChanges> | undefined
  const ask = () =>
    (changes ??= askForChanges(deployment, comparedWith, {
      github: parts.github,
      mask: masker.mask,
      journal,
    }))
  let isAtWork = false
  const log = await logs.open(deployment.id, { maxBytes, masker })
  try {
    const result = await run(deployment, {
      ...parts,
      standby: starter,
      log,
      signal: signals.end,
      stopping: signals.stopping,
      leaving: signals.leaving,
      stuck: (processes) =>
        journal.error('processes:left', { deployment: nameOf(deployment), id: deployment.id, processes }),
      clock: () => performance.now(),
      async record(process: ProcessRecord, signal: AbortSignal) {
        if (!isDeepStrictEqual(process, written)) await store.recordProcess(deployment.id, process, signal)
        if (isAtWork) setImmediate(ask) // beside the work; the command comes first
      },
      async workBegins() {
        isAtWork = true // hooks before it may say "not now" for hours
        if (deployment.blocked === undefined) return
        await store.unblock(deployment.id, { at: clock(), reports: parts.reports })
        parts.moved()
      },
      previousSha: await asked,
      runId,
    })
    const tookMs = performance.now() - begunAt
    const ended = endOf(deployment, result, clock())
    if (ended.state === 'held') {
      await log.line(`${ended.detail} They are asked again in ${HOOKS_AGAIN_MS / 1000} s.`)
      return { ...ended, reports: parts.reports }
    }
    const { lastLines, ...end } = ended
    const deployedSha = 'deployedSha' in end ? end.deployedSha : undefined
    const told = Promise.all([
      ask().of(deployedSha ?? deployment.sha, signals.stopping),
      publish(deployment, { log, state: end.state, stopping: signals.stopping }, parts),
    ])
    if (!(await isSoon(told))) {
      const at = (deployment.startedAt ?? clock()) + Math.round(tookMs)
      await store.conclude(deployment.id, { ...end, lastLines, at }).catch(() => {}) // its end is tried until it is written
    }
    const [came, logUrl] = await told
    return {
      ...end,
      tookMs,
      changes: came,
      logUrl,
      reports: (moved, streak) => reportsFor(moved, streak, { ...parts.context, lastLines }),
    }
  } catch (thrown) {
    if (thrown instanceof StillThere) return 'still_there'
    throw thrown
  } finally {
    // The work is done, whatever becomes of the last lines about it.
    await log
      .close()
      .catch((cause: unknown) => journal.warn('log:not-closed', { deployment: deployment.id, error: cause }))
  }
}

const SOON_MS = 50

/** Whether others answer within a moment: nothing need be written down for that. */
async function isSoon(told: Promise<unknown>): Promise<boolean> {
  const over = new AbortController()
  const late = pause(SOON_MS, false, { signal: over.signal }).catch(() => false)
  try {
    return await Promise.race([told.then(() => true), late])
  } finally {
    over.abort()
  }
}

interface Publishing extends Pick<PublishParts, 'stopping'> {
  readonly log: LogWriter
  readonly state: string
}

/** Puts its log where people can read it, if it is wanted anywhere; undefined where it came to nothing, which changes nothing else. */
async function publish(
  deployment: Deployment,
  { log, state, stopping }: Publishing,
  parts: PerformParts,
): Promise<string | undefined> {
  const { logs, masker, journal, server } = parts
  const target = parts.logTarget(deployment)
  if (target === undefined) return undefined
  const where = target.kind === 'gist' ? 'a secret gist' : `s3://${target.bucket}/${target.prefix}`
  const about = { deployment: nameOf(deployment), id: deployment.id, to: where }
  log.flush()
  await log.line(`This log is published as ${where}.`)
  const { size } = await logs.read(deployment.id, { offset: 0, limit: 0 })
  const published = await publishLog(
    deployment,
    { target, state },
    {
      read: () => plainTextOf(pieces(logs, deployment.id, size)),
      github: parts.githubAs,
      credentials: {
        home: server.environment['HOME'] ?? server.user.home,
        environment: server.environment,
      },
      hide: masker.add,
      mask: masker.mask,
      random: () => randomBytes(16).toString('hex'),
      stopping,
    },
  )
  if ('url' in published) {
    journal.info('log:published', about)
    return published.url
  }
  journal.warn('log:not-published', { ...about, error: published.why })
  await log.line(`It was not published: ${published.why}`)
  return undefined
}

const PIECE_BYTES = 262_144

/** What a log has held so far, piece by piece. */
async function* pieces(logs: Logs, id: number, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < size;) {
    const { bytes, nextOffset } = await logs.read(id, { offset: at, limit: Math.min(PIECE_BYTES, size - at) })
    if (nextOffset <= at) return
    yield bytes
    at = nextOffset
  }
}

type Ended =
  | { readonly state: 'held'; readonly until: number; readonly detail: string }
  | (Exclude<RunResult, { readonly state: 'held' }> & { readonly lastLines: readonly string[] })

/** How a run ended; one that is held has an end when it has been for too long. */
function endOf({ blocked }: Deployment, result: RunResult, now: number): Ended {
  if (result.state !== 'held') return { lastLines: [], ...result }
  const { steps, detail } = result
  if ((blocked?.tries ?? 0) < MOST_TRIES) return { state: 'held', until: now + HOOKS_AGAIN_MS, detail }
  return {
    state: 'failed',
    steps,
    reason: 'wait_expired',
    detail: `Asked ${MOST_TRIES} times: ${detail}`,
    lastLines: [],
  }
}
