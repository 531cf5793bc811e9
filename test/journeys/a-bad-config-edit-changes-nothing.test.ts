import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { expect, onTestFinished, test } from 'vitest'

import { createWorld, serve, startProcess } from '../support/journey.ts'

test('a wrong edit is logged with its line and changes nothing; a right one counts for what comes after', async () => {
  const world = await createWorld({ commands: [['echo', 'first']] })
  const server = await startProcess(world)

  writeFileSync(
    world.configFile,
    'repositories:\n  acme/shop:\n    folder: /tmp\n    comands: [[echo, second]]\n',
  )
  const refused = await server.waitForLine((line) => line.includes('config:refused'))
  const deployment = await world.deploy()
  await world.status(deployment, 'success')

  expect(refused).toContain('config.yml:4:5 repositories.acme/shop.comands: ')
  expect(refused).toContain('commands')

  world.writeConfig({ commands: [['sh', '-c', 'echo "error: the new one" >&2; exit 1']] })
  await server.waitForLine((line) => line.includes('config:reloaded'))
  await world.status(await world.deploy(), 'failure')

  process.kill(server.pid, 'SIGHUP')
  await server.end('SIGTERM')
})

test('what waits runs as it was configured when it was accepted; what was removed ends with that reason', async () => {
  const world = await createWorld({
    repositories: {
      'acme/shop': {
        folder: './work',
        environments: {
          production: { commands: [['sh', '-c', 'until test -e go; do sleep 0.02; done']], lane: 'shop' },
          staging: { commands: [['echo', 'old']], lane: 'shop' },
        },
      },
    },
  })
  const server = await startProcess(world)
  const running = await world.deploy()
  await world.status(running, 'in_progress')
  const waiting = await world.deploy()
  const removed = await world.deploy({ environment: 'staging' })

  world.writeConfig({
    repositories: {
      'acme/shop': {
        folder: './work',
        environments: { production: { commands: [['sh', '-c', 'echo new > new']], lane: 'shop' } },
      },
    },
  })
  await world.status(removed, 'error')
  writeFileSync(`${world.folder}/go`, '')
  await world.status(waiting, 'success')

  expect(existsSync(`${world.folder}/new`)).toBe(false)
  expect(world.statuses(removed).at(-1)).toBe('error: acme/shop staging was removed from the configuration.')
  await server.end('SIGTERM')
  const response = await startProcess(world).then((again) => again.end('SIGTERM'))
  expect(response).toBe(0)
})

test('what cannot be written down while the database is locked changes nothing either, and counts when it can', async () => {
  const world = await serve({ commands: [['echo', 'first']] })
  const file = new DatabaseSync(join(world.directory, 'data/ferryman.sqlite'))
  onTestFinished(() => file.close())
  world.writeConfig({ commands: [['echo', 'second']] })

  file.exec('begin immediate')
  await expect(world.reload()).rejects.toThrow('database is locked')
  file.exec('rollback')
  await world.status(await world.deploy(), 'success')
  await world.reload()
  await world.status(await world.deploy(), 'success')

  expect(await world.log(1)).toContain('$ echo first\n')
  expect(await world.log(2)).toContain('$ echo second\n')
})
