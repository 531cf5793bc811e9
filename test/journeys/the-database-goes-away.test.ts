import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, inject, onTestFinished, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
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

    const waiting = ferryman([
      'deploy',
      'acme/shop',
      'production',
      world.sha,
      '--wait',
      '-c',
      world.configFile,
    ])
    await server.waitForLine((line) => line.includes('deployment:asked-for'))

    await relay.close()
    const asked = await ferryman(['queue', '-c', world.configFile])
    writeFileSync(join(world.directory, 'go'), '')
    await server.waitForLine((line) => line.includes('deployment:not-recorded'))
    await relay.open()
    await eventually('its end is told', () =>
      world.statuses(deployment).some((one) => one.startsWith('success')),
    )

    expect(asked).toEqual({
      code: 1,
      out: '',
      err: 'ferryman: The database does not answer.\n  Look at it, and into the log of Ferryman; then try again in a moment.\n',
    })
    expect(await waiting).toMatchObject({
      code: 0,
      out: expect.stringMatching(/asked again\n(.*\n)*succeeded\n$/),
    })
    expect(await server.end('SIGTERM')).toBe(0)
  }, 60_000)
})
