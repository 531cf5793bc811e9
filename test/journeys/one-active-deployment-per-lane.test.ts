import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { serve } from '../support/journey.ts'

const OVERLAP = [
  'sh',
  '-c',
  'echo "begin $FERRYMAN_NUMBER" >> order; sleep 0.1; echo "end $FERRYMAN_NUMBER" >> order',
]

test('deployments of one environment run one after the other, in the order in which they came', async () => {
  const world = await serve({ commands: [OVERLAP], config: { max_concurrent: 10 } })

  const made = []
  for (let count = 0; count < 5; count += 1) made.push(await world.deploy())
  for (const deployment of made) await world.status(deployment, 'success')

  expect(linesIn(world.folder)).toEqual(
    [1, 2, 3, 4, 5].flatMap((number) => [`begin ${number}`, `end ${number}`]),
  )
})

test('environments that share a lane never overlap', async () => {
  const world = await serve({
    config: { max_concurrent: 10 },
    repositories: {
      'acme/shop': {
        folder: './work',
        commands: [
          ['sh', '-c', 'echo "begin $GITHUB_ENV" >> order; sleep 0.1; echo "end $GITHUB_ENV" >> order'],
        ],
        lane: 'shop',
        environments: { blue: {}, green: {} },
      },
    },
  })

  const made = [
    await world.deploy({ environment: 'blue' }),
    await world.deploy({ environment: 'green' }),
    await world.deploy({ environment: 'blue' }),
  ]
  for (const deployment of made) await world.status(deployment, 'success')

  expect(linesIn(world.folder)).toEqual(
    ['blue', 'green', 'blue'].flatMap((name) => [`begin ${name}`, `end ${name}`]),
  )
})

test('other lanes go on beside a busy one when max_concurrent allows it', async () => {
  const world = await serve({
    config: { max_concurrent: 2 },
    repositories: {
      'acme/shop': {
        environments: {
          slow: { folder: './work', commands: [['sleep', '300']] },
          fast: { folder: '.', commands: [['true']] },
        },
      },
    },
  })

  const slow = await world.deploy({ environment: 'slow' })
  await world.status(slow, 'in_progress')
  await world.status(await world.deploy({ environment: 'fast' }), 'success')

  expect(world.statuses(slow)).toHaveLength(2)
})

test('by default one deployment runs at a time over all lanes', async () => {
  const world = await serve({
    repositories: {
      'acme/shop': {
        environments: {
          slow: { folder: './work', commands: [['sh', '-c', 'until test -e ../go; do sleep 0.02; done']] },
          fast: { folder: '.', commands: [['touch', 'fast-ran']] },
        },
      },
    },
  })
  const slow = await world.deploy({ environment: 'slow' })
  await world.status(slow, 'in_progress')
  const fast = await world.deploy({ environment: 'fast' })
  await world.status(fast, 'queued')

  expect(world.statuses(fast)).toHaveLength(1)
})

const linesIn = (folder: string): string[] => readFileSync(join(folder, 'order'), 'utf8').trim().split('\n')
