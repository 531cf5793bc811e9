import { existsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { expect, test } from 'vitest'

import { API_TOKEN, createWorld, startProcess, type ServerProcess, type World } from '../support/journey.ts'
import { isRunning } from '../support/running.ts'

const TELL = 'echo "stops $$"; kill -TERM $(cat server.pid)'

/** The first deployment does this to the server, all others nothing. */
const stoppingBy = (script: string) =>
  createWorld({ commands: [['sh', '-c', `[ $FERRYMAN_NUMBER = 1 ] || exit 0; ${script}`]] })

/** A server that gives a second of grace, and whose commands know its number. */
async function start(world: World): Promise<ServerProcess> {
  const server = await startProcess(world, process.execPath, [resolve('test/support/impatient-server.ts')])
  writeFileSync(join(world.folder, 'server.pid'), String(server.pid))
  return server
}

async function firstLog({ address }: ServerProcess): Promise<string> {
  const headers = { authorization: `Bearer ${API_TOKEN}` }
  const answer = await fetch(`${address}/deployments/1/log`, { headers })
  return answer.text()
}

test('one that waits for Ferryman to be gone is interrupted, and the next start goes on with the queue', async () => {
  const world = await stoppingBy(
    `${TELL}; while kill -0 $(cat server.pid); do sleep 0.05; done; touch waited`,
  )
  const server = await start(world)

  const restarting = await world.deploy()
  const next = await world.deploy()
  const code = await server.ended
  const again = await start(world)
  await world.status(next, 'success')

  expect(code).toBe(0)
  expect(world.statuses(restarting).at(-1)).toBe(
    'error: Interrupted: Ferryman was stopped while it ran. It is not started again by itself.',
  )
  const log = await firstLog(again)
  expect(log).toContain(
    '▸ Ferryman is stopping. What runs may end by itself within 1 s; what waits for Ferryman to be gone waits in vain.',
  )
  expect(log).toContain(
    '▸ Interrupted: Ferryman was stopped while it ran. It is not started again by itself.',
  )
  expect(isRunning(Number(/stops (\d+)/.exec(log)?.[1]))).toBe(false)
  expect(existsSync(join(world.folder, 'waited'))).toBe(false)
  await again.end('SIGTERM')
})

test('one that asks for the restart and does not wait has succeeded', async () => {
  const world = await stoppingBy(TELL)
  const server = await start(world)

  const restarting = await world.deploy()

  expect(await server.ended).toBe(0)
  expect(world.statuses(restarting).at(-1)).toMatch(/^success: /)
})

test('one that is ended together with Ferryman, as systemd does, was interrupted', async () => {
  const world = await stoppingBy(`${TELL}; kill -TERM 0`)
  const server = await start(world)

  const restarting = await world.deploy()

  expect(await server.ended).toBe(0)
  expect(world.statuses(restarting).at(-1)).toMatch(
    /^error: Interrupted: SIGTERM ended sh -c '.*… while Ferryman was stopped\. It is not started again by itself\.$/,
  )
})
