import { setTimeout as pause } from 'node:timers/promises'

import type { Journal } from '../logs/journal.ts'
import { createSeldom } from '../logs/seldom.ts'
import type { Outbox } from '../store/store.ts'

const RETRY_MS = 1_000

/**
 * An outbox that writes down what became of a report, however long the database takes to accept it: what has been
 * delivered must not go out again because a disk is full. Ends in vain when the signal is aborted.
 */
export const settlingSurely = (
  outbox: Outbox,
  { signal, journal }: { readonly signal: AbortSignal; readonly journal: Journal },
): Outbox => ({
  ...outbox,
  async settle(id, ...settlement) {
    const isToBeTold = createSeldom()
    for (;;) {
      try {
        return await outbox.settle(id, ...settlement)
      } catch (thrown) {
        if (isToBeTold() || signal.aborted)
          journal.error('report:not-recorded', { report: id, error: thrown })
        if (signal.aborted) throw thrown
        await pause(RETRY_MS, undefined, { signal }).catch(() => {}) // then once more, for the last time
      }
    }
  },
})
