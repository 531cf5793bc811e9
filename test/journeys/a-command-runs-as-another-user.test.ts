import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { API_TOKEN, createWorld, startProcess, type ServerProcess, type World } from '../support/journey.ts'
import { eventually, isRunning, temporaryFolder } from '../support/running.ts'
import { startedAs, idsOf, makeUser, removeUser } from '../support/users.ts'

const [SERVER, OTHER] = ['ferryman-t2', 'ferryman-t3']
const SUDOERS = '/etc/sudoers.d/ferryman-test'
const isPossible = process.getuid?.() === 0 && inject('sudo') && inject('limitable') !== undefined

/** The line of docs/recipes.md, for the users of this test. */
const documented = (): string => {
  const [line] = /^ferryman ALL=\(shop\) .*$/m.exec(readFileSync('docs/recipes.md', 'utf8')) ?? ['']
  return `${line.replace('ferryman', SERVER).replace('shop', OTHER)}\n`
}

const allow = (): void => writeFileSync(SUDOERS, documented(), { mode: 0o440 })

/** A server of that user, whose commands work in a folder that anybody may use. */
async function start(script: string, env: Readonly<Record<string, string>> = {}, user = OTHER) {
  const folder = temporaryFolder()
  chmodSync(folder, 0o777)
  writeFileSync(join(folder, 'work.sh'), script)
  const entry = { folder, commands: [['sh', './work.sh']], env, run_as: user }
  const world = await createWorld({ repositories: { 'acme/shop': entry } })
  const { uid, gid } = idsOf(SERVER)
  for (const path of ['.', 'work', 'config.yml']) chownSync(join(world.directory, path), uid, gid)
  return { world, folder, server: await serve(world) }
}

const serve = (world: World): Promise<ServerProcess> => {
  const [program = '', ...words] = startedAs(SERVER)
  return startProcess(world, program, [...words, resolve('bin/ferryman'), 'serve', '-c', world.configFile])
}

async function logOf({ address }: ServerProcess): Promise<string> {
  const headers = { authorization: `Bearer ${API_TOKEN}` }
  const answer = await fetch(`${address}/deployments/1/log`, { headers })
  return (await answer.text()).replaceAll(/^\S+Z(?: |(?=▸))/gm, '')
}

/** Takes a moment to end, so that a second signal would be told of; writes down its id, and that of a child in a session of its own, where it has one. */
const NODE = `
process.on("SIGINT", () => { console.log("told"); setTimeout(() => process.exit(), 1000) })
require("fs").writeFileSync("pids", process.pid + "\\n")
setInterval(() => {}, 1000)`
const ALONE = `exec ${process.execPath} -e '${NODE}'`
const WITH_CHILD = 'setsid sleep 300 & echo $$ $! > pids; wait'

