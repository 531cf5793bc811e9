import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { expect, test } from 'vitest'

import { createWorld, startProcess, TOKEN } from '../support/journey.ts'
import { eventually } from '../support/running.ts'

test('a server that dies while a log is being published tells afterwards how the deployment ended', async () => {
  const world = await createWorld({
    isHidden: true,
    commands: [['sh', '-c', 'echo no way in; exit 3']],
    config: { log_to: 'gist' },
  })
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
  const again = await startProcess(world)
  await world.status(deployment, 'failure')

  expect(world.statuses(deployment).at(-1)).toMatch(/exited with 3: no way in/)
  const message = await world.slack.waitFor(({ text }) => text?.startsWith('Could not') === true)
  expect(JSON.stringify(message)).toContain('no way in')
  await again.end('SIGTERM')
})
