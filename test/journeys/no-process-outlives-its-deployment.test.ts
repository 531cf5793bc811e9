import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { statOf } from '../../src/run/processes.ts'
import { createWorld, startProcess, type ServerProcess, type World } from '../support/journey.ts'
import { command, eventually, isRunning } from '../support/running.ts'

/** What the deployment has started: every process has written its number down. */
function startedIn({ folder }: World): number[] {
  try {
    return readFileSync(join(folder, 'pids-1'), 'utf8').split('\n').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** The guard is the child of the server whose script speaks of killing. */
function guardOf(server: ServerProcess): number {
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => statOf(pid)?.parent === server.pid)
  const guard = pids.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('finish KILL'))
  if (guard === undefined) throw new Error('There is no guard.')
  return guard
}

test('what outlives the server and its guard is ended by the next start, whatever it is', async () => {
  const first = `exec ${command('defies.sh')} ignores holds escapes`
  const world = await createWorld({
    commands: [['sh', '-c', `[ $FERRYMAN_NUMBER != 1 ] || ${first}; echo run >> runs`]],
  })
  const server = await startProcess(world)
  const deployment = await world.deploy()
  const next = await world.deploy()
  await eventually('all of it runs', () => startedIn(world).length === 4)
  const pids = startedIn(world)

  process.kill(server.pid, 'SIGSTOP') // or it starts another guard
  process.kill(guardOf(server), 'SIGKILL')
  await server.end('SIGKILL')
  expect(pids.filter(isRunning)).toEqual(pids)
  const again = await startProcess(world)
  await world.status(deployment, 'error')
  expect(pids.filter(isRunning)).toEqual([])
  await world.status(next, 'success')

  expect(world.statuses(deployment).at(-1)).toMatch(/^error: Interrupted: Ferryman ended while it ran\./)
  expect(readFileSync(join(world.folder, 'runs'), 'utf8')).toBe('run\n')
  await again.end('SIGTERM')
})
