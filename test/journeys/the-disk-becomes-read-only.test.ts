import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, inject, onTestFinished, test } from 'vitest'

import type { Deployment } from '../../src/demo/github/state.ts'
import { mountBreakingDisk } from '../support/broken-disk.ts'
import { ferryman } from '../support/cli.ts'
import {
  API_TOKEN,
  createWorld,
  startProcess,
  type Given,
  type ServerProcess,
  type World,
} from '../support/journey.ts'
import { MOST_MEGABYTES, mostMemoryOf } from '../support/pressure.ts'
import { diskThatMayBeReadOnly } from '../support/read-only-disk.ts'
import { eventually } from '../support/running.ts'
import { emptyDatabase } from '../support/stores.ts'

/** A server whose data directory is on a disk that can become read-only. */
async function onSuchADisk(given: Given = {}) {
  const world = await createWorld(given)
  const disk = diskThatMayBeReadOnly(join(world.directory, 'data'))
  const start = () => startProcess(world, undefined, undefined, disk.environment)
  return { world, disk, start, server: await start() }
}

/** A command that appends its word to a file, says so, and ends when it is told to. */
const worker = (word: string, then = 'true'): string[] => [
  'sh',
  '-c',
  `echo ${word} >> ran; echo ${word} began; until test -e go; do sleep 0.02; done; ${then}`,
]
const go = ({ folder }: World): void => writeFileSync(join(folder, 'go'), '')
const ran = ({ folder }: World): string[] => {
  const file = join(folder, 'ran')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
}
const statesOf = (world: World, deployment: Deployment): unknown[] =>
  world.statuses(deployment).map((one) => one.split(':')[0])
const isReady = ({ address }: ServerProcess, status: string) =>
  eventually(`it is ${status}`, async () => {
    const response = await fetch(`${address}/readyz`)
    return Reflect.get(Object(await response.json()), 'status') === status
  })
const count = ({ lines }: ServerProcess, words: string): number =>
  lines.filter((line) => line.includes(words)).length

async function logOf({ address }: ServerProcess, id: number): Promise<string> {
  const headers = { authorization: `Bearer ${API_TOKEN}` }
  const text = await (await fetch(`${address}/deployments/${id}/log`, { headers })).text()
  return text.replaceAll(/^\S+Z ?/gm, '').replaceAll(/\d\.\d s/g, 'N s')
}

