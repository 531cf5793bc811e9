import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import pg from 'pg'
import { describe, expect, inject, onTestFinished, test } from 'vitest'

import { createWorld, startProcess, type World } from '../support/journey.ts'
import { emptyDatabase } from '../support/stores.ts'

const answersTo = ({ github }: World): number[] =>
  github.deliveries.filter(({ event }) => event === 'deployment').map(({ answer }) => answer.status)

/** Another process that has begun to do something with the database; resolves with what ends it. */
async function another(what: 'lock' | 'vacuum', database: string): Promise<() => Promise<unknown>> {
  const child = spawn(process.execPath, [resolve('test/support/database-holder.ts'), database, what], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return async () => {
    const ended = once(child, 'exit')
    child.stdin.end()
    expect(await ended).toEqual([0, null])
  }
}

test('while another process writes, deliveries wait for two seconds and are then 503; nothing stands still or is lost', async () => {
  const world = await createWorld()
  const server = await startProcess(world)
  const database = join(world.directory, 'data/ferryman.sqlite')
  const before = await world.deploy()
  await world.status(before, 'success')

  const unlock = await another('lock', database)
  const refused = world.deploy()
  let answered = 0
  const asking = async (): Promise<void> => {
    while (answersTo(world).length < 2) answered += Number((await fetch(`${server.address}/healthz`)).ok)
  }
  await Promise.all([refused, asking()])
  expect((await fetch(`${server.address}/readyz`)).status).toBe(503)
  const waiting = world.deploy()
  await unlock()
  await waiting

  expect(answersTo(world)).toEqual([202, 503, 202])
  expect(answered).toBeGreaterThan(5) // were it waited for within SQLite, nobody would be answered
  const [, missed] = world.github.deliveries.filter(({ event }) => event === 'deployment')
  expect((await world.github.redeliver(missed?.guid ?? '')).status).toBe(202)
  await world.status(await refused, 'success')
  await world.status(await waiting, 'success')
  await server.end('SIGTERM')
})

test('a copy that another process makes disturbs nothing, and is whole', async () => {
  const world = await createWorld()
  const server = await startProcess(world)
  const database = join(world.directory, 'data/ferryman.sqlite')
  await world.deploy()

  const end = await another('vacuum', database)
  const deployments = await Promise.all(Array.from({ length: 8 }, () => world.deploy()))
  await end()
  for (const deployment of deployments) await world.status(deployment, 'success')

  expect(new Set(answersTo(world))).toEqual(new Set([202]))
  const copies = readdirSync(join(database, '..')).filter((name) => name.includes('-copy-'))
  const copy = new DatabaseSync(join(database, '..', copies[0] ?? ''), { readOnly: true })
  expect(copy.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' })
  copy.close()
  await server.end('SIGTERM')
})

describe.skipIf(inject('postgres') === undefined)('on PostgreSQL', () => {
  test('a locked table is answered 503 in time, a broken connection is made anew; nothing is lost', async () => {
    const { address, drop } = await emptyDatabase.postgres()
    onTestFinished(drop)
    const world = await createWorld({ config: { database: address } })
    const server = await startProcess(world)
    await world.status(await world.deploy(), 'success')
    const client = new pg.Client({ connectionString: address })
    await client.connect()
    onTestFinished(() => client.end())

    await client.query('begin; lock table deliveries in access exclusive mode')
    const refused = await world.deploy()
    expect((await fetch(`${server.address}/healthz`)).status).toBe(200)
    await client.query('rollback')
    const [, missed] = world.github.deliveries.filter(({ event }) => event === 'deployment')
    expect(missed?.answer.status).toBe(503)
    expect((await world.github.redeliver(missed?.guid ?? '')).status).toBe(202)
    await world.status(refused, 'success')

    await client.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    )
    const next = await world.deploy()
    const last = world.github.deliveries.findLast(({ event }) => event === 'deployment')
    // Each of its connections may have to find out by itself.
    for (let status = last?.answer.status; status !== 202;)
      ({ status } = await world.github.redeliver(last?.guid ?? ''))
    await world.status(next, 'success')
    await server.end('SIGTERM')
  }, 60_000)
})
