import { userInfo } from 'node:os'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { serve, TOKEN, type Served } from '../support/journey.ts'

const ME = userInfo().username
const markBad = (world: Served, ...words: string[]) =>
  ferryman(['mark-bad', ...words, '-c', world.configFile])

test('what has ended is marked with who and why, and the mark is taken back', async () => {
  const world = await serve()
  await world.status(await world.deploy(), 'success')
  const short = world.sha.slice(0, 7)

  const marked = await markBad(world, 'Acme/Shop/Production#1', '--reason', 'it burns')
  const shown = await markBad(world, '1', '--json', '--reason', `it burns ${TOKEN}\u001b[31m`)
  const unmarked = await markBad(world, '1', '--undo')

  expect(marked).toEqual({
    code: 0,
    out: `acme/shop/production#1 (${short}) is marked bad: :previous passes over it.\n`,
    err: '',
  })
  expect(JSON.parse(shown.out)).toMatchObject({
    outcome: 'marked',
    deployment: {
      name: 'acme/shop/production#1',
      state: 'succeeded',
      marked_bad: { at: expect.stringMatching(/^\d{4}-.*Z$/), by: ME, reason: 'it burns •••\\u001b[31m' },
    },
  })
  expect(unmarked.out).toBe(`acme/shop/production#1 (${short}) is not marked bad.\n`)
  expect(await world.waitForJournal((line) => line.includes('deployment:marked-bad'))).toContain(ME)
})

test('what has not ended is not marked', async () => {
  const world = await serve({ commands: [['sleep', '300']] })
  await world.status(await world.deploy(), 'in_progress')

  expect(await markBad(world, '1')).toEqual({
    code: 1,
    out: '',
    err: 'ferryman: acme/shop/production#1 has not ended yet: it is running.\n  Nothing was changed. Wait for its end, or take it back with `ferryman cancel`.\n',
  })
})

test.each([
  { words: [], code: 2, says: 'the name of a deployment, such as acme/shop/production#12, or its id' },
  { words: ['99'], code: 1, says: 'There is no deployment 99.' },
  { words: ['acme/shop/production#99'], code: 1, says: 'There is no deployment acme/shop/production#99.' },
  { words: ['1', '2'], code: 2, says: '"2" is not understood.' },
  { words: ['1', '--und'], code: 2, says: 'Did you mean "--undo"?' },
  { words: ['1', '--reason', 'x'.repeat(1_001)], code: 2, says: 'a text of at most 1000 characters' },
])('says what is wrong with $words', async ({ words, code, says }) => {
  const world = await serve()

  const ran = await markBad(world, ...words)

  expect(ran).toMatchObject({ code, out: '' })
  expect(ran.err).toContain(says)
})
