import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { API_TOKEN, createWorld, startProcess } from '../support/journey.ts'
import { MOST_MEGABYTES, mostMemoryOf } from '../support/pressure.ts'
import { command } from '../support/running.ts'

/** In 20 MB each, but for the last: 100,000 writes of one byte. */
const WAYS = ['lines', 'one line', 'nothing but NUL', 'no UTF-8', 'a progress bar', 'colours', 'tiny writes']

test('whatever and however much a command prints, memory is bounded, and the log keeps head, tail and what was cut', async () => {
  const world = await createWorld({
    commands: [[command('floods-in-many-ways.sh')]],
    entry: { max_log_bytes: '1MB' },
  })
  const server = await startProcess(world)

  for (const [index, way] of WAYS.entries()) {
    const deployment = await world.deploy({ payload: way })
    await world.status(deployment, 'failure')
    const log = await fetch(`${server.address}/deployments/${index + 1}/log`, {
      headers: { authorization: `Bearer ${API_TOKEN}` },
    }).then((response) => response.text())

    expect(world.statuses(deployment).at(-1), way).toMatch(
      /^failure: \S*floods-in-many-ways\.sh exited with 7/,
    )
    expect(log, way).toMatch(/^\S+▸ acme\/shop\/production#\d+: deploy \w{40} \(main\), asked for by mona\n/)
    expect(log, way).toMatch(/\n\S+▸ exit 7 \(\d+\.\d s\)\n$/)
    if (way !== 'tiny writes')
      expect(log, way).toMatch(/\n… [\d,]{9,} bytes left out here \(max_log_bytes\) …\n/)
    expect(sizeOf(join(world.directory, 'data', 'logs', String(index + 1))), way).toBeLessThan(1_000_000)
  }

  expect(mostMemoryOf(server.pid)).toBeLessThan(MOST_MEGABYTES)
  await server.end('SIGTERM')
})

const sizeOf = (folder: string): number =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
