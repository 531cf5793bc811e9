import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, inject, test } from 'vitest'

import type { Deployment } from '../../src/demo/github/state.ts'
import { ferryman } from '../support/cli.ts'
import { createWorld, startProcess, type Given, type ServerProcess, type World } from '../support/journey.ts'
import { eventually } from '../support/running.ts'
import { mountSmallDisk } from '../support/small-disk.ts'

/** A server whose data, or only its logs, lie on a disk of their own. */
async function onSmallDisk(given: Given = {}, place = 'data') {
  const world = await createWorld(given)
  const disk = mountSmallDisk(join(world.directory, place))
  const server = await startProcess(world)
  return { world, disk, server }
}

/** Which answer the last delivery got. */
const lastAnswer = ({ github }: World) => {
  const { status, body } = github.deliveries.at(-1)?.answer ?? { status: 0, body: '{}' }
  return [status, Reflect.get(Object(JSON.parse(body)), 'error')]
}
const readiness = async ({ address }: ServerProcess): Promise<unknown[]> => {
  const response = await fetch(`${address}/readyz`)
  return [response.status, Reflect.get(Object(await response.json()), 'status')]
}
const isReady = (server: ServerProcess, status: string) =>
  eventually(`it is ${status}`, async () => (await readiness(server))[1] === status)
const until = (file: string): string => `until test -e ${file}; do sleep 0.02; done`
const touch = ({ folder }: World, file: string): void => writeFileSync(join(folder, file), '')
const statesOf = (world: World, deployment: Deployment): unknown[] =>
  world.statuses(deployment).map((one) => one.split(':')[0])

describe.skipIf(!inject('mounts'))('when the disk is full', () => {
  test('deliveries are answered 503 and start nothing; a small one that still fits waits until there is room', async () => {
    const { world, disk, server } = await onSmallDisk({ commands: [['touch', 'ran']] })
    disk.fill()

    const deployment = await world.deploy()
    const refused = world.github.deliveries.at(-1)
    expect(lastAnswer(world)).toEqual([503, 'cannot_record'])
    expect((await fetch(`${server.address}/healthz`)).status).toBe(200)
    expect(await readiness(server)).toEqual([503, 'disk_full'])
    const check = await ferryman(['check', '--offline', '-c', world.configFile])
    expect([check.code, check.out]).toEqual([
      1,
      expect.stringContaining(`✘ ${disk.folder}: the disk is full, 0 MB and `),
    ])

    disk.fill(4_000_000)
    const again = await world.github.redeliver(refused?.guid ?? '')
    expect(again.status).toBe(202)
    await world.status(deployment, 'queued')
    expect(await readiness(server)).toEqual([503, 'disk_full'])
    expect(existsSync(join(world.folder, 'ran'))).toBe(false)

    disk.empty()
    await world.status(deployment, 'success')
    await isReady(server, 'ready')
    expect(server.lines.filter((line) => line.includes('"disk:full"')).length).toBe(1)
    expect(await server.end('SIGTERM')).toBe(0)
  })

  test('what runs ends truthfully, and its end is recorded and told, once, when there is room', async () => {
    const { world, disk, server } = await onSmallDisk({
      commands: [['sh', '-c', `${until('go')}; test -e quiet || { yes; touch went-on; }`]],
    })
    const loud = await world.deploy()
    await world.status(loud, 'in_progress')
    disk.fill()
    touch(world, 'go')
    await server.waitForLine((line) => line.includes('deployment:end-not-recorded'))
    disk.empty()
    await world.status(loud, 'error')

    rmSync(join(world.folder, 'go'))
    touch(world, 'quiet')
    const quiet = await world.deploy()
    await world.status(quiet, 'in_progress')
    disk.fill()
    touch(world, 'go')
    await server.waitForLine((line) => line.includes('end-not-recorded') && line.includes('production#2'))
    disk.empty()
    await world.status(quiet, 'success')

    rmSync(join(world.folder, 'go'))
    const hanging = await world.deploy()
    await world.status(hanging, 'in_progress')
    disk.fill()
    const taken = await ferryman(['cancel', 'acme/shop/production#3', '-c', world.configFile])
    await server.waitForLine((line) => line.includes('end-not-recorded') && line.includes('production#3'))
    disk.empty()
    await world.status(hanging, 'error')

    const states = ['queued', 'in_progress']
    expect([taken.code, taken.out]).toEqual([
      0,
      expect.stringContaining('That it was cancelled is recorded as'),
    ])
    expect(world.statuses(hanging).at(-1)).toMatch(/^error: Cancelled by /)
    expect(statesOf(world, hanging).filter((state) => state === 'error')).toHaveLength(1)
    expect(statesOf(world, loud)).toEqual([...states, 'error'])
    expect(statesOf(world, quiet)).toEqual([...states, 'success'])
    expect(world.statuses(loud).at(-1)).toMatch(
      /^error: The log .* cannot be written: ENOSPC: no space left on device/,
    )
    expect(existsSync(join(world.folder, 'went-on'))).toBe(false)
    expect(await server.end('SIGTERM')).toBe(0)
  })

  test('what was delivered is delivered once, though that could not be recorded', async () => {
    const { world, disk, server } = await onSmallDisk()
    const slack = world.slack.hold()
    await world.status(await world.deploy(), 'success')
    await slack.arrived()
    disk.fill()
    slack.release()

    await server.waitForLine((line) => line.includes('report:not-recorded'))
    disk.empty()
    await world.slack.waitFor(({ text }) => text?.startsWith('Deployed acme/shop/production#1') ?? false)

    expect(world.slack.messages.map(({ text }) => text?.split(' ')[0])).toEqual(['Deploying', 'Deployed'])
    expect(await server.end('SIGTERM')).toBe(0)
  })

  test('and only the logs lie on it, deliveries are recorded, and wait', async () => {
    const { world, disk, server } = await onSmallDisk({ commands: [['touch', 'ran']] }, 'data/logs')
    disk.fill()
    await isReady(server, 'disk_full')

    const deployment = await world.deploy()
    expect(lastAnswer(world)).toEqual([202, undefined])
    disk.empty()

    await world.status(deployment, 'success')
    expect(await server.end('SIGTERM')).toBe(0)
  })
})
