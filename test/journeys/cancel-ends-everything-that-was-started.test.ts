import { readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { serve, type Served } from '../support/journey.ts'
import { openShop } from '../support/merging.ts'
import { eventually, isRunning } from '../support/running.ts'

const isAboutCancelling = ({ text }: { readonly text: string | undefined }): boolean =>
  text?.startsWith('Cancelled') ?? false
const ME = userInfo().username
const SAID = `Cancelled by ${ME}: wrong branch`

const cancel = (world: Served, deployment: string, ...words: string[]) =>
  ferryman(['cancel', deployment, '--reason', 'wrong branch', '-c', world.configFile, ...words])

test('what runs is ended with all that it started, everybody hears who and why, and the next one begins', async () => {
  const world = await serve({
    commands: [
      [
        'sh',
        '-c',
        'echo "begin $FERRYMAN_NUMBER" >> order; [ $FERRYMAN_NUMBER = 1 ] || exit 0; sleep 300 & echo "child $!"; wait',
      ],
    ],
  })
  const first = await world.deploy()
  const second = await world.deploy()
  await world.status(first, 'in_progress')
  await eventually('the command runs', async () => /child \d+/.test(await world.log(1)))
  const child = Number(/child (\d+)/.exec(await world.log(1))?.[1])

  const done = await cancel(world, 'acme/shop/production#1')
  await world.status(first, 'error')
  await world.status(second, 'success')

  expect(done).toMatchObject({
    code: 0,
    out: `acme/shop/production#1 is being cancelled: it ends when the last of its processes is gone. ${SAID}\n`,
  })
  expect(isRunning(child)).toBe(false)
  expect(world.statuses(first).at(-1)).toBe(`error: ${SAID}`)
  expect(await world.log(1)).toMatch(new RegExp(`▸ ${SAID}\\n(.*\\n)*.*▸ ended by SIGINT`))
  expect(readFileSync(join(world.folder, 'order'), 'utf8')).toBe('begin 1\nbegin 2\n')
  const { text } = await world.slack.waitFor(isAboutCancelling)
  expect(text).toMatch(new RegExp(`^Cancelled acme/shop/production#1 at .*, by mona: ${SAID}$`))
  expect(await cancel(world, '1')).toEqual({
    code: 1,
    out: '',
    err: `ferryman: acme/shop/production#1 has ended already: cancelled, ${SAID}.\n  Nothing was changed. What has been deployed is taken back by deploying an earlier commit.\n`,
  })
})

test('what waits in line is cancelled at once, and never begins', async () => {
  const untilItMay = 'while [ ! -e may-end ]; do sleep 0.05; done'
  const world = await serve({
    commands: [['sh', '-c', `echo "begin $FERRYMAN_NUMBER" >> order; ${untilItMay}`]],
  })
  const first = await world.deploy()
  const second = await world.deploy()
  await world.status(first, 'in_progress')

  const done = await cancel(world, 'Acme/Shop/Production#2', '--json')
  await world.status(second, 'error')
  writeFileSync(join(world.folder, 'may-end'), '')
  await world.status(first, 'success')

  expect(JSON.parse(done.out)).toMatchObject({
    outcome: 'cancelled',
    deployment: {
      id: 2,
      name: 'acme/shop/production#2',
      state: 'cancelled',
      reason: 'by_person',
      detail: SAID,
    },
  })
  expect(await world.log(2)).toBe(
    `acme/shop/production#2 is cancelled; nothing was run, so there is no log.\n${SAID}\n`,
  )
  expect(world.statuses(second).at(-1)).toBe(`error: ${SAID}`)
  expect(readFileSync(join(world.folder, 'order'), 'utf8')).toBe('begin 1\n')
  await world.slack.waitFor(isAboutCancelling)
})

test('a held merge is cancelled, and what GitHub made of it without our hearing hears of it', async () => {
  const shop = await openShop()
  shop.github.setWebhookTiming('without')
  shop.github.fail({ method: 'POST', path: /\/deployments$/, with: 'reset-after-applying' })
  await shop.merge(await shop.commit('Faster'))
  await shop.waitForJournal((line) => line.includes('github_unavailable'))

  expect((await cancel(shop, '1')).out).toBe(
    `acme/shop/production#1 is cancelled. It had not begun. ${SAID}\n`,
  )

  const [deployment] = shop.repository.deployments
  if (deployment === undefined) throw new Error('GitHub made none.')
  await shop.status(deployment, 'error')
  expect(shop.statuses(deployment)).toEqual([`error: ${SAID}`])
})

test.each([
  { words: [], code: 2, says: 'the name of a deployment, such as acme/shop/production#12, or its id' },
  {
    words: ['acme/shop#1'],
    code: 2,
    says: 'the name of a deployment, such as acme/shop/production#12, or its id',
  },
  { words: ['99'], code: 1, says: 'There is no deployment 99.' },
  { words: ['acme/shop/production#99'], code: 1, says: 'There is no deployment acme/shop/production#99.' },
  { words: ['1', '2'], code: 2, says: '"2" is not understood.' },
  { words: ['1', '--reson', 'x'], code: 2, says: 'Did you mean "--reason"?' },
])('says what is wrong with $words', async ({ words, code, says }) => {
  const world = await serve()

  const ran = await ferryman(['cancel', ...words, '-c', world.configFile])

  expect(ran).toMatchObject({ code, out: '' })
  expect(ran.err).toContain(says)
})
