/* Measures Ferryman beside adnanh/webhook and beside what the platform alone can do, all in one run on loopback. */
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'

import { measureAcknowledgement, measureSlowDisk } from './acknowledgement.ts'
import { PEER_MISSING } from './contenders.ts'
import { measureFirstInstruction } from './first-instruction.ts'
import { measureHistory } from './history.ts'
import { measureLogThroughput } from './log-throughput.ts'
import { createPlace, isInstalled } from './place.ts'
import { measureReaders } from './readers.ts'
import { measureRecovery } from './recovery.ts'
import { describe, type Findings } from './report.ts'
import { measureStart } from './start.ts'
import { measureWaiting } from './waiting.ts'
import { measureWorkspace } from './workspace.ts'

const MEASUREMENTS = {
  webhooks: measureAcknowledgement,
  'slow-disk': measureSlowDisk,
  'first-instruction': measureFirstInstruction,
  log: measureLogThroughput,
  start: measureStart,
  recovery: measureRecovery,
  history: measureHistory,
  readers: measureReaders,
  waiting: measureWaiting,
  workspace: measureWorkspace,
}

const USAGE = `Usage: npm run bench -- [--quick] [--only NAME] [--folder FOLDER]

  --quick          less than a minute, and less certain
  --only NAME      one of ${Object.keys(MEASUREMENTS).join(', ')}; can be given again
  --megabytes N    the size of the repository of \`workspace\`. Default 256, with --quick 64
  --folder FOLDER  where to measure; it decides the disk. Default: the folder for temporary files
`

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    folder: { type: 'string' },
    megabytes: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const unknown = values.only.filter((name) => !(name in MEASUREMENTS))
if (values.help) process.stdout.write(USAGE)
else if (values.megabytes !== undefined && !/^[1-9]\d{0,5}$/.test(values.megabytes)) {
  process.stderr.write(`--megabytes ${values.megabytes} is no number of megabytes.\n${USAGE}`)
  process.exitCode = 2
} else if (unknown.length > 0) {
  process.stderr.write(`There is no measurement ${unknown.join(', ')}.\n${USAGE}`)
  process.exitCode = 2
} else await measure()

async function measure(): Promise<void> {
  const from = performance.now()
  const megabytes = Number(values.megabytes ?? (values.quick ? 64 : 256))
  const place = createPlace({ quick: values.quick, megabytes, parent: values.folder })
  let isInterrupted = false
  const interrupt = (): void => {
    isInterrupted = true
    void place.clear().then(() => process.exit(130))
  }
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  if (!isInstalled('webhook')) process.stdout.write(`${PEER_MISSING}\n`)
  process.stdout.write(
    `Load average ${loadavg()[0]?.toFixed(2)}: other work on this machine makes every figure worse.\n`,
  )
  const found: Findings[] = []
  try {
    for (const [name, take] of Object.entries(MEASUREMENTS))
      if (values.only.length === 0 || values.only.includes(name)) found.push(await take(place))
  } catch (thrown) {
    if (!isInterrupted) throw thrown
  } finally {
    await place.clear()
    place.say('')
    process.stdout.write(describe(found, process.stdout.isTTY))
    process.stdout.write(`\n${Math.round((performance.now() - from) / 1000)} s\n`)
  }
}
