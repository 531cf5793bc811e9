import { execFile } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { openShop, type Shop } from '../support/merging.ts'
import { temporaryFolder } from '../support/running.ts'

const HOUR = 60 * 60_000
const execute = promisify(execFile)

/** A shop with two places, each a real clone. What stands in a folder as `wait` or `fail` is obeyed there. */
async function openPlaces(production: object = {}) {
  const [staging, live] = [temporaryFolder(), temporaryFolder()]
  const commands = [
    ['git', 'fetch', '--quiet', 'origin'],
    ['git', 'checkout', '--quiet', '--detach', '{sha}'],
    ['sh', '-c', 'while [ -e wait ]; do sleep 0.05; done; echo "$GITHUB_SHA" >> deployed; [ ! -e fail ]'],
  ]
  const environments = {
    staging: { folder: staging },
    production: { folder: live, after: 'Staging', ...production },
  }
  const shop = await openShop({ commands, entry: { environments }, config: { max_concurrent: 2 } })
  for (const folder of [staging, live]) await execute('git', ['clone', '--quiet', shop.sample.origin, folder])
  const log = join(live, 'deployed')
  return { shop, staging, deployed: () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n') : []) }
}

const held = (shop: Shop, detail: string) =>
  shop.waitForJournal((line) => line.includes('"deployment:held"') && line.includes(detail))
const ended = (shop: Shop, name: string, state: string) =>
  shop.waitForJournal(
    (line) => line.includes('"deployment:ended"') && line.includes(`"${name}"`) && line.includes(state),
  )
const short = (sha: string) => sha.slice(0, 7)

test('a merge goes on by itself when it has succeeded on staging and baked there', async () => {
  const { shop, staging, deployed } = await openPlaces({ bake: 2 })
  writeFileSync(join(staging, 'wait'), '')
  const sha = await shop.commit('Faster')

  await shop.merge(sha)
  await held(shop, `staging #1 is deploying ${short(sha)}`)
  rmSync(join(staging, 'wait'))
  const proved = await ended(shop, 'acme/shop/staging#1', 'succeeded')
  await held(shop, `${short(sha)} bakes on staging until`)
  const begun = await shop.waitForJournal(
    (line) => line.includes('deployment:claimed') && line.includes('acme/shop/production#1'),
  )
  await ended(shop, 'acme/shop/production#1', 'succeeded')

  const timeOf = (line: string) => Date.parse((JSON.parse(line) as { time: string }).time)
  expect(timeOf(begun) - timeOf(proved)).toBeGreaterThan(1_900)
  expect(deployed()).toEqual([sha, ''])
})

test('what failed on staging goes nowhere; its mend goes on and takes its place', async () => {
  const { shop, staging, deployed } = await openPlaces()
  const broken = await shop.commit('Broken')
  writeFileSync(join(staging, 'fail'), '')
  await shop.merge(broken)
  await held(shop, `staging #1 failed with ${short(broken)}`)
  rmSync(join(staging, 'fail'))

  const mended = await shop.commit('Mended')
  await shop.merge(mended)
  await ended(shop, 'acme/shop/production#2', 'succeeded')

  expect(await ended(shop, 'acme/shop/production#1', 'cancelled')).toContain('superseded')
  expect(deployed()).toEqual([mended, ''])
})

test('the newest commit that staging has proved goes, while a newer one is on its way there', async () => {
  const { shop, staging, deployed } = await openPlaces({ bake: '1h' })
  const [proved, newest] = [await shop.commit('Proved'), await shop.commit('Newest')]
  await shop.merge(proved)
  await held(shop, `${short(proved)} bakes on staging`)
  writeFileSync(join(staging, 'wait'), '')
  await shop.merge(newest)
  await held(shop, `staging #2 is deploying ${short(newest)}`)

  shop.setClock(HOUR)
  await shop.reload() // looks at everything
  await ended(shop, 'acme/shop/production#1', 'succeeded')
  expect(deployed()).toEqual([proved, ''])
  rmSync(join(staging, 'wait'))
  await ended(shop, 'acme/shop/production#2', 'succeeded')

  expect(deployed()).toEqual([proved, newest, ''])
})

test('what somebody asks for on GitHub is held in the same way, also over a restart', async () => {
  const { shop, deployed } = await openPlaces({ bake: '1h' })
  const sha = await shop.commit('Faster')

  const asked = await shop.deploy({ ref: 'main', environment: 'production' })
  await held(shop, `Waiting for staging: it has not had ${short(sha)} yet`)
  await shop.status(await shop.deploy({ ref: 'main', environment: 'staging' }), 'success')
  await held(shop, `${short(sha)} bakes on staging until`)
  await shop.restart({ laterMs: HOUR })
  await shop.status(asked, 'success')

  expect(deployed()).toEqual([sha, ''])
  expect(shop.statuses(asked)[1]).toMatch(
    /^queued: Held as acme\/shop\/production#1: Waiting for staging: it has not had \w{7} yet$/,
  )
})

test('a commit that is marked bad on staging does not pass, until the mark is taken back', async () => {
  const { shop } = await openPlaces()
  const sha = await shop.commit('Faster')
  await shop.status(await shop.deploy({ ref: 'main', environment: 'staging' }), 'success')
  const mark = (...words: string[]) =>
    ferryman(['mark-bad', 'acme/shop/staging#1', ...words, '-c', shop.configFile])
  await mark('--reason', 'it is slow')

  const asked = await shop.deploy({ ref: 'main', environment: 'production' })
  await held(shop, `${short(sha)} is marked bad on staging by`)
  await mark('--undo')
  await shop.status(asked, 'success')
})
