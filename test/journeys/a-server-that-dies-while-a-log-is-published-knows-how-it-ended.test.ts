import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { expect, onTestFinished, test } from 'vitest'

import { signal } from '../../src/run/processes.ts'
import { createWorld, startProcess, TOKEN, type Given } from '../support/journey.ts'
import { command, eventually, isRunning } from '../support/running.ts'

/** A server that died while the log of a deployment was being published, whose work was over. */
async function died(given: Given) {
  const world = await createWorld({ isHidden: true, config: { log_to: 'gist' }, ...given })
  const { github } = world
  github.addToken(TOKEN, { login: 'robot', type: 'classic', scopes: ['repo_deployment', 'gist'] })
  github.fail({ method: 'POST', path: /^\/gists$/, with: 'hang' })
  const server = await startProcess(world)
  const deployment = await world.deploy()
  const database = new DatabaseSync(join(world.directory, 'data/ferryman.sqlite'), { readOnly: true })
  const row = database.prepare('select state, conclusion from deployments')
  await eventually(
    'its work is over, and it waits for GitHub',
    () => typeof row.get()?.['conclusion'] === 'string',
  )
  expect(row.get()).toMatchObject({ state: 'running' })
  database.close()
  await server.end('SIGKILL')
  return { world, deployment }
}

test('a server that dies while a log is being published tells afterwards how the deployment ended', async () => {
  const { world, deployment } = await died({ commands: [['sh', '-c', 'echo no way in; exit 3']] })

  const again = await startProcess(world)
  await world.status(deployment, 'failure')

  expect(world.statuses(deployment).at(-1)).toMatch(/exited with 3: no way in/)
  const message = await world.slack.waitFor(({ text }) => text?.startsWith('Could not') === true)
  expect(JSON.stringify(message)).toContain('no way in')
  await again.end('SIGTERM')
})

test.each([
  ['a daemon in a session of its own', 'takes-own-session.sh', false],
  ['what leave_processes keeps', 'leaves-child.sh', true],
])('%s lives on as after any other success', async (_, leaves, leaveProcesses) => {
  const { world, deployment } = await died({
    commands: [[command(leaves)]],
    entry: { leave_processes: leaveProcesses },
  })
  const log = readFileSync(join(world.directory, `data/logs/1/${'0'.repeat(16)}.log`), 'utf8')
  const daemon = Number(/Still running.*: sleep \((\d+)\)$/m.exec(log)?.[1])
  onTestFinished(() => signal(daemon, 'SIGKILL'))

  const again = await startProcess(world)
  await world.status(deployment, 'success')

  expect(isRunning(daemon)).toBe(true)
  await again.end('SIGTERM')
})
