import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { describe, expect, inject, onTestFinished, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { createWorld, startProcess, type World } from '../support/journey.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import { emptyDatabase } from '../support/stores.ts'
import { makeUser, removeUser, startedAs } from '../support/users.ts'

const PAGE = 4_096
const fileOf = ({ directory }: World): string => join(directory, 'data/ferryman.sqlite')
const start = ({ configFile, directory }: World) =>
  ferryman(['serve', '-c', configFile], { env: { HOME: directory } })

/** Some deployments, and a server that has ended; everything is in the database itself. */
async function someHistory(): Promise<World> {
  const world = await createWorld()
  const server = await startProcess(world)
  for (let count = 0; count < 3; count += 1) await world.status(await world.deploy(), 'success')
  await server.end('SIGTERM')
  return world
}

function overwrite(path: string, from: number, length: number): void {
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(length, 0xa5), 0, length, from)
  closeSync(file)
}

test('a start says in a sentence what is wrong with the database, and what to do', async () => {
  const world = await someHistory()
  const file = fileOf(world)
  const wayOut = `  Stop Ferryman, move this file and those beside it (-wal, -shm) away, and put your backup there: see docs/operating.md.\n`
  const damaged = (cause: string) => `ferryman: The database ${file} is damaged: ${cause}.\n${wayOut}`

  const { size } = statSync(file)
  truncateSync(file, Math.floor(size / 2))
  expect(await start(world)).toEqual({
    code: 1,
    out: '',
    err: damaged('database disk image is malformed'),
  })
  overwrite(file, 100, PAGE)
  expect(await start(world)).toMatchObject({ code: 1, err: damaged('database disk image is malformed') })
  const check = await ferryman(['check', '--offline', '-c', world.configFile])
  expect([check.code, check.out]).toEqual([
    1,
    expect.stringContaining(`✘ database: The database ${file} is damaged: database disk image is malformed.`),
  ])
  writeFileSync(file, 'This is a text, and no database.\n'.repeat(1_000))
  expect(await start(world)).toMatchObject({ code: 1, err: damaged('file is not a database') })
})

test('what else lies in the folder of the logs is no sign of a lost database', async () => {
  const world = await createWorld()
  mkdirSync(join(world.directory, 'data/logs/lost+found'), { recursive: true })
  const server = await startProcess(world)

  await world.status(await world.deploy(), 'success')
  await server.end('SIGTERM')
})

test('a database that is missing or empty where there was one is not made anew', async () => {
  const world = await someHistory()
  const file = fileOf(world)
  const refusal = {
    code: 1,
    err: `ferryman: There are logs of deployments in ${join(world.directory, 'data/logs')}, but ${file}, which knows what they are, is missing or empty.
  Put your backup there, or name the PostgreSQL that knows them in \`database\`; or, to begin anew, move the whole data directory away: see docs/operating.md.\n`,
  }

  truncateSync(file)
  expect(await start(world)).toMatchObject(refusal)
  for (const name of readdirSync(join(world.directory, 'data')))
    if (name.startsWith('ferryman.sqlite')) rmSync(join(world.directory, 'data', name))
  expect(await start(world)).toMatchObject(refusal)
  const logs = readdirSync(join(world.directory, 'data/logs')).filter((name) => !name.startsWith('.')) // the room is watched
  expect(logs).toEqual(['1', '2', '3'])
})

test.skipIf(inject('postgres') === undefined)(
  'an empty PostgreSQL where there was a history is not made ours',
  async () => {
    const world = await createWorld()
    mkdirSync(join(world.directory, 'data/logs/1'), { recursive: true })
    const database = await emptyDatabase.postgres()
    onTestFinished(database.drop)

    const args = ['serve', '-c', world.configFile]
    const env = { HOME: world.directory, FERRYMAN_DATABASE: database.address }
    const { code, err } = await ferryman(args, { env })

    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /^ferryman: There are logs of deployments in .*, but postgres:.*, is missing or empty\.$/m,
      ),
    ])
    expect(readdirSync(join(world.directory, 'data/logs'))).toContain('1')
  },
)

test.skipIf(process.getuid?.() !== 0 || inject('limitable') === undefined)(
  'a backup that root has put back, and left to itself, is refused',
  async () => {
    const world = await someHistory()
    const user = 'ferryman-t5'
    makeUser(user)
    onTestFinished(() => removeUser(user))
    execFileSync('chown', ['-R', user, world.directory])
    chownSync(fileOf(world), 0, 0)
    chmodSync(fileOf(world), 0o644)
    const [program = '', ...words] = startedAs(user)
    const run = (...given: string[]) =>
      spawnSync(program, [...words, resolve('bin/ferryman'), ...given, '-c', world.configFile], {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], HOME: world.directory },
      })
    const why = `The database ${fileOf(world)} cannot be used: EACCES: permission denied, access '${fileOf(world)}'.`

    expect(run('check', '--offline').stdout).toContain(`✘ database: ${why}\n`)
    expect(run('serve')).toMatchObject({
      status: 1,
      stderr: `ferryman: ${why}
  Let the user that runs Ferryman own the data directory and all that is in it, on a disk that has room and may be written.\n`,
    })
  },
)

test('damage that shows while the server runs is said, and nothing more is entrusted to the database', async () => {
  const world = await createWorld()
  const server = await startProcess(world)
  await world.status(await world.deploy(), 'success')
  const file = fileOf(world)
  const other = new DatabaseSync(file, { timeout: 5_000 })
  const { rootpage } = other
    .prepare("select rootpage from sqlite_schema where type = 'table' and name = 'deliveries'")
    .get() as { rootpage: number }
  // After a commit of somebody else the server forgets the pages that it has read.
  other.exec("update settings set value = value where name = 'log_link_key'")
  other.exec('pragma wal_checkpoint(truncate)')
  other.close()

  overwrite(file, (rootpage - 1) * PAGE, PAGE)
  const deployment = await world.deploy()

  const answer = world.github.deliveries.findLast(({ event }) => event === 'deployment')?.answer
  expect([answer?.status, Reflect.get(Object(JSON.parse(answer?.body ?? '{}')), 'error')]).toEqual([
    503,
    'database_damaged',
  ])
  expect((await fetch(`${server.address}/readyz`)).status).toBe(503)
  expect((await fetch(`${server.address}/healthz`)).status).toBe(200)
  await server.waitForLine((line) => line.includes('is damaged: database disk image is malformed'))
  expect(world.statuses(deployment)).toEqual([])
  await server.end('SIGTERM')
})

describe.skipIf(!inject('mounts'))('on a disk that may only be read', () => {
  test('a start is refused with the reason', async () => {
    const world = await createWorld()
    const directory = join(world.directory, 'data')
    const disk = mountSmallDisk(directory)
    const server = await startProcess(world)
    await server.end('SIGTERM')
    disk.setReadOnly(true)

    expect(await start(world)).toEqual({
      code: 1,
      out: '',
      err: `ferryman: The data directory ${directory} cannot be used: EROFS: read-only file system, access '${directory}'.
  Let the user that runs Ferryman own it, on a disk that has room and may be written.\n`,
    })
  })
})
