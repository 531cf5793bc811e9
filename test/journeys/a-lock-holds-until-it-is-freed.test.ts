import { writeFileSync } from 'node:fs'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { mayReadCode, serve, type Served } from '../support/journey.ts'
import { openShop } from '../support/merging.ts'

const run = (world: Served, ...words: string[]) => ferryman([...words, '-c', world.configFile])
const lock = async (world: Served, ...words: string[]): Promise<{ id: number; by: string }> => {
  const { out, err } = await run(world, 'lock', ...words, '--json')
  expect(err).toBe('')
  return JSON.parse(out) as { id: number; by: string }
}
const held = (world: Served, detail: string) =>
  world.waitForJournal((line) => line.includes('deployment:held') && line.includes(detail))

test('a lock holds what comes, says why everywhere, and lets it go when it is freed', async () => {
  const world = await serve()

  const { by } = await lock(world, 'Acme/Shop', 'production', '--reason', 'moving the database')
  const deployment = await world.deploy()
  const description = `Held as acme/shop/production#1: acme/shop/production is locked by ${by}: moving the database`
  await held(world, 'moving the database')
  const { body } = await world.github.waitFor(
    ({ method, path, body: sent }) =>
      method === 'POST' &&
      path.endsWith(`/deployments/${deployment.id}/statuses`) &&
      Reflect.get(Object(sent), 'description') === description,
  )
  expect(body).toMatchObject({ state: 'queued' })
  expect((await run(world, 'locks')).out).toMatch(/\d+ +acme\/shop\/production +.* moving the database\n$/)

  const freed = await run(world, 'unlock', 'acme/shop', 'production')
  await world.status(deployment, 'success')

  expect(freed).toMatchObject({ code: 0, out: expect.stringMatching(/^Freed lock 1: /) as string })
  expect((await run(world, 'locks')).out).toBe('Nothing is locked.\n')
  expect(world.statuses(deployment).filter((one) => one.startsWith('in_progress'))).toHaveLength(1)
})

test('what runs when the lock is taken is untouched, and what waits behind it is held', async () => {
  const world = await serve({ commands: [['sh', '-c', 'until [ -e go ]; do sleep 0.05; done']] })
  const running = await world.deploy()
  const waiting = await world.deploy()
  await world.status(running, 'in_progress')

  await lock(world, '--everything', '--reason', 'an incident')
  await run(world, 'deliveries') // the server has gone on meanwhile
  expect(world.statuses(running).at(-1)).toMatch(/^in_progress/)
  writeFileSync(`${world.folder}/go`, '')
  await world.status(running, 'success')
  await held(world, 'Everything is locked by')
  await run(world, 'unlock', '--everything')
  await world.status(waiting, 'success')
})

test('a lock ends by itself when its time is over, and survives a restart until then', async () => {
  const world = await serve()
  await lock(world, 'acme/shop', '--reason', 'lunch', '--for', '1h')
  const deployment = await world.deploy()
  await held(world, 'lunch')

  await world.restart()
  expect((await run(world, 'locks')).out).toContain('lunch')
  await world.restart({ laterMs: 60 * 60_000 })
  await world.status(deployment, 'success')

  expect((await run(world, 'locks')).out).toBe('Nothing is locked.\n')
})

test('Slack is reminded of a lock that was forgotten, once a day, whatever is restarted meanwhile', async () => {
  const world = await serve()
  const { by } = await lock(world, 'acme/shop', 'production', '--reason', 'moving the database')
  await world.deploy()
  await held(world, 'moving the database')
  const reminder = `acme/shop/production has been locked for 1 day by ${by}: moving the database. 1 deployment waits. \`ferryman unlock acme/shop production\` frees it.`

  await world.restart({ laterMs: 24 * 60 * 60_000 - 60_000 })
  await world.restart({ laterMs: 60_000 })
  const { to } = await world.slack.waitFor(({ text }) => text === reminder)
  await world.restart({ laterMs: 60_000 })
  await run(world, 'unlock', 'acme/shop', 'production')
  await world.slack.waitFor(({ text }) => text?.startsWith('Deployed') === true)
  await world.restart({ laterMs: 24 * 60 * 60_000 })
  await world.stop()

  expect(to).toBe(world.slack.url)
  expect(world.slack.messages.filter(({ text }) => text?.includes('has been locked'))).toHaveLength(1)
})

test('a merge waits for a lock with its row and number, and one deployment goes: of the newest commit', async () => {
  const shop = await openShop()
  await lock(shop, 'acme/shop', '--reason', 'a release')
  const older = await shop.commit('First')
  await shop.merge(older)
  await held(shop, 'a release')
  const newer = await shop.commit('Second')
  await shop.merge(newer)
  await shop.waitForJournal((line) => line.includes('production#2') && line.includes('a release'))
  expect(shop.repository.deployments).toEqual([])

  await run(shop, 'unlock', 'acme/shop')
  await shop.status(await shop.made(newer), 'success')

  expect(shop.repository.deployments.map(({ sha }) => sha)).toEqual([newer])
  await shop.waitForJournal((line) => line.includes('superseded') && line.includes('production#1'))
})

test('what was asked for and is held takes nothing away that is newer and was forced past the lock', async () => {
  const world = await serve({ prepare: mayReadCode })
  await lock(world, 'acme/shop', '--reason', 'a release')
  const older = await world.deploy()
  await held(world, 'a release')
  const [commit] = world.github.addCommits('acme/shop', [{ message: 'The mend' }])
  const newer = await world.deploy()
  await world.waitForJournal((line) => line.includes('production#2') && line.includes('a release'))

  await run(world, 'force', 'acme/shop/production#2', '--reason', 'the mend')
  await world.status(newer, 'success')
  await world.status(older, 'inactive')
  await run(world, 'unlock', 'acme/shop')

  const says = `inactive: #2 has deployed ${commit?.sha.slice(0, 7)}, which is newer, already.`
  expect(world.statuses(older).at(-1)).toBe(says)
  expect(world.journal.filter((line) => line.includes('deployment:claimed'))).toHaveLength(1)
})

test('what is named wrongly is refused with what is meant, and changes nothing', async () => {
  const world = await serve()
  const failed = async (...words: string[]) => {
    const { code, err } = await run(world, ...words)
    return { code, err: err.split('\n')[0] }
  }

  expect(await failed('lock', 'acme/shoop', '--reason', 'x')).toEqual({
    code: 1,
    err: 'ferryman: acme/shoop is not in the configuration.',
  })
  expect((await run(world, 'lock', 'acme/shop', 'prodution', '--reason', 'x')).err).toContain(
    'Did you mean production?',
  )
  expect(await failed('lock', 'acme/shop')).toMatchObject({ code: 2 })
  expect(await failed('lock', '--reason', 'x')).toMatchObject({ code: 2 })
  expect(await failed('lock', 'acme/shop', '--reason', 'x', '--for', '5 minutes')).toMatchObject({ code: 2 })
  expect(await failed('unlock', 'acme/shop')).toEqual({ code: 1, err: 'ferryman: acme/shop is not locked.' })
  expect(await failed('unlock', '--lock', '7')).toEqual({ code: 1, err: 'ferryman: There is no lock 7.' })
  expect((await run(world, 'locks')).out).toBe('Nothing is locked.\n')
})
