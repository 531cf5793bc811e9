import { setTimeout as pause } from 'node:timers/promises'

import type { ProcessRecord } from '../deployment/deployment.ts'
import type { Journal } from '../logs/journal.ts'
import { createSeldom } from '../logs/seldom.ts'
import type { Store } from '../store/store.ts'

const RETRY_MS = 1_000
const WITHIN_MS = 60_000

/** A store that keeps asking the database about what a deployment that runs cannot go on without. */
export interface SureStore extends Store {
  /** Gives up as soon as the signal is aborted: the process is wanted no longer. */
  recordProcess(deploymentId: number, process: ProcessRecord, signal?: AbortSignal): Promise<void>
}

/**
 * Makes one that keeps asking for a minute: a database that is started again between two commands is no reason to fail a
 * deployment. A server that stops waits for nothing.
 */
export function recordingSurely(
  store: Store,
  { isStopping, journal }: { readonly journal: Journal; isStopping(): boolean },
): SureStore {
  const isToBeTold = createSeldom()
  const surely = async <Answer>(
    deployment: number,
    ask: () => Promise<Answer>,
    signal?: AbortSignal,
  ): Promise<Answer> => {
    for (const until = performance.now() + WITHIN_MS; ;) {
      try {
        return await ask()
      } catch (thrown) {
        if (isToBeTold()) journal.error('deployment:not-recorded', { id: deployment, error: thrown })
        if (isStopping() || performance.now() > until) throw thrown
        await pause(RETRY_MS, undefined, { signal }).catch(() => {})
        if (signal?.aborted === true) throw thrown
      }
    }
  }
  return {
    ...store,
    recordProcess: (id, process, signal) => surely(id, () => store.recordProcess(id, process), signal),
    previousSha: (id) => surely(id, () => store.previousSha(id)),
    unblock: (id, change) => surely(id, () => store.unblock(id, change)),
  }
}