describe.skipIf(!inject('gcc'))('when the disk becomes read-only', { timeout: 90_000 }, () => {
  test('and nothing runs, deliveries are answered 503 with the reason and start nothing, until it can be written', async () => {
    const { world, disk, server } = await onSuchADisk({ commands: [['sh', '-c', 'echo one >> ran']] })
    disk.setReadOnly(true)

    const deployment = await world.deploy()
    const refused = world.github.deliveries.at(-1)
    expect([refused?.answer.status, JSON.parse(refused?.answer.body ?? '')]).toEqual([
      503,
      {
        error: 'cannot_record',
        message: 'The delivery could not be recorded, so nothing was started.',
        hint: 'Look into the log of Ferryman (disk full or read-only? database down?), then redeliver it on GitHub.',
      },
    ])
    await isReady(server, 'disk_unwritable')
    expect((await fetch(`${server.address}/readyz`)).status).toBe(503)
    expect((await fetch(`${server.address}/healthz`)).status).toBe(200)
    const check = await ferryman(['check', '--offline', '-c', world.configFile], { env: disk.environment })
    const folder = join(world.directory, 'data')
    expect([check.code, check.out]).toEqual([
      1,
      expect.stringContaining(
        `✘ ${folder}: the disk cannot be written: EROFS: read-only file system, open '${folder}/.writable'`,
      ),
    ])

    disk.setReadOnly(false)
    await isReady(server, 'ready')
    expect((await world.github.redeliver(refused?.guid ?? '')).status).toBe(202)
    await world.status(deployment, 'success')

    expect(ran(world)).toEqual(['one'])
    expect(statesOf(world, deployment)).toEqual(['queued', 'in_progress', 'success'])
    expect([count(server, '"disk:unwritable"'), count(server, '"disk:writable"')]).toEqual([1, 1])
    expect(await server.end('SIGTERM')).toBe(0)
  })

  test('what runs, runs on; its end is recorded and told, once, and its log is whole when it can be written', async () => {
    const { world, disk, server } = await onSuchADisk({
      commands: [worker('one', 'for line in 1 2 3; do echo line $line; sleep 0.1; done')],
    })
    const running = await world.deploy()
    await world.status(running, 'in_progress')
    const waiting = await world.deploy()
    await eventually('it has begun', () => ran(world).length === 1)

    disk.setReadOnly(true)
    await isReady(server, 'disk_unwritable')
    go(world)
    await server.waitForLine((line) => line.includes('end-not-recorded') && line.includes('succeeded'))
    expect(statesOf(world, running)).toEqual(['queued', 'in_progress'])
    expect(ran(world)).toEqual(['one'])
    disk.setReadOnly(false)
    await world.status(running, 'success')
    await world.status(waiting, 'success')

    expect(statesOf(world, running)).toEqual(['queued', 'in_progress', 'success'])
    expect(statesOf(world, waiting).at(-1)).toBe('success')
    expect(ran(world)).toEqual(['one', 'one'])
    await eventually('the log is whole', async () => (await logOf(server, 1)).includes('exit 0'))
    expect((await logOf(server, 1)).split('\n').slice(2)).toEqual([
      'one began',
      'line 1',
      'line 2',
      'line 3',
      '▸ exit 0 (N s)',
      '',
    ])
    expect(count(server, 'end-not-recorded')).toBe(1)
    expect(await server.end('SIGTERM')).toBe(0)
  })

  test('what prints more than can be kept is ended, and its log says that something is missing', async () => {
    const { world, disk, server } = await onSuchADisk({ commands: [worker('one', 'yes'), worker('two')] })
    const deployment = await world.deploy()
    await world.status(deployment, 'in_progress')
    await eventually('it has begun', () => ran(world).length === 1)

    disk.setReadOnly(true)
    go(world)
    await server.waitForLine((line) => line.includes('end-not-recorded'))
    disk.setReadOnly(false)
    await world.status(deployment, 'error')

    expect(statesOf(world, deployment)).toEqual(['queued', 'in_progress', 'error'])
    const why = `The log ${join(world.directory, 'data/logs/1')} cannot be written: EROFS: read-only file system, write.`
    expect(world.statuses(deployment).at(-1)).toBe(`error: ${why}`)
    const missing = `▸ ${why} What would follow here is missing, and nothing more was begun.\n`
    await eventually('the log says so', async () => (await logOf(server, 1)).endsWith(missing))
    expect(ran(world)).toEqual(['one'])
    expect(mostMemoryOf(server.pid)).toBeLessThan(MOST_MEGABYTES)
    expect(await server.end('SIGTERM')).toBe(0)
  })

  test('between two commands, the second is not begun, and that is how it ends', async () => {
    const { world, disk, server } = await onSuchADisk({ commands: [worker('one'), worker('two')] })
    const deployment = await world.deploy()
    await world.status(deployment, 'in_progress')
    await eventually('it has begun', () => ran(world).length === 1)

    disk.setReadOnly(true)
    go(world)
    await server.waitForLine((line) => line.includes('end-not-recorded'))
    disk.setReadOnly(false)
    await world.status(deployment, 'error')

    expect(statesOf(world, deployment)).toEqual(['queued', 'in_progress', 'error'])
    expect(ran(world)).toEqual(['one'])
    await eventually('the log says so', async () =>
      (await logOf(server, 1)).includes('nothing more was begun'),
    )
    expect(await logOf(server, 1)).toContain('one began\n▸ exit 0 (N s)\n▸ $ sh -c ')
    expect(await server.end('SIGTERM')).toBe(0)
  })

  test('and reports are owed, each is delivered once', async () => {
    const { world, disk, server } = await onSuchADisk()
    const slack = world.slack.hold()
    const deployment = await world.deploy()
    await world.status(deployment, 'success')
    await slack.arrived()

    disk.setReadOnly(true)
    slack.release()
    await server.waitForLine((line) => line.includes('report:not-recorded'))
    const waiting = await world.deploy()
    disk.setReadOnly(false)
    const refused = world.github.deliveries.findLast(({ event }) => event === 'deployment')
    expect((await world.github.redeliver(refused?.guid ?? '')).status).toBe(202)
    await world.status(waiting, 'success')
    for (const number of [1, 2])
      await world.slack.waitFor(
        ({ text }) => text?.startsWith(`Deployed acme/shop/production#${number}`) ?? false,
      )

    const words = world.slack.messages.map(({ text }) => text?.split(' ').slice(0, 2).join(' '))
    expect(words.length).toBe(4)
    for (const number of [1, 2])
      expect(words).toEqual(
        expect.arrayContaining([
          `Deploying acme/shop/production#${number}`,
          `Deployed acme/shop/production#${number}`,
        ]),
      )
    expect(statesOf(world, deployment)).toEqual(['queued', 'in_progress', 'success'])
    expect(await server.end('SIGTERM')).toBe(0)
  })

  test('the server can be stopped; its next start says what was interrupted, and runs nothing again', async () => {
    const { world, disk, server, start } = await onSuchADisk({ commands: [worker('one')] })
    const deployment = await world.deploy()
    await world.status(deployment, 'in_progress')
    await eventually('it has begun', () => ran(world).length === 1)

    disk.setReadOnly(true)
    go(world)
    await server.waitForLine((line) => line.includes('end-not-recorded'))
    expect(await server.end('SIGTERM')).toBe(0)
    disk.setReadOnly(false)
    const next = await start()
    await world.status(deployment, 'error')

    expect(world.statuses(deployment).at(-1)).toMatch(/^error: Interrupted: /)
    expect(statesOf(world, deployment)).toEqual(['queued', 'in_progress', 'error'])
    expect(ran(world)).toEqual(['one'])
    expect(await next.end('SIGTERM')).toBe(0)
  })

  test.skipIf(inject('postgres') === undefined)(
    'and the database is elsewhere, deliveries are recorded, and wait',
    async () => {
      const { address, drop } = await emptyDatabase.postgres()
      onTestFinished(drop)
      const { world, disk, server } = await onSuchADisk({
        commands: [['sh', '-c', 'echo one >> ran']],
        config: { database: address },
      })
      disk.setReadOnly(true)
      await isReady(server, 'disk_unwritable')

      const deployment = await world.deploy()
      await world.status(deployment, 'queued')
      await isReady(server, 'disk_unwritable')
      expect(ran(world)).toEqual([])
      disk.setReadOnly(false)

      await world.status(deployment, 'success')
      expect(ran(world)).toEqual(['one'])
      expect(await server.end('SIGTERM')).toBe(0)
    },
  )
})

