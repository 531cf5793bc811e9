import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { startFerryman, startGitHubSink } from './contenders.ts'
import { createDeliveries } from './deliveries.ts'
import type { Reading } from './log-readers.ts'
import { memory, type Place } from './place.ts'
import { megabytes, rate, type Findings } from './report.ts'

const READERS = 1_000
const TOKEN = 'a-token-of-the-api-for-the-benchmark'

/** Many who watch one deployment: what the server needs for them, and whether any of them misses a line. */
export async function measureReaders(place: Place): Promise<Findings> {
  const readers = place.quick ? 200 : READERS
  const lines = place.quick ? 200 : 1_000
  const github = await startGitHubSink(0)
  // It begins to write when its folder holds a file: when all are there.
  const say = `until [ -e begin ]; do sleep 0.1; done; i=0; while [ $i -lt ${lines} ]; do echo "line $i of the output"; i=$((i+1)); sleep 0.01; done`
  const folder = place.folder('readers')
  const server = await startFerryman(place, {
    folder,
    command: ['sh', '-c', say],
    github: github.port,
    apiToken: TOKEN,
  })
  const running = github.next('in_progress')
  const answer = await fetch(`http://127.0.0.1:${server.port}${server.path}`, {
    method: 'POST',
    ...createDeliveries({ otherDeployments: true })(),
  })
  const { deployments } = (await answer.json()) as { deployments: readonly { readonly id: number }[] }
  await running
  const idle = memory(server.program.pid, 'VmRSS')
  place.say(`readers: ${rate(readers)} of them read ${rate(lines)} lines`)
  const reading: Reading = {
    port: server.port,
    path: `/deployments/${deployments[0]?.id}/log?follow=1`,
    token: TOKEN,
    readers,
    lines,
    begin: join(folder, 'begin'),
  }
  const program = place.start('readers', [
    process.execPath,
    join(import.meta.dirname, 'log-readers.ts'),
    JSON.stringify(reading),
  ])
  if (program.child.exitCode === null) await once(program.child, 'exit')
  const most = memory(server.program.pid, 'VmHWM')
  const said = readFileSync(program.log, 'utf8')
  if (program.child.exitCode !== 0) throw new Error(`The readers broke: ${said}`)
  const { missed } = JSON.parse(said) as { missed: number }
  await place.end(server.program)
  github.stop()
  return {
    title: `${rate(readers)} readers of one log, of ${rate(lines)} lines in ${Math.round(lines / 100)} s`,
    head: ['', 'before', 'at most', 'readers that missed a line'],
    rows: [['Ferryman', megabytes(idle), megabytes(most), String(missed)]],
    goals: [
      { what: 'memory with all readers', ratio: most, most: 300, unit: 'MB' },
      { what: 'readers that missed a line', ratio: missed, most: 0, unit: 'readers' },
    ],
  }
}
