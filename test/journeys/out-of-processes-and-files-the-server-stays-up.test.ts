import { execFileSync } from 'node:child_process'
import { chownSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { describe, expect, inject, test } from 'vitest'

import { createWorld, startProcess, type ServerProcess, type World } from '../support/journey.ts'
import { eventually, isRunning } from '../support/running.ts'

const NOBODY = 65_534
const limitable = inject('limitable')

/** Limits what the server may have from now on, and what it will start; nothing that it has is taken away. */
function limit({ pid }: ServerProcess, what: 'nproc' | 'nofile', most: number | string): void {
  const [program, ...words] = [...(limitable ?? []), 'prlimit', '--pid', String(pid)]
  execFileSync(program ?? '', [...words, `--${what}=${most}:`])
}

/** What it may have at most, whatever its limit is now. */
const hardLimit = ({ pid }: ServerProcess, name: string): string =>
  new RegExp(`^${name} +\\S+ +(\\S+)`, 'm').exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1] ?? ''

/** The limit with which it may open so many files more. */
function openFiles({ pid }: ServerProcess, more: number): number {
  const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
  let most = 0
  for (let free = 0; free < more || used.has(most); most += 1) if (!used.has(most)) free += 1
  return most
}

/** A server that limits bind. */
async function start(world: World): Promise<ServerProcess> {
  if (limitable?.length !== 0)
    for (const path of ['.', 'work', 'config.yml']) chownSync(join(world.directory, path), NOBODY, NOBODY)
  const [program, ...words] = [...(limitable ?? []), resolve('bin/ferryman'), 'serve', '-c', world.configFile]
  return startProcess(world, program, words)
}

const ended = (world: World, deployment: Awaited<ReturnType<World['deploy']>>) =>
  Promise.race([world.status(deployment, 'success'), world.status(deployment, 'error')])

describe.skipIf(limitable === undefined)('a server that may start no more processes', () => {
  test('says so in what it cannot start, takes every delivery, and goes on when it may again', async () => {
    const world = await createWorld({ commands: [['touch', 'done']] })
    const server = await start(world)
    await world.status(await world.deploy(), 'success')

    limit(server, 'nproc', 1)
    await ended(world, await world.deploy()) // a launcher was waiting for it
    const refused = await world.deploy()
    await world.status(refused, 'error')
    limit(server, 'nproc', hardLimit(server, 'Max processes'))
    const afterwards = await world.deploy()
    await world.status(afterwards, 'success')

    expect(world.statuses(refused).at(-1)).toBe(
      'error: touch could not be started: the system lets this user start no more processes (EAGAIN, see ulimit -u)',
    )
    expect(await server.end('SIGTERM')).toBe(0)
  })
})

describe.skipIf(limitable === undefined)('a server that may open no more files', () => {
  test('records what it can take, ends each truthfully, and goes on when it may again', async () => {
    const world = await createWorld({ commands: [['touch', 'done']] })
    const server = await start(world)
    await world.status(await world.deploy(), 'success')

    const [answers, ends] = [new Set<number>(), new Set<string>()]
    for (const more of [0, 1, 2, 3, 4, 6]) {
      limit(server, 'nofile', openFiles(server, more))
      const wanted = { ref: 'main', auto_merge: false, required_contexts: [] }
      const { deployment, deliveries } = await world.github.createDeployment('acme/shop', wanted, 'mona')
      const status = deliveries[0]?.status ?? 0
      answers.add(status)
      if (status !== 202) continue
      await ended(world, deployment)
      ends.add(world.statuses(deployment).at(-1) ?? '')
    }
    limit(server, 'nofile', hardLimit(server, 'Max open files'))
    await world.status(await world.deploy(), 'success')

    // Where not even a connection can be taken there is no answer: GitHub shows it red, as it does a 503.
    expect([...answers].every((status) => [0, 202, 503].includes(status))).toBe(true)
    expect(answers).toContain(202)
    expect([...ends].join('\n')).toContain(
      'error: touch could not be started: the server may open no more files (EMFILE, see ulimit -n)',
    )
    expect(await server.end('SIGTERM')).toBe(0)
  })

  test('does not take for gone what it cannot see: a run that has to end is ended as soon as it can', async () => {
    const world = await createWorld({
      commands: [['sh', '-c', 'echo "runs $$"; exec sleep 300']],
      entry: { timeout: 3 },
    })
    const log = join(world.directory, 'data/logs/1')
    const text = () => {
      try {
        return readdirSync(log)
          .map((name) => readFileSync(join(log, name), 'utf8'))
          .join('')
      } catch {
        return ''
      }
    }
    const server = await start(world)
    const deployment = await world.deploy()
    await eventually('it runs', () => text().includes('runs '))
    await world.status(deployment, 'in_progress')

    limit(server, 'nofile', 3) // those it has had from the beginning
    await eventually('its time is over', () => text().includes('The time limit of 3 s was reached'))
    const pid = Number(/runs (\d+)/.exec(text())?.[1])
    const whileBlind = isRunning(pid)
    limit(server, 'nofile', hardLimit(server, 'Max open files'))
    await world.status(deployment, 'failure')

    expect([whileBlind, isRunning(pid)]).toEqual([true, false])
    expect(await server.end('SIGTERM')).toBe(0)
  })
})