test.skipIf(!inject('images'))(
  'on a real disk that breaks, nothing more is begun; when it is mended, a start goes on, and runs nothing again',
  { timeout: 90_000 },
  async () => {
    const world = await createWorld({ commands: [worker('one')] })
    const folder = join(world.directory, 'data')
    const disk = mountBreakingDisk(folder)
    const server = await startProcess(world)
    const running = await world.deploy()
    await world.status(running, 'in_progress')
    const waiting = await world.deploy()
    await world.status(waiting, 'queued')
    await eventually('it has begun', () => ran(world).length === 1)

    disk.breaks()
    const missed = await world.deploy()
    expect(world.github.deliveries.at(-1)?.answer.status).toBe(503)
    await isReady(server, 'disk_unwritable')
    go(world)
    await server.waitForLine((line) => line.includes('end-not-recorded') && line.includes('succeeded'))
    expect(ran(world)).toEqual(['one'])
    expect(await server.end('SIGTERM')).toBe(0)
    expect(await ferryman(['serve', '-c', world.configFile], { env: { HOME: world.directory } })).toEqual({
      code: 1,
      out: '',
      err: `ferryman: The data directory ${folder} cannot be used: EROFS: read-only file system, open '${folder}/.writable'.
  Let the user that runs Ferryman own it, on a disk that has room and may be written.\n`,
    })

    disk.mend()
    const next = await startProcess(world)
    for (const deployment of [waiting, missed]) await world.status(deployment, 'success')
    expect(world.statuses(running).at(-1)).toMatch(/^error: Interrupted: /)
    expect(statesOf(world, running)).toEqual(['queued', 'in_progress', 'error'])
    expect(ran(world)).toEqual(['one', 'one', 'one'])
    expect(await next.end('SIGTERM')).toBe(0)
  },
)
