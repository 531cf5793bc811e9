import { setTimeout as pause } from 'node:timers/promises'

import type { Journal } from '../logs/journal.ts'
import { createSeldom } from '../logs/seldom.ts'
import type { Store } from '../store/store.ts'

const RETRY_MS = 1_000
const WITHIN_MS = 60_000

/**
 * A store that keeps asking the database, for a minute, about what a deployment that runs cannot go on without: a database that
 * is started again between two of its commands is no reason to fail it. A server that stops waits for nothing.
 */
export function recordingSurely(
  store: Store,
  { isStopping, journal }: { readonly journal: Journal; isStopping(): boolean },
): Store {
  const isToBeTold = createSeldom()
  const surely = async <Answer>(deployment: number, ask: () => Promise<Answer>): Promise<Answer> => {
    for (const until = performance.now() + WITHIN_MS; ;) {
      try {
        return await ask()
      } catch (thrown) {
        if (isToBeTold()) journal.error('deployment:not-recorded', { id: deployment, error: thrown })
        if (isStopping() || performance.now() > until) throw thrown
        await pause(RETRY_MS)
      }
    }
  }
  return {
    ...store,
    recordProcess: (id, process) => surely(id, () => store.recordProcess(id, process)),
    previousSha: (id) => surely(id, () => store.previousSha(id)),
    unblock: (id, change) => surely(id, () => store.unblock(id, change)),
  }
}
