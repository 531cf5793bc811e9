import { dirname } from 'node:path'

import { PATIENCE } from '../../src/run/ending.ts'
import { startGuard } from '../../src/run/guard.ts'
import { runCommand } from '../../src/run/command.ts'
import { startStandby } from '../../src/run/standby.ts'

/**
 * A server that can only be killed: `node dying-server.ts never|at-once PIPE RUN_ID COMMAND…` prints the record
 * of the process as JSON, and lets the start be written down never or at once.
 */
const [when = '', pipe = '', runId = '', ...argv] = process.argv.slice(2)

await runCommand({
  argv,
  folder: '/',
  environment: { PATH: '/usr/bin:/bin', FERRYMAN_RUN_ID: runId },
  runId,
  pipe,
  guard: startGuard(),
  standby: startStandby({ directory: dirname(pipe), environment: { PATH: '/usr/bin:/bin' } }),
  record(record) {
    process.stdout.write(`${JSON.stringify(record)}\n`)
    return when === 'never' ? new Promise(() => {}) : Promise.resolve()
  },
  write: (chunk) => new Promise((resolve) => process.stdout.write(chunk, () => resolve())),
  signal: new AbortController().signal,
  interrupting() {},
  stuck() {},
  leaving: new AbortController().signal,
  leaveProcesses: false,
  patience: PATIENCE,
})
