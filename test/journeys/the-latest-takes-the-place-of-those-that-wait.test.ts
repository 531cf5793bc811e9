import { rmSync, writeFileSync } from 'node:fs'

import { expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { serve } from '../support/journey.ts'

const WAIT = [['sh', '-c', 'until [ -e go ]; do sleep 0.05; done; echo "$FERRYMAN_NUMBER" >> ran']]

test('with order: latest what waits gives way to what is newer, visibly, and what runs is untouched', async () => {
  const world = await serve({ commands: WAIT, entry: { order: 'latest' } })
  const running = await world.deploy()
  await world.status(running, 'in_progress')
  const second = await world.deploy()
  const third = await world.deploy()
  await world.status(second, 'inactive')
  const fourth = await world.deploy()
  await world.status(third, 'inactive')

  const { out } = await ferryman(['queue', 'acme/shop', '-c', world.configFile])
  writeFileSync(`${world.folder}/go`, '')
  await world.status(fourth, 'success')

  expect(world.statuses(second).at(-1)).toBe('inactive: Superseded by #3.')
  expect(world.statuses(third).at(-1)).toBe('inactive: Superseded by #4.')
  expect(world.statuses(running).at(-1)).toMatch(/^success/)
  expect(out).toMatch(/^DEPLOYMENT +COMMIT +REF +BY +ASKED \(UTC\) +STANDS\n/)
  expect(out).toMatch(/\nacme\/shop\/production#1 +.* running since /)
  expect(out).toMatch(/\nacme\/shop\/production#4 +.* mona +.* next in its lane\n$/)
})

test('with order: queue all of it goes, in order, and the line tells when', async () => {
  const world = await serve({ commands: WAIT })
  writeFileSync(`${world.folder}/go`, '')
  await world.status(await world.deploy(), 'success')
  rmSync(`${world.folder}/go`)
  const made = [await world.deploy(), await world.deploy(), await world.deploy()]
  for (const one of made.slice(0, 1)) await world.status(one, 'in_progress')

  const { out } = await ferryman(['queue', '-c', world.configFile])
  writeFileSync(`${world.folder}/go`, '')
  for (const one of made) await world.status(one, 'success')

  expect(out).toMatch(/#3 .* next in its lane, begins about \d{4}-/)
  expect(out).toMatch(/#4 .* number 2 in its lane, begins about \d{4}-/)
  expect((await ferryman(['queue', '-c', world.configFile])).out).toBe('Nothing runs, and nothing waits.\n')
})
