import { randomBytes } from 'node:crypto'

import { nameOf, type Deployment, type ProcessRecord } from './deployment/deployment.ts'
import type { Value } from './deployment/recipe.ts'
import type { GitHub } from './github/github.ts'
import type { Journal } from './logs/journal.ts'
import type { Logs } from './logs/logs.ts'
import type { Ending, Held, RunSignals } from './queue/worker.ts'
import { reportsFor, type ReportContext } from './report/reports.ts'
import { askForChanges } from './run/changes.ts'
import { StillThere } from './run/ending.ts'
import type { RunParts } from './run/parts.ts'
import { run, type RunResult } from './run/run.ts'
import type { ReportsFor, Store } from './store/store.ts'

export interface PerformParts extends Pick<
  RunParts,
  'masker' | 'guard' | 'standby' | 'server' | 'patience' | 'installed' | 'checkouts'
> {
  readonly store: Store
  readonly logs: Logs
  /** Where the private folders of runs are made. */
  readonly directory: string
  github(): GitHub
  resolve(value: Value): string
  /** Whether something newer takes its place where it goes. */
  givesWay(deployment: Deployment): boolean
  readonly context: ReportContext
  readonly reports: ReportsFor
  readonly clock: () => number
  readonly journal: Journal
  /** Something may be owed to the outside world. */
  moved(): void
}

/** After so long a hook that lets nothing begin is asked again. */
const ASK_AGAIN_MS = 60_000
/** So often it is asked: a day, if nothing else keeps it waiting. */
const MOST_TRIES = 24 * 60

/** From a deployment that was claimed to how it ended: its log, its run, and what came with it. */
export const createPerform =
  (parts: PerformParts) =>
  async (deployment: Deployment, signals: RunSignals): Promise<Ending | 'still_there'> => {
    const ending = await perform(deployment, signals, parts)
    if (ending === 'still_there' || ending.state !== 'held') return ending
    return { ...ending, logBytes: await parts.logs.size(deployment.id), givesWay: parts.givesWay(deployment) }
  }

type Performed = Exclude<Ending, { readonly state: 'held' }> | Omit<Held, 'logBytes' | 'givesWay'>

async function perform(
  deployment: Deployment,
  signals: RunSignals,
  parts: PerformParts,
): Promise<Performed | 'still_there'> {
  const { store, logs, masker, journal, clock } = parts
  const { maxLogBytes: maxBytes } = deployment.recipe
  const asked = store.previousSha(deployment.id)
  asked.catch(() => {}) // told below, when there is a log to close
  const begunAt = performance.now()
  const ask = () => askForChanges(deployment, asked, { github: parts.github, mask: masker.mask, journal })
  // Hooks that have said "not now" may say so again for hours.
  let changes = deployment.blocked === undefined ? ask() : undefined
  const log = await logs.open(deployment.id, { maxBytes, masker })
  try {
    const result = await run(deployment, {
      ...parts,
      log,
      signal: signals.end,
      stopping: signals.stopping,
      leaving: signals.leaving,
      stuck: (processes) =>
        journal.error('processes:left', { deployment: nameOf(deployment), id: deployment.id, processes }),
      clock: () => performance.now(),
      record: (process: ProcessRecord) => store.recordProcess(deployment.id, process),
      async workBegins() {
        if (deployment.blocked === undefined) return
        changes = ask()
        await store.unblock(deployment.id, { at: clock(), reports: parts.reports })
        parts.moved()
      },
      previousSha: await asked,
      runId: randomBytes(16).toString('hex'),
    })
    const tookMs = performance.now() - begunAt
    const ended = endOf(deployment, result, clock())
    if (ended.state === 'held') {
      await log.line(`${ended.detail} They are asked again in ${ASK_AGAIN_MS / 1000} s.`)
      return { ...ended, reports: parts.reports }
    }
    const { lastLines, ...end } = ended
    const deployedSha = 'deployedSha' in end ? end.deployedSha : undefined
    return {
      ...end,
      tookMs,
      changes: await changes?.of(deployedSha ?? deployment.sha, signals.stopping),
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

type Ended =
  | { readonly state: 'held'; readonly until: number; readonly detail: string }
  | (Exclude<RunResult, { readonly state: 'held' }> & { readonly lastLines: readonly string[] })

/** How a run ended; one that is held has an end when it has been for too long. */
function endOf({ blocked }: Deployment, result: RunResult, now: number): Ended {
  if (result.state !== 'held') return { lastLines: [], ...result }
  const { steps, detail } = result
  if ((blocked?.tries ?? 0) < MOST_TRIES) return { state: 'held', until: now + ASK_AGAIN_MS, detail }
  return {
    state: 'failed',
    steps,
    reason: 'wait_expired',
    detail: `Asked ${MOST_TRIES} times: ${detail}`,
    lastLines: [],
  }
}
