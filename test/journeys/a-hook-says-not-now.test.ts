import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { serve, type Served, type World } from '../support/journey.ts'

const BUSY = 'test ! -e busy || { echo "two people are editing"; exit 75; }'
const tried = ({ folder }: World): number => readFileSync(join(folder, 'tried'), 'utf8').length
const timesHeld = ({ journal }: Served): number =>
  journal.filter((line) => line.includes('deployment:held')).length

test('exit 75 holds a deployment, which goes when the hook lets it, is told once, and blocks nobody', async () => {
  const world = await serve({
    commands: [['sh', '-c', 'echo "$GITHUB_REF" >> ran']],
    entry: { hooks: { before: [['sh', '-c', `printf x >> tried; ${BUSY}`]] } },
    prepare: ({ folder }) => writeFileSync(join(folder, 'busy'), ''),
  })

  const deployment = await world.deploy()
  await world.waitForJournal((line) => line.includes('deployment:held') && line.includes('hook_blocked'))
  const { out } = await ferryman(['why', 'acme/shop', '-c', world.configFile])
  expect(out).toContain('two people are editing')
  expect(existsSync(join(world.folder, 'ran'))).toBe(false)

  world.setClock(61_000)
  world.app.again()
  await world.waitForJournal(() => timesHeld(world) === 2)
  expect(tried(world)).toBe(2)
  rmSync(join(world.folder, 'busy'))
  world.setClock(130_000)
  world.app.again()
  await world.status(deployment, 'success')

  expect(readFileSync(join(world.folder, 'ran'), 'utf8')).toBe('main\n')
  expect(tried(world)).toBe(3)
  const told = world.statuses(deployment).map((line) => line.replace(/: .*/s, ''))
  expect(told.filter((state) => state === 'queued').length).toBeLessThanOrEqual(2)
  expect(told.slice(-2)).toEqual(['in_progress', 'success'])
  expect(world.statuses(deployment).join('\n')).toContain('exited with 75: two people')
})

test('a clock that was ahead when a hook said so, and is set back, keeps nothing waiting', async () => {
  const world = await serve({
    entry: { hooks: { before: [['sh', '-c', BUSY]] } },
    prepare: ({ folder }) => writeFileSync(join(folder, 'busy'), ''),
  })
  world.setClock(8 * 3_600_000)
  const deployment = await world.deploy()
  await world.waitForJournal((line) => line.includes('deployment:held') && line.includes('hook_blocked'))

  rmSync(join(world.folder, 'busy'))
  world.setClock(0)
  world.app.again()
  await world.status(deployment, 'success')

  expect(timesHeld(world)).toBe(1)
})

test('what a hook holds outlives a restart, and can be cancelled', async () => {
  const world = await serve({
    commands: [['touch', 'ran']],
    entry: { hooks: { before: [['sh', '-c', 'printf x >> tried; exit 75']] } },
  })
  const deployment = await world.deploy()
  await world.waitForJournal((line) => line.includes('deployment:held') && line.includes('hook_blocked'))

  await world.restart()
  const { out } = await ferryman(['queue', '-c', world.configFile])
  expect(out).toContain('acme/shop/production#1')
  await ferryman(['cancel', 'acme/shop/production#1', '-c', world.configFile])
  await world.status(deployment, 'error')

  expect(world.statuses(deployment).at(-1)).toMatch(/^error: Cancelled by /)
  expect(existsSync(join(world.folder, 'ran'))).toBe(false)
  expect(tried(world)).toBe(1)
})

test('any failure in a folder of hooks holds; another exit code of a command ends the deployment', async () => {
  const world = await serve({
    repositories: {},
    prepare({ directory, folder, writeConfig }) {
      const hooks = join(directory, 'pre-update.d')
      mkdirSync(hooks)
      for (const [name, script] of [
        ['20-second', 'echo 2 >> order; exit 1'],
        ['10-first', 'echo 1 >> order'],
        ['30-third', 'echo 3 >> order'],
      ] as const) {
        writeFileSync(join(hooks, name), `#!/bin/sh\n${script}\n`)
        chmodSync(join(hooks, name), 0o755)
      }
      writeFileSync(join(hooks, '15-readme'), 'not executable')
      writeConfig({
        repositories: {
          'acme/shop': {
            folder,
            commands: [['touch', 'ran']],
            environments: {
              production: { hooks: { before: hooks } },
              staging: { folder: directory, hooks: { before: [['sh', '-c', 'echo broken; exit 2']] } },
            },
          },
        },
      })
    },
  })

  await world.deploy()
  await world.waitForJournal((line) => line.includes('deployment:held') && line.includes('hook_blocked'))
  const ended = await world.deploy({ environment: 'staging' })
  await world.status(ended, 'failure')

  expect(readFileSync(join(world.folder, 'order'), 'utf8')).toBe('1\n2\n')
  expect(world.statuses(ended).at(-1)).toMatch(/exited with 2: broken$/)
  expect(existsSync(join(world.folder, 'ran'))).toBe(false)
})
