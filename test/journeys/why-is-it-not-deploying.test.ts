import { writeFileSync } from 'node:fs'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { serve, type Served } from '../support/journey.ts'
import { openShop } from '../support/merging.ts'

const run = (world: Served, ...words: string[]) => ferryman([...words, '-c', world.configFile])
const why = async (world: Served, ...words: string[]) => {
  const { out, err } = await run(world, 'why', ...(words.length > 0 ? words : ['acme/shop', 'production']))
  const [answer, , ...facts] = out.split('\n')
  return { answer: answer ?? err, facts }
}
const happened = (world: Served, ...words: string[]) =>
  world.waitForJournal((line) => words.every((word) => line.includes(word)))

test('where nothing was ever asked for it says so, and what would deploy', async () => {
  const world = await serve({ entry: { required_contexts: ['ci/test'], branch: 'main' } })

  const { answer, facts } = await why(world)

  expect(answer).toBe('Nothing waits. Nothing has ever been asked for here.')
  expect(facts.join('\n')).toContain('deploys  every merge into main, and what is asked for')
  expect(facts.join('\n')).toContain('checks   ci/test must pass')
  expect(facts.join('\n')).toContain('gate     locked: open')
})

test('what runs, what waits behind it, and what has failed are told in one line', async () => {
  const world = await serve({ commands: [['sh', '-c', 'until [ -e go ]; do sleep 0.05; done; exit 3']] })
  const first = await world.deploy()
  await world.deploy()
  await world.status(first, 'in_progress')
  const running = await why(world)

  writeFileSync(`${world.folder}/go`, '')
  await happened(world, 'deployment:ended', 'production#2')
  const failed = await why(world)

  expect(running.answer).toMatch(/^#1 \([0-9a-f]{7}\) is running, for \d+ s; 1 more waits behind it\.$/)
  expect(failed.answer).toMatch(
    /^Nothing waits\. #2 \([0-9a-f]{7}\) failed: sh -c .*exited with 3.*\. A commit that failed is not tried again by itself\.$/,
  )
  expect(failed.facts.join('\n')).toMatch(/happened +\d{4}-.* UTC failed, command_failed, /)
})

test('a lock and missing checks are told with the words that GitHub and Slack have', async () => {
  const shop = await openShop({ entry: { required_contexts: ['ci/test'] } })
  const sha = await shop.commit('Faster')
  await shop.merge(sha)
  await happened(shop, 'deployment:held', 'Waiting for ci/test')
  const pending = await why(shop)

  await run(shop, 'lock', 'acme/shop', '--reason', 'a release')
  shop.github.addCommitStatus('acme/shop', sha, { context: 'ci/test', state: 'success' })
  await shop.checked(sha)
  await happened(shop, 'deployment:held', 'a release')
  const locked = await why(shop)

  expect(pending.answer).toMatch(/^#1 \([0-9a-f]{7}\) waits, for \d+ s: Waiting for ci\/test\.$/)
  expect(locked.answer).toMatch(/^#1 \(.*\) waits, for \d+ s: acme\/shop is locked by .*: a release\.$/)
  expect(locked.facts.join('\n')).toMatch(/gate +locked: acme\/shop is locked by .*: a release/)
  expect(locked.facts.join('\n')).toMatch(/happened +.* queued, checks_pending, Waiting for ci\/test/)
})

test('a delivery that led to nothing is the answer where nothing has happened since', async () => {
  const shop = await openShop()
  const sha = await shop.commit('Faster')
  await shop.push(sha)

  const { answer, facts } = await why(shop)

  expect(answer).toMatch(
    /^Nothing waits\. Nothing has ever been asked for here\. The last delivery \(push, \d+ s ago\) was ignored: No environment of this repository deploys on this/,
  )
  expect(facts.join('\n')).toMatch(/delivery +.* push: ignored, deploys_otherwise, /)
})

test('an environment that is busy elsewhere in its lane, or has no turn, names what it waits for', async () => {
  const wait = [['sh', '-c', 'until [ -e go ]; do sleep 0.05; done']]
  const world = await serve({
    repositories: {
      'acme/shop': { folder: './work', commands: wait, lane: 'shop', environments: { blue: {}, green: {} } },
    },
  })
  const blue = await world.deploy({ environment: 'blue' })
  await world.status(blue, 'in_progress')
  await world.deploy({ environment: 'green' })

  const { answer } = await why(world, 'acme/shop', 'green')
  const unknown = await run(world, 'why', 'acme/shop')

  expect(answer).toMatch(/^#1 \(.*\) waits for acme\/shop\/blue#1, which runs in the same lane\.$/)
  expect(unknown).toMatchObject({
    code: 1,
    err: expect.stringContaining('There are: blue, green.') as string,
  })
  writeFileSync(`${world.folder}/go`, '')
})
