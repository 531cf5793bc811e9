import { writeFileSync } from 'node:fs'

import { expect, test } from 'vitest'

import { askForJson } from '../../src/commands/client.ts'
import type { Served } from '../support/journey.ts'
import { openShop, type Shop } from '../support/merging.ts'

const END_OF_YEAR = { from: '2026-12-20T00:00', until: '2027-01-04T12:00', name: 'end of the year' }
const freeze = { windows: { zone: 'Europe/Berlin', deny: [END_OF_YEAR] } }
const HELD = 'end of the year until Mon 2027-01-04 12:00 CET'
const THE_END = '2027-01-04T11:00:00Z'

/** What the commands of `ferryman` ask of the server, in the same way. */
const ask = (shop: Served, path: string, body?: object) =>
  askForJson(
    { config: shop.configFile, dataDir: undefined },
    { method: body === undefined ? 'GET' : 'POST', path: `/api/${path}`, ...(body && { body }) },
  )
const answerOf = async (shop: Served): Promise<unknown> =>
  Reflect.get(Object(await ask(shop, 'why?repository=acme/shop')), 'answer')

/** Sets the server's clock to so many seconds from that moment. */
const setClock = (shop: Served, moment: string, seconds = 0): void =>
  shop.setClock(Date.parse(moment) + seconds * 1000 - Date.now())
const held = (shop: Served, number: number, detail: string) =>
  shop.waitForJournal((line) =>
    ['deployment:held', `production#${number}"`, detail].every((word) => line.includes(word)),
  )

/** A shop whose server takes it to be that moment. */
async function openShopAt(moment: string, entry: object): Promise<Shop> {
  const shop = await openShop({ entry: { ...entry, notify: { slack: { events: ['held', 'succeeded'] } } } })
  setClock(shop, moment)
  return shop
}

/** Lets a look see how near the end is; from then on nothing happens, and the clock goes on by itself. */
function comeNear(shop: Shop, moment: string): void {
  setClock(shop, moment, -2)
  shop.app.again()
}

test('what comes in a freeze is held, says until when everywhere, and goes by itself when it ends', async () => {
  const shop = await openShopAt('2026-12-24T18:00:00Z', freeze)

  const asked = await shop.deploy()
  await held(shop, 1, HELD)
  const [older, newer] = [await shop.commit('First'), await shop.commit('Second')]
  await shop.merge(older)
  await held(shop, 2, HELD)
  await shop.merge(newer)
  await held(shop, 3, HELD)

  await shop.github.waitFor(
    ({ method, path, body }) =>
      method === 'POST' &&
      path.endsWith(`/deployments/${asked.id}/statuses`) &&
      Reflect.get(Object(body), 'state') === 'queued' &&
      Reflect.get(Object(body), 'description') === `Held as acme/shop/production#1: ${HELD}`,
  )
  await shop.slack.waitFor(({ text }) => text?.includes(`#1 at `) === true && text.endsWith(HELD))
  await shop.slack.waitFor(({ text }) => text?.includes(`#3 at `) === true && text.endsWith(HELD))
  expect(await answerOf(shop)).toMatch(
    new RegExp(`^#3 \\(${newer.slice(0, 7)}\\) waits, for \\d+ s: ${HELD}; 2 more wait besides\\.$`),
  )
  expect(shop.repository.deployments).toHaveLength(1)

  comeNear(shop, THE_END)
  await shop.status(asked, 'success')
  await shop.status(await shop.made(newer), 'success')

  expect(shop.repository.deployments.map(({ sha }) => sha)).toEqual([asked.sha, newer])
  await shop.waitForJournal((line) => line.includes('superseded') && line.includes('production#2'))
  expect(await answerOf(shop)).toMatch(/^Nothing waits\. #3 .* has been deployed/)
}, 60_000)

test('what runs when a freeze begins is untouched, and what waits behind it is held', async () => {
  const shop = await openShopAt('2026-11-27T20:59:00Z', {
    windows: { deny: [{ cron: '0 16 * * 5', duration: '2d16h', zone: 'America/New_York', name: 'weekend' }] },
    commands: [['sh', '-c', 'until [ -e ../go ]; do sleep 0.05; done']],
  })
  const running = await shop.deploy()
  await shop.status(running, 'in_progress')
  const waiting = await shop.deploy()

  setClock(shop, '2026-11-27T21:00:00Z')
  expect(await answerOf(shop)).toMatch(/^#1 \(.*\) is running, .*; 1 more waits behind it\.$/)
  writeFileSync(`${shop.sample.folder}/../go`, '')
  await shop.status(running, 'success')
  await held(shop, 2, 'weekend until Mon 2026-11-30 08:00 EST')
  comeNear(shop, '2026-11-30T13:00:00Z')
  await shop.status(waiting, 'success')

  expect(shop.statuses(running).map((one) => one.split(':')[0])).toEqual(['queued', 'in_progress', 'success'])
})

test('a lock inside of a freeze is told first, then the freeze, and in the end it goes', async () => {
  const shop = await openShopAt('2026-12-24T18:00:00Z', freeze)
  await ask(shop, 'locks', { repository: 'acme/shop', reason: 'a migration' })
  const sha = await shop.commit('Faster')

  await shop.merge(sha)
  await held(shop, 1, 'a migration')
  const first = await answerOf(shop)
  await ask(shop, 'locks/free', { repository: 'acme/shop' })
  await held(shop, 1, HELD)
  const second = await answerOf(shop)
  comeNear(shop, THE_END)
  await shop.status(await shop.made(sha), 'success')

  expect(first).toMatch(/waits, for \d+ s: acme\/shop is locked by .*: a migration\.$/)
  expect(second).toMatch(new RegExp(`waits, for \\d+ s: ${HELD}\\.$`))
  expect(shop.repository.deployments).toHaveLength(1)
})

test('a clock that is set back and forth, and a restart, lose nothing that a freeze holds', async () => {
  const shop = await openShopAt('2026-12-24T18:00:00Z', freeze)
  const [asked, sha] = [await shop.deploy(), await shop.commit('Faster')]
  await shop.merge(sha)
  await held(shop, 1, HELD)
  await held(shop, 2, HELD)

  setClock(shop, '2027-01-03T09:00:00Z')
  shop.app.again()
  setClock(shop, '2026-12-20T09:00:00Z')
  await shop.restart()
  expect(await answerOf(shop)).toContain(HELD)
  expect(shop.statuses(asked).filter((one) => one.includes('Held'))).toEqual([
    `queued: Held as acme/shop/production#1: ${HELD}`,
  ])
  setClock(shop, '2027-06-01T09:00:00Z')
  shop.app.again()
  await shop.status(asked, 'success')
  await shop.status(await shop.made(sha), 'success')
  setClock(shop, '2026-12-24T18:00:00Z')
  await shop.deploy()
  await held(shop, 3, HELD)

  expect(shop.repository.deployments.map((one) => one.sha)).toEqual([asked.sha, sha, sha])
})
