import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { createSampleRepository } from '../../src/demo/sample-repository.ts'
import { createWorld, startProcess } from '../support/journey.ts'
import { eventually, temporaryFolder } from '../support/running.ts'

test('what a server that was killed has left of checkouts and fetches goes at its next start', async () => {
  const sample = await createSampleRepository(temporaryFolder())
  const world = await createWorld()
  const { directory, github } = world
  github.addCommits('acme/shop', sample.commits)
  const began = join(directory, 'began')
  const command = ['sh', '-c', `test -e ${began} && exit; pwd > ${began}; sleep 600`]
  world.writeConfig({
    repositories: { 'acme/shop': { workspace: { url: sample.origin }, commands: [command] } },
  })
  const server = await startProcess(world)
  const cut = await world.deploy()
  await eventually('the command runs', () => existsSync(began) && readFileSync(began, 'utf8') !== '')
  const checkout = readFileSync(began, 'utf8').trim()
  expect(existsSync(join(checkout, '.git'))).toBe(true)

  await server.end('SIGKILL')
  expect(existsSync(checkout)).toBe(true)
  const again = await startProcess(world)
  await world.status(cut, 'error')
  await world.status(await world.deploy(), 'success')

  expect(world.statuses(cut).at(-1)).toMatch(/^error: Interrupted/)
  expect(readdirSync(join(directory, 'data/workspaces'))).toEqual([])
  await again.end('SIGTERM')
})
