import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { createWorld, startProcess } from '../support/journey.ts'
import { followLog, MOST_MEGABYTES, mostMemoryOf } from '../support/pressure.ts'

const READERS = 1_000

test('a thousand who follow one log see every line, and hold up no delivery', async () => {
  const lines = (what: string): string => `for i in $(seq 100); do echo "${what} $i"; sleep 0.01; done`
  const world = await createWorld({
    commands: [['sh', '-c', `${lines('early')}; until test -e go; do sleep 0.05; done; ${lines('late')}`]],
  })
  const server = await startProcess(world)
  const deployment = await world.deploy()
  await world.status(deployment, 'in_progress')

  const readers = await Promise.all(Array.from({ length: READERS }, () => followLog(server.address, 1)))
  await Promise.all(readers.map(({ until }) => until('early 100\n')))
  writeFileSync(join(world.folder, 'go'), '')
  const meanwhile = await world.github.deliver('ping', { zen: 'Keep it logically awesome.', hook_id: 1 })
  const logs = await Promise.all(readers.map(({ whole }) => whole))

  expect(meanwhile.status).toBe(200)
  for (const log of logs) expect(log).toMatch(/ late 1\n.* late 100\n.*exit 0 \(\d+\.\d s\)\n$/s)
  expect(mostMemoryOf(server.pid)).toBeLessThan(MOST_MEGABYTES)
  await world.status(deployment, 'success')
  await server.end('SIGTERM')
})
