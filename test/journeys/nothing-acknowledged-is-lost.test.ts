import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { expect, test } from 'vitest'

import { startApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createJournal } from '../../src/logs/journal.ts'
import { createMasker } from '../../src/logs/redact.ts'
import { createWorld, serve, startProcess, type World } from '../support/journey.ts'
import { eventually, isRunning } from '../support/running.ts'

test('after kill -9 the queue goes on, and what was running is reported as interrupted and not started again', async () => {
  const world = await createWorld({
    commands: [['sh', '-c', 'echo run >> runs; echo $$ > pid; test -e quick || sleep 300']],
  })
  const first = await startProcess(world)
  const running = await world.deploy()
  await world.status(running, 'in_progress')
  await eventually('the command runs', () => pidIn(world.folder) > 0)
  const waiting = await world.deploy()
  const pid = pidIn(world.folder)

  await first.end('SIGKILL')
  await eventually('nothing of the first life is left', () => !isRunning(pid))
  const second = await startProcess(world)
  await world.status(running, 'error')

  expect(world.statuses(running).at(-1)).toBe(
    'error: Interrupted: Ferryman ended while it ran. It is not started again by itself.',
  )
  await world.status(waiting, 'in_progress')
  expect(logIn(world)).toMatch(
    /\n\S+Z▸ Interrupted: Ferryman ended while it ran\. It is not started again by itself\.\n$/,
  )
  await eventually('the second deployment runs', () => runsIn(world.folder) === 2)
  expect(runsIn(world.folder)).toBe(2)
  await second.end('SIGKILL')
})

test('every delivery that was acknowledged before kill -9 has its deployment afterwards, once', async () => {
  const world = await createWorld({ commands: [['sleep', '300']] })
  const server = await startProcess(world)
  const sending = Array.from({ length: 40 }, () =>
    world.github.createDeployment('acme/shop', { ref: 'main', auto_merge: false, required_contexts: [] }),
  )

  const firstAnswers = await Promise.all(sending.slice(0, 15))
  await server.end('SIGKILL')
  const all = await Promise.all(sending)
  const again = await startProcess(world)
  const acknowledged = all
    .filter(({ deliveries }) => deliveries[0]?.status === 202)
    .map(({ deployment }) => deployment)

  expect(firstAnswers.every(({ deliveries }) => deliveries[0]?.status === 202)).toBe(true)
  for (const deployment of acknowledged) {
    const guid =
      world.github.deliveries.find(
        ({ request }) =>
          Reflect.get(Object(Reflect.get(Object(request.payload), 'deployment')), 'id') === deployment.id,
      )?.guid ?? ''
    const { status, body } = await world.github.redeliver(guid)
    expect([status, JSON.parse(body)]).toMatchObject([200, { verdict: 'repeated', deployments: [{}] }])
  }
  await again.end('SIGKILL')
})

test('what cannot be recorded is answered 503, and the same delivery works when the disk is back', async () => {
  const { github, deploy, status, directory } = await serve()
  const other = new DatabaseSync(join(directory, 'data', 'ferryman.sqlite'))
  other.exec('begin exclusive')
  const blocked = await deploy()
  const refused = github.deliveries.find(({ event }) => event === 'deployment')
  expect([
    refused?.answer.status,
    Reflect.get(JSON.parse(refused?.answer.body ?? '{}') as object, 'error'),
  ]).toEqual([503, 'cannot_record'])
  other.exec('rollback')
  other.close()

  const { status: answered } = await github.redeliver(refused?.guid ?? '')
  expect(answered).toBe(202)
  await status(blocked, 'success')
})

test('a delivery that was ignored because nobody was configured works when it is redelivered later', async () => {
  const world = await serve({ repositories: { 'acme/other': { folder: '.', commands: [['true']] } } })
  const deployment = await world.deploy()
  const ignored = world.github.deliveries[0]
  expect(JSON.parse(ignored?.answer.body ?? '')).toMatchObject({
    verdict: 'ignored',
    reason: 'repository_not_configured',
  })

  world.writeConfig({ commands: [['true']] })
  await world.restart()
  const { status } = await world.github.deliver('deployment', ignored?.request.payload, {
    guid: ignored?.guid ?? '',
  })

  expect(status).toBe(202)
  await world.status(deployment, 'success')
})

test('a graceful stop lets what runs end, and leaves what waits for the next start', async () => {
  const world = await createWorld({
    commands: [['sh', '-c', 'until test -e go; do sleep 0.05; done; echo run >> runs']],
  })
  const server = await startProcess(world)
  const running = await world.deploy()
  const waiting = await world.deploy()
  await world.status(running, 'in_progress')

  const ended = server.end('SIGTERM')
  await server.waitForLine((line) => line.includes('server:stopping'))
  const accepted = await world.deploy()
  writeFileSync(join(world.folder, 'go'), '')

  expect(await ended).toBe(0)
  expect(world.statuses(running).at(-1)).toMatch(/^success: /)
  expect(world.statuses(waiting).map((one) => one.split(':')[0])).toEqual(['queued'])
  const next = await startProcess(world)
  await world.status(waiting, 'success')
  await world.status(accepted, 'success')
  expect(runsIn(world.folder)).toBe(3)
  await next.end('SIGTERM')
})

test('a second signal interrupts at once, truthfully', async () => {
  const world = await createWorld({ commands: [['sleep', '300']] })
  const server = await startProcess(world)
  const running = await world.deploy()
  await world.status(running, 'in_progress')

  const ended = server.end('SIGTERM')
  await server.waitForLine((line) => line.includes('server:stopping'))
  process.kill(server.pid, 'SIGINT')

  expect(await ended).toBe(0)
  expect(world.statuses(running).at(-1)).toBe(
    'error: Interrupted: Ferryman was stopped while it ran. It is not started again by itself.',
  )
})

test.each([
  ['', () => {}],
  [
    ', although somebody has deleted the lock',
    (world: World) => rmSync(join(world.directory, 'data', 'server.lock')),
  ],
])('a second server on the same data is refused%s', async (_, prepare) => {
  const world = await serve()
  prepare(world)
  const masker = createMasker([])
  const journal = createJournal({ write: () => {}, masker, clock: Date.now, pretty: false, colour: false })

  const second = startApp(loadConfig(world.configFile, { environment: {} }), {
    environment: {},
    clock: Date.now,
    journal,
    masker,
    version: 'test',
  })

  await expect(second).rejects.toThrow(
    `Another Ferryman is already running on ${join(world.directory, 'data')}.`,
  )
})

const read = (folder: string, name: string): string => {
  try {
    return readFileSync(join(folder, name), 'utf8')
  } catch {
    return ''
  }
}
const logIn = ({ directory }: World): string => read(join(directory, 'data/logs/1'), '0000000000000000.log')
const runsIn = (folder: string): number => read(folder, 'runs').split('\n').length - 1
const pidIn = (folder: string): number => Number(read(folder, 'pid'))
