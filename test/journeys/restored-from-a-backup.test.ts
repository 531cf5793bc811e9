import { cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { expect, test } from 'vitest'

import { serve, type Served } from '../support/journey.ts'
import { eventually } from '../support/running.ts'

/** Says which one it is, and goes on when it may. */
const PATIENT = [
  ['sh', '-c', 'echo "this is $FERRYMAN_NUMBER" | tee -a ran; until test -e go; do sleep 0.02; done'],
]
const fileOf = ({ directory }: Served, end = ''): string => join(directory, `data/ferryman.sqlite${end}`)
const ranIn = ({ folder }: Served): string => readFileSync(join(folder, 'ran'), 'utf8')
const mayEnd = ({ folder }: Served): void => writeFileSync(join(folder, 'go'), '')

function backUp(world: Served): void {
  const database = new DatabaseSync(fileOf(world))
  database.exec(`vacuum into '${join(world.directory, 'backup.sqlite')}'`)
  database.close()
}

function restore(world: Served): void {
  for (const end of ['', '-wal', '-shm']) rmSync(fileOf(world, end), { force: true })
  cpSync(join(world.directory, 'backup.sqlite'), fileOf(world))
}

test('what ran or waited in a backup is not started again, and what GitHub knows of its end stays', async () => {
  const world = await serve({ commands: PATIENT })
  const running = await world.deploy()
  await world.status(running, 'in_progress')
  const waiting = await world.deploy()
  await world.status(waiting, 'queued')
  backUp(world)
  mayEnd(world)
  await world.status(waiting, 'success')
  const later = await world.deploy()
  await world.status(later, 'success')
  const before = [running, waiting, later].map(world.statuses)
  await world.stop()
  restore(world)
  const told = world.journal.length

  await world.restart()
  const isTold = (id: number) => (line: string) =>
    world.journal.indexOf(line, told) >= 0 &&
    line.includes('"report:delivered"') &&
    line.includes(`"channel":"github","deployment":${id},`)
  await world.waitForJournal(isTold(1))
  await world.waitForJournal(isTold(2))
  const next = await world.deploy()
  await world.status(next, 'success')

  expect([running, waiting, later].map(world.statuses)).toEqual(before)
  expect(ranIn(world)).toBe('this is 1\nthis is 2\nthis is 3\nthis is 3\n')
  expect(world.statuses(next).at(-1)).toMatch(/^success: Deployed .*production#3\)$/)
  const log = await world.log(4) // its own, while the one that was forgotten keeps the third
  expect(log.match(/this is \d/g)).toEqual(['this is 3'])
  expect(world.journal.filter((line) => line.includes('"deployment:forgotten"'))).toHaveLength(1)
})

test('what never began before the database was lost is started as if nothing had happened', async () => {
  const world = await serve({ commands: PATIENT })
  await world.status(await world.deploy(), 'in_progress')
  const waiting = await world.deploy()
  await world.status(waiting, 'queued')
  await eventually('the first has begun', () => existsSync(join(world.folder, 'ran')))
  backUp(world)
  await world.stop()
  restore(world)

  mayEnd(world)
  await world.restart()

  await world.status(waiting, 'success')
  expect(ranIn(world)).toBe('this is 1\nthis is 2\n')
})

test('after a new beginning nothing old is deployed, not even what GitHub still waits for', async () => {
  const world = await serve({ commands: PATIENT })
  mayEnd(world)
  const done = await world.deploy()
  await world.status(done, 'success')
  await world.stop()
  const open = await world.deploy()
  renameSync(join(world.directory, 'data'), join(world.directory, 'data-old'))
  const asked = world.github.requests.length

  await world.restart({ laterMs: 10_000 })
  await world.github.waitFor(
    (request) =>
      world.github.requests.indexOf(request) >= asked &&
      request.method === 'GET' &&
      /\/deployments(\?|$)/.test(request.path),
  )
  const next = await world.deploy()
  await world.status(next, 'success')

  expect(world.statuses(open)).toEqual([])
  expect(world.statuses(next).at(-1)).toMatch(/^success: Deployed .*production#1\)$/)
  expect(ranIn(world)).toBe('this is 1\nthis is 1\n')
})

test('on another machine all goes on: what came meanwhile is taken up, and nothing runs twice', async () => {
  const world = await serve({ commands: PATIENT })
  mayEnd(world)
  const done = await world.deploy()
  await world.status(done, 'success')
  const before = world.statuses(done)
  await world.stop()
  cpSync(join(world.directory, 'data'), join(world.directory, 'moved/data'), { recursive: true })
  const meanwhile = await world.deploy()

  world.writeConfig({ commands: PATIENT, config: { data_dir: './moved/data' } })
  await world.restart({ laterMs: 10_000 })
  await world.status(meanwhile, 'success')

  expect(world.statuses(done)).toEqual(before)
  expect(world.statuses(meanwhile).at(-1)).toMatch(/^success: Deployed .*production#2\)$/)
  expect(ranIn(world)).toBe('this is 1\nthis is 2\n')
  expect(await world.log(1)).toContain('this is 1')
  expect(existsSync(join(world.directory, 'moved/data/logs/2'))).toBe(true)
})
