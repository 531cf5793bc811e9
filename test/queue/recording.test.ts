import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { recordingSurely } from '../../src/queue/recording.ts'
import { openStore } from '../../src/store/sql-store.ts'
import { temporaryFolder } from '../support/running.ts'

const PROCESS = { runId: 'ab', group: 1, bootId: 'boot', startTicks: '1' }

test('a process that is wanted no longer is not written down any more', async () => {
  const store = await openStore(join(temporaryFolder(), 'ferryman.sqlite'))
  onTestFinished(store.close)
  const stop = new AbortController()
  const told: string[] = []
  const journal = {
    info() {},
    warn() {},
    error(event: string) {
      told.push(event)
      setImmediate(() => stop.abort())
    },
  }

  const recording = recordingSurely(store, { isStopping: () => false, journal })

  await expect(recording.recordProcess(404, PROCESS, stop.signal)).rejects.toThrow('FOREIGN KEY')
  expect(told).toEqual(['deployment:not-recorded'])
}, 20_000)
