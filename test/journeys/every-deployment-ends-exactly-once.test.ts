import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import type { Deployment } from '../../src/demo/github/state.ts'
import { ferryman } from '../support/cli.ts'
import { createWorld, serve, startProcess, type World } from '../support/journey.ts'
import { eventually } from '../support/running.ts'

const FINAL = /^(success|failure|error|inactive): /
const STATUSES = /\/statuses$/

/** What GitHub heard last, and that it heard of one end only and of nothing after it. */
function endOf(world: World, deployment: Deployment): string {
  const statuses = world.statuses(deployment)
  expect(statuses.filter((status) => FINAL.test(status))).toHaveLength(1)
  expect(statuses.at(-1)).toMatch(FINAL)
  return statuses.at(-1) ?? ''
}

test('GitHub hears of one end, although answers are lost, late or no', async () => {
  const world = await serve({ commands: [['sh', '-c', 'test "$FERRYMAN_NUMBER" != 2']] })
  for (const fault of [
    'reset-after-applying',
    { status: 502, body: '<html><title>Bad Gateway</title></html>' },
    'reset-after-applying',
  ] as const)
    world.github.fail({ method: 'POST', path: STATUSES, with: fault })

  const [good, bad] = [await world.deploy(), await world.deploy()]
  await world.status(good, 'success')
  await world.status(bad, 'failure')
  await world.stop()

  expect(endOf(world, good)).toMatch(/^success: Deployed/)
  expect(endOf(world, bad)).toMatch(/^failure: sh -c/)
})

test('what is cancelled while it ends by itself ends in one way', async () => {
  const world = await serve({
    commands: [['sh', '-c', 'until test -e go; do sleep 0.01; done']],
    config: { max_concurrent: 1 },
  })
  const deployment = await world.deploy()
  await world.status(deployment, 'in_progress')

  writeFileSync(join(world.folder, 'go'), '')
  const cancelled = await ferryman(['cancel', '1', '-c', world.configFile])
  await eventually('GitHub has heard of the end', () =>
    world.statuses(deployment).some((one) => FINAL.test(one)),
  )
  await world.stop()

  const end = endOf(world, deployment)
  if (cancelled.code !== 0) expect(end).toMatch(/^success: /)
  else expect(end).toMatch(/^(error: Cancelled by |success: )/)
})

test('what was running when the server was killed, twice, ends as interrupted once', async () => {
  const world = await createWorld({ commands: [['sh', '-c', 'touch begun; sleep 300']] })
  const first = await startProcess(world)
  const deployment = await world.deploy()
  await world.status(deployment, 'in_progress')
  await eventually('it runs', () => existsSync(join(world.folder, 'begun')))
  await first.end('SIGKILL')

  const answer = world.github.hold({ method: 'POST', path: STATUSES, before: 'answer' })
  const second = await startProcess(world)
  await answer.arrived(15_000) // GitHub has it, and we do not know
  await second.end('SIGKILL')
  answer.release()
  const third = await startProcess(world)
  await third.waitForLine((line) => line.includes('"report:delivered"'))
  await third.end('SIGTERM')

  expect(endOf(world, deployment)).toMatch(/^error: Interrupted: /)
})
