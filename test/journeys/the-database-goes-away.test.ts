import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, inject, onTestFinished, test } from 'vitest'

import { createWorld, startProcess } from '../support/journey.ts'
import { startRelay } from '../support/relay.ts'
import { eventually } from '../support/running.ts'
import { emptyDatabase } from '../support/stores.ts'

describe.skipIf(inject('postgres') === undefined)('while PostgreSQL is away', () => {
  test('a deployment waits with its next command, and ends as it does', async () => {
    const { address, drop } = await emptyDatabase.postgres()
    onTestFinished(drop)
    const relay = await startRelay(address)
    const world = await createWorld({
      config: { database: relay.address },
      commands: [
        ['sh', '-c', 'touch ../begun; until test -e ../go; do sleep 0.02; done'],
        ['sh', '-c', 'echo second'],
      ],
    })
    const server = await startProcess(world)
    const deployment = await world.deploy()
    await world.status(deployment, 'in_progress')

    await relay.close()
    writeFileSync(join(world.directory, 'go'), '')
    await server.waitForLine((line) => line.includes('deployment:not-recorded'))
    await relay.open()
    await eventually('its end is told', () =>
      world.statuses(deployment).some((one) => one.startsWith('success')),
    )

    expect(await server.end('SIGTERM')).toBe(0)
  }, 60_000)
})