async function pidsIn(folder: string): Promise<number[]> {
  const file = join(folder, 'pids')
  await eventually('it runs', () => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'))
  return readFileSync(file, 'utf8').trim().split(' ').map(Number)
}

/** What is in the folder that all users share, of this other user. */
const handedOver = (): readonly string[] =>
  readdirSync('/tmp').filter((name) => name.startsWith('ferryman-') && name.endsWith(`-${idsOf(OTHER).uid}`))

const ownerOf = (pid: number): number => statSync(`/proc/${pid}`).uid

describe.skipIf(!isPossible)('by sudo, for a server that is not root', () => {
  beforeAll(() => {
    makeUser(SERVER)
    makeUser(OTHER)
  })
  afterAll(() => {
    rmSync(SUDOERS, { force: true })
    removeUser(SERVER)
    removeUser(OTHER)
  })

  test('the other user gets the environment and the payload, and nobody sees either', async () => {
    const kept = temporaryFolder()
    writeFileSync(SUDOERS, `Defaults log_input, log_output, iolog_dir=${kept}\n${documented()}`, {
      mode: 0o440,
    })
    const script =
      'id -un; echo "$HOME ${SECRET}x"; cat "$FERRYMAN_PAYLOAD_FILE"; echo; stat -c "%U %a" "$FERRYMAN_PAYLOAD_FILE"; ps -eo args > seen; env > env; true'
    const { world, folder, server } = await start(script, { SECRET: 'sesame-0pen-now' })
    await world.status(await world.deploy({ payload: { reason: 'sale' } }), 'success')

    const log = await logOf(server)

    expect(log).toContain(`  # as ${OTHER}\n`)
    expect(log).toContain(`\n${OTHER}\n/home/${OTHER} •••x\n{"reason":"sale"}\n${OTHER} 600\n`)
    expect(readFileSync(join(folder, 'seen'), 'utf8')).toContain(`sudo -n -u ${OTHER} -- env -i /bin/sh`)
    expect(readFileSync(join(folder, 'seen'), 'utf8')).not.toContain('sesame')
    expect(
      execFileSync('sh', ['-c', 'find "$1" -name stdin -exec zcat -f {} +', 'sh', kept]).toString(),
    ).toBe('')
    expect(readFileSync(join(folder, 'env'), 'utf8')).not.toMatch(/^(?:SUDO|MAIL)/m)
    expect(handedOver()).toEqual([])
  })

  test('cancel, the death of the server, and the next start end all that was started', async () => {
    allow()
    const { world, folder, server } = await start(ALONE)
    const first = await world.deploy()
    const cancelled = await pidsIn(folder)
    expect(cancelled.map(ownerOf)).toEqual([idsOf(OTHER).uid])
    const [program = '', ...words] = startedAs(SERVER)
    execFileSync(program, [...words, resolve('bin/ferryman'), 'cancel', '1', '-c', world.configFile])
    await world.status(first, 'error')
    expect(cancelled.filter(isRunning)).toEqual([])
    expect((await logOf(server)).split('\ntold\n')).toHaveLength(2)

    rmSync(join(folder, 'pids'))
    writeFileSync(join(folder, 'work.sh'), WITH_CHILD)
    await world.deploy()
    const orphaned = await pidsIn(folder)
    await server.end('SIGKILL')
    await eventually('the guard has ended it', () => !orphaned.some(isRunning))

    rmSync(join(folder, 'pids'))
    const again = await serve(world)
    const third = await world.deploy()
    const left = await pidsIn(folder)
    for (const guard of guardsOf(again.pid)) process.kill(guard, 'SIGKILL')
    await again.end('SIGKILL')
    expect(left.filter(isRunning)).toEqual(left)
    await serve(world)
    await world.status(third, 'error')
    expect(left.filter(isRunning)).toEqual([])
    expect(handedOver()).toEqual([])
    expect(world.statuses(third).at(-1)).toMatch(/^error: Interrupted/)
  }, 120_000)

  test('root is nobody to become, since nobody could end what it does', async () => {
    writeFileSync(SUDOERS, documented().replace(OTHER, 'root'), { mode: 0o440 })
    const { world } = await start('true', {}, 'root')
    const deployment = await world.deploy()
    await world.status(deployment, 'error')

    expect(world.statuses(deployment).at(-1)).toBe(
      'error: Ferryman becomes no root: what has all rights could not be ended. Let a command say `sudo -n` itself, for exactly what needs it.',
    )
  })

  test('where sudo does not allow it, nothing runs, and the reason is said', async () => {
    rmSync(SUDOERS, { force: true })
    const { world } = await start('true')
    const deployment = await world.deploy()
    await world.status(deployment, 'error')

    expect(world.statuses(deployment).at(-1)).toBe(
      `error: Ferryman may not become ${OTHER}: sudo: a password is required. See run_as in docs/recipes.md.`,
    )
  })
})

/** The shells that a server has as children, guard and waiting launcher. */
const guardsOf = (pid: number): number[] =>
  execFileSync('ps', ['-o', 'pid=,comm=', '--ppid', String(pid)], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.endsWith(' sh'))
    .map((line) => Number(line.trim().split(' ')[0]))
