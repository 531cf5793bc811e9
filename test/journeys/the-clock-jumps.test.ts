import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { expect, test } from 'vitest'

import { serve, type World } from '../support/journey.ts'
import { openShop } from '../support/merging.ts'
import { eventually } from '../support/running.ts'

/** Until when what is too old was looked for last. */
function retentionOf({ directory }: World): unknown {
  const file = new DatabaseSync(join(directory, 'data/ferryman.sqlite'), { readOnly: true, timeout: 5_000 })
  const row = file.prepare("select value from settings where name = 'retention_clock'").get()
  file.close()
  return row?.['value']
}

const YEARS = 10 * 365 * 86_400_000

test('whatever is done to the clock, what waits goes on waiting, what runs is timed truly, and nothing is thrown away', async () => {
  const shop = await openShop({
    entry: { required_contexts: ['ci/test'] },
    commands: [['sh', '-c', 'until test -e ../go; do sleep 0.02; done']],
  })
  const sha = await shop.commit('Faster')
  const report = (state: 'pending' | 'success') =>
    shop.github.addCommitStatus('acme/shop', sha, { context: 'ci/test', state })
  /** The server looks at the checks once more. */
  const looked = async (): Promise<void> => {
    const looks = () =>
      shop.github.requests.filter(({ path }) => path.includes(`/commits/${sha}/status`)).length
    const before = looks()
    await shop.checked(sha)
    await eventually('it has looked', () => looks() > before)
  }
  report('pending')
  await shop.merge(sha)
  await shop.waitForJournal((line) => line.includes('Waiting for ci/test'))

  for (const leadMs of [YEARS, -YEARS]) {
    shop.setClock(leadMs)
    await looked()
  }
  report('success')
  await shop.checked(sha)
  const deployment = await shop.made(sha)
  await shop.status(deployment, 'in_progress')
  shop.setClock(0)
  writeFileSync(join(shop.sample.folder, '../go'), '')
  await shop.status(deployment, 'success')

  expect(shop.journal.filter((line) => line.includes('deployment:held')).length).toBe(1)
  expect(shop.statuses(deployment).at(-1)).toMatch(/^success: Deployed \w{7}.* in \d+(\.\d)? s/)
  expect((await fetch(`${shop.address}/readyz`)).status).toBe(200)
  const before = retentionOf(shop)
  await shop.restart({ laterMs: YEARS })
  await eventually('it has looked for what is too old', () => retentionOf(shop) !== before)
  expect(await shop.log(1)).toContain('exit 0')
  expect(shop.journal.filter((line) => line.includes('retention:removed'))).toEqual([])
})

test('a clock that is set back while it runs keeps back no report of its end', async () => {
  const world = await serve({ commands: [['sh', '-c', 'until test -e ../go; do sleep 0.02; done']] })
  const deployment = await world.deploy()
  await world.status(deployment, 'in_progress')

  world.setClock(-3_600_000)
  const next = await world.deploy()
  await world.status(next, 'queued') // what was owed before was looked at
  writeFileSync(join(world.directory, 'go'), '')
  await world.status(deployment, 'success')

  expect(world.statuses(deployment).at(-1)).toMatch(/^success: Deployed \w{7}, in \d+(\.\d)? s/)
})
