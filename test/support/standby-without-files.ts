import { mkdtempSync, openSync, closeSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { startStandby } from '../../src/run/standby.ts'

// Runs out of files while its launcher gets ready: one is left, for the pipe. Tells what becomes of a command then.
const directory = mkdtempSync(join(tmpdir(), 'fm-'))
const environment = { PATH: '/usr/bin:/bin' }
const standby = startStandby({ directory, environment })
while (!process.getActiveResourcesInfo().includes('ProcessWrap'))
  await new Promise((resolve) => setImmediate(resolve))
const files: number[] = []
try {
  for (;;) files.push(openSync('/dev/null', 'r'))
} catch {
  closeSync(files.pop() ?? 0)
}
const launched = await standby.launch({
  program: '/bin/true',
  arguments: [],
  folder: '/',
  environment,
  pipe: join(directory, 'pipe'),
  mark: '1',
})
await standby.stop()
for (const file of files) closeSync(file)
rmSync(directory, { recursive: true })
console.log('cause' in launched ? launched.cause : 'launched')
