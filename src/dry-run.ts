import { randomBytes } from 'node:crypto'

import type { Deployment } from './deployment/deployment.ts'
import { NO_HOOKS } from './deployment/recipe.ts'
import { messageOf, problem } from './errors.ts'
import type { Journal } from './logs/journal.ts'
import { createLiveLog } from './logs/live-log.ts'
import type { LogWriter } from './logs/logs.ts'
import { asDeployment, findWanted, type FindParts, type PlanWanted } from './plan.ts'
import { TRIAL } from './run/ansible/playbook.ts'
import { commitInFolder } from './run/commit-in-folder.ts'
import { StillThere } from './run/ending.ts'
import { commandPath } from './run/environment.ts'
import type { Stop } from './run/limits.ts'
import type { RunParts } from './run/parts.ts'
import { run } from './run/run.ts'

export interface DryRunParts
  extends
    FindParts,
    Pick<
      RunParts,
      | 'masker'
      | 'guard'
      | 'standby'
      | 'server'
      | 'resolve'
      | 'directory'
      | 'installed'
      | 'checkouts'
      | 'isFull'
      | 'patience'
    > {
  readonly clock: () => number
  readonly journal: Journal
}

/** Whoever reads along. */
interface Reader {
  show(bytes: Buffer): Promise<void>
  /** Aborted when nobody reads any longer. */
  readonly gone: AbortSignal
}

/** Begins, and answers how it ended. */
type DryRun = (reader: Reader) => Promise<'succeeded' | 'failed'>

export interface DryRuns {
  /**
   * What Ansible says that a deployment would change: `--check --diff` with everything else as in the deployment. It is
   * none: nothing is recorded, nobody is told, it takes no lane and no hooks are run. Throws what is wrong with the
   * wish, and `not_a_playbook`, before anything begins.
   */
  prepare(wanted: PlanWanted & { readonly by: string }, parts: DryRunParts): Promise<DryRun>
  /** Ends what runs, and answers when it has ended. */
  stop(): Promise<void>
}

export function createDryRuns(): DryRuns {
  const running = new Set<Promise<unknown>>()
  const stopping = new AbortController()
  return {
    async prepare(wanted, parts) {
      const { environment, planned } = await findWanted(wanted, parts)
      const { repository, recipe, sha, task } = planned
      const place = `${environment.repository} ${environment.name}`
      if (recipe.kind !== 'ansible')
        throw problem('not_a_playbook', { what: task === 'deploy' ? place : `the task ${task} of ${place}` })
      const { healthCheck: _, ...rest } = recipe
      const deployment = asDeployment(
        { ...planned, actor: wanted.by, creator: wanted.by },
        { ...rest, hooks: NO_HOOKS },
      )
      return (reader) => {
        const about = { repository, environment: environment.name, task, sha, by: wanted.by }
        const ended = tryOut(deployment, { reader, stopping: stopping.signal, about }, parts)
        running.add(ended)
        void ended.finally(() => running.delete(ended)).catch(() => {})
        return ended
      }
    },
    async stop() {
      stopping.abort()
      await Promise.allSettled(running)
    },
  }
}

interface Trial {
  readonly reader: Reader
  readonly stopping: AbortSignal
  readonly about: Readonly<Record<string, string>>
}

async function tryOut(
  deployment: Deployment,
  { reader, stopping, about }: Trial,
  parts: DryRunParts,
): Promise<'succeeded' | 'failed'> {
  const { journal, masker, store } = parts
  const end = new AbortController()
  const forReader = (): void => end.abort(NOBODY_READS)
  const forStop = (): void => end.abort(SERVER_STOPS)
  reader.gone.addEventListener('abort', forReader, { once: true })
  stopping.addEventListener('abort', forStop, { once: true })
  if (stopping.aborted) forStop()
  if (reader.gone.aborted) forReader()
  journal.info('dry-run:begun', about)
  const log = createLiveLog({ masker, show: reader.show, ending: end.signal })
  try {
    const live = await store.refFor(deployment, ':current')
    await tellOther(deployment, log, parts)
    const { state } = await run(deployment, {
      ...parts,
      log,
      asking: TRIAL,
      signal: end.signal,
      stopping,
      leaving: stopping,
      clock: () => performance.now(),
      // Nobody takes it up again: when the server dies, the guard ends it.
      record: async () => {},
      workBegins: async () => {},
      stuck: (processes) => journal.error('processes:left', { ...about, processes }),
      previousSha: live?.sha,
      runId: randomBytes(16).toString('hex'),
    })
    journal.info('dry-run:ended', { ...about, state })
    return state === 'succeeded' ? 'succeeded' : 'failed'
  } catch (thrown) {
    if (thrown instanceof StillThere) return 'failed'
    journal.error('dry-run:broken', { ...about, error: thrown })
    await log.line(`Ferryman failed: ${messageOf(thrown)}`)
    return 'failed'
  } finally {
    await log.close()
    reader.gone.removeEventListener('abort', forReader)
    stopping.removeEventListener('abort', forStop)
  }
}

/** No hook is run that would check the commit out: what lies in the folder is tried, and that is said. */
async function tellOther(
  { recipe, sha, repository }: Deployment,
  log: LogWriter,
  { server }: DryRunParts,
): Promise<void> {
  if (recipe.workspace !== undefined) return
  const path = commandPath(server.environment, server.npmFolders)
  const found = await commitInFolder(recipe.folder, { sha, repository, path })
  if (found === undefined || found === sha) return
  const [at, wanted] = [found.slice(0, 7), sha.slice(0, 7)]
  await log.line(
    `${recipe.folder} is at ${at}, and not at ${wanted}: the playbook is tried as it lies there.`,
  )
}

const NOBODY_READS: Stop = { kind: 'by_person', detail: 'Nobody reads along any more' }
const SERVER_STOPS: Stop = { kind: 'interrupted', detail: 'Ferryman is stopping' }
