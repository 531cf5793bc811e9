import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { serve, type Served } from '../support/journey.ts'

/** Works where there is a file called works. */
const commands = [['cat', 'works']]

const works = ({ folder }: Served): void => writeFileSync(join(folder, 'works'), '')
const breaks = ({ folder }: Served): void => rmSync(join(folder, 'works'))

/** What Slack was told, in the order in which it was. */
const told = ({ slack }: Served): (string | undefined)[] => slack.messages.map(({ text }) => text)

test('three failures are one message, and the success after them another', async () => {
  const world = await serve({ commands })

  for (let failure = 1; failure <= 3; failure += 1) await world.status(await world.deploy(), 'failure')
  works(world)
  await world.status(await world.deploy(), 'success')
  await world.status(await world.deploy(), 'success')
  await world.slack.waitFor(({ text }) => text?.startsWith('Deployed acme/shop/production#5') === true)

  expect(told(world)).toEqual([
    expect.stringMatching(/^Deploying acme\/shop\/production#1 /),
    expect.stringMatching(
      /^Could not deploy acme\/shop\/production#1 .*cat: works: No such file or directory/,
    ),
    expect.stringMatching(
      /^Recovered: deployed acme\/shop\/production#4 .*, after 3 failures since \d{4}-\d\d-\d\d \d\d:\d\d UTC$/,
    ),
    expect.stringMatching(/^Deploying acme\/shop\/production#5 /),
    expect.stringMatching(/^Deployed acme\/shop\/production#5 /),
  ])
  expect(JSON.stringify(world.slack.messages[1]?.blocks)).toContain(
    'further failures are told when it works again',
  )
})

test('a restart in between changes nothing, and the next failure after it is a new one', async () => {
  const world = await serve({ commands })
  await world.status(await world.deploy(), 'failure')
  await world.restart()
  await world.status(await world.deploy(), 'failure')
  works(world)
  await world.status(await world.deploy(), 'success')
  breaks(world)
  await world.status(await world.deploy(), 'failure')
  await world.slack.waitFor(
    ({ text }) => text?.startsWith('Could not deploy acme/shop/production#4') === true,
  )

  expect(told(world)).toEqual([
    expect.stringMatching(/^Deploying .*#1 /),
    expect.stringMatching(/^Could not deploy .*#1 /),
    expect.stringMatching(/^Recovered: .*#3 .*, after 2 failures since /),
    expect.stringMatching(/^Deploying .*#4 /),
    expect.stringMatching(/^Could not deploy .*#4 /),
  ])
})

test('a failure that could not be told is not told after it is over', async () => {
  const world = await serve({ commands })
  world.slack.fail({ times: 1_000, with: 'reset' })
  await world.status(await world.deploy(), 'failure')
  await world.waitForJournal((line) => line.includes('"report:postponed"'))
  works(world)
  await world.status(await world.deploy(), 'success')

  world.slack.mend()
  await world.slack.waitFor(({ text }) => text?.startsWith('Recovered: ') === true)
  await world.stop()

  expect(told(world)).toEqual([
    expect.stringMatching(/^Recovered: deployed acme\/shop\/production#2 .*, after 1 failure since /),
  ])
})

test('every failure is told where that is wanted', async () => {
  const world = await serve({
    commands,
    entry: { notify: { slack: { events: ['failed'], every_failure: true } } },
  })

  for (let failure = 1; failure <= 3; failure += 1) await world.status(await world.deploy(), 'failure')
  await world.slack.waitFor(
    ({ text }) => text?.startsWith('Could not deploy acme/shop/production#3') === true,
  )

  expect(told(world)).toHaveLength(3)
})
