import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { openBuilds } from '../support/builds.ts'
import { createWorld, startProcess } from '../support/journey.ts'
import { eventually } from '../support/running.ts'

test('a server that is killed while it builds a release leaves what was current; the next one removes the rest', async () => {
  const { address } = await openBuilds()
  const world = await createWorld()
  const hangs = join(world.directory, 'hangs')
  const builds = ['sh', '-c', `test "$FERRYMAN_NUMBER" != 2 && exit; touch ${hangs}; sleep 600`]
  world.writeConfig({
    repositories: {
      'acme/shop': { source: address, releases: { path: 'srv', target: 'directory' }, commands: [builds] },
    },
  })
  const path = join(world.directory, 'srv')
  const server = await startProcess(world)
  await world.status(await world.deploy(), 'success')
  const cut = await world.deploy()
  await eventually('the second one is being built', () => existsSync(hangs))

  await server.end('SIGKILL')
  writeFileSync(join(path, '.switching.json'), '{"release":"2","back":"1"}') // as if it had been switching
  mkdirSync(join(path, 'saved'), { recursive: true })
  cpSync(join(path, 'current'), join(path, 'saved'), { recursive: true })
  writeFileSync(join(path, 'current/half'), '')
  const version = readFileSync(join(path, 'current/version'), 'utf8')
  expect(readdirSync(join(path, 'releases'))).toContain('2')
  const again = await startProcess(world)
  await world.status(cut, 'error')
  await eventually('what was current is back', () => !existsSync(join(path, 'current/half')))
  expect(readFileSync(join(path, 'current/version'), 'utf8')).toBe(version)
  await world.status(await world.deploy(), 'success')

  expect(readdirSync(join(path, 'releases')).toSorted()).toEqual(['.1.json', '.3.json', '1', '3'])
  expect(readdirSync(path).toSorted()).toEqual(['.current.json', 'current', 'releases', 'saved'])
  await again.end('SIGTERM')
})
