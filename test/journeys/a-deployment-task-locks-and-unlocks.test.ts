import { readFileSync } from 'node:fs'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { serve, type Served } from '../support/journey.ts'

const locks = async (world: Served) => (await ferryman(['locks', '-c', world.configFile])).out
const task = (world: Served, name: string, payload: object = {}, by = 'mona') =>
  world.deploy({ task: name, payload }, by)

test('deploy:lock locks at once, beside what runs, and deploy:unlock lets go what was held', async () => {
  const world = await serve({ commands: [['sh', '-c', 'echo "$GITHUB_TASK" >> ran']] })

  const taken = await task(world, 'deploy:lock', { reason: 'moving the database', for: '2h' })
  await world.status(taken, 'success')
  const held = await world.deploy()
  await world.waitForJournal(
    (line) => line.includes('deployment:held') && line.includes('locked by mona until'),
  )
  const freed = await task(world, 'deploy:unlock', {}, 'hubot')
  await world.status(held, 'success')

  expect(world.statuses(taken)).toEqual([
    expect.stringMatching(
      /^success: Lock 1: acme\/shop\/production is locked by mona until .* UTC: moving the database$/,
    ),
  ])
  expect(world.statuses(freed)).toEqual([expect.stringMatching(/^success: Freed lock 1: /)])
  expect(readFileSync(`${world.folder}/ran`, 'utf8')).toBe('deploy\n')
  const message = await world.slack.waitFor(
    ({ text }) => text?.startsWith('Locked acme/shop/production#1') ?? false,
  )
  expect(message.text).toContain('moving the database')
})

test('the second to lock is told who holds it, and its lock changes nothing', async () => {
  const world = await serve()
  await world.status(await task(world, 'deploy:lock', { reason: 'first' }), 'success')

  const second = await task(world, 'deploy:lock', { reason: 'second' }, 'hubot')
  await world.status(second, 'error')

  expect(world.statuses(second)).toEqual(['error: Not locked: acme/shop/production is locked by mona: first'])
  expect(await locks(world)).toContain('first')
})

test('an unlock that names another lock, or was asked for before the lock, frees nothing', async () => {
  const world = await serve()
  await world.status(await task(world, 'deploy:lock', { reason: 'the one that stays' }), 'success')

  const other = await task(world, 'deploy:unlock', { lock: 99 })
  await world.status(other, 'error')
  world.setClock(60_000) // of this server: what is taken now is newer than what GitHub's clock says
  await world.status(await task(world, 'deploy:unlock', { lock: 1 }), 'success')
  await ferryman(['lock', 'acme/shop', 'production', '--reason', 'a newer one', '-c', world.configFile])
  const late = await task(world, 'deploy:unlock')
  await world.status(late, 'error')

  expect(world.statuses(other)).toEqual([
    'error: Not unlocked: acme/shop/production is locked by mona: the one that stays',
  ])
  expect(world.statuses(late)[0]).toMatch(/^error: Not unlocked: .*: a newer one$/)
  expect(await locks(world)).toContain('a newer one')
})

test('nothing locked is no failure to unlock, and a wrong payload is told', async () => {
  const world = await serve()

  const nothing = await task(world, 'deploy:unlock')
  await world.status(nothing, 'success')
  const wrong = await task(world, 'deploy:lock', { for: 'ever' })
  await world.status(wrong, 'error')

  expect(world.statuses(nothing)).toEqual(['success: acme/shop/production was not locked'])
  expect(world.statuses(wrong)[0]).toMatch(/^error: Not locked: "for" in the payload is not a length of time/)
  expect(await locks(world)).toBe('Nothing is locked.\n')
})

test('a lock is nothing that was deployed: what is live stays what it was', async () => {
  const world = await serve({ commands: [['sh', '-c', 'echo "$FERRYMAN_PREVIOUS_SHA" > previous']] })
  await world.status(await world.deploy(), 'success')
  await world.status(await task(world, 'deploy:lock', { reason: 'x' }), 'success')
  await world.status(await task(world, 'deploy:unlock'), 'success')

  const { out } = await ferryman(['why', 'acme/shop', '-c', world.configFile])

  expect(out).toMatch(/^Nothing waits\. #1 \(.*\) has been deployed/)
})
