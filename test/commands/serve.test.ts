import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { expect, inject, onTestFinished, test } from 'vitest'

import { COMPILED } from '../support/cli.ts'
import { createWorld, SECRET } from '../support/journey.ts'
import { PUSH_ELSEWHERE, signedDelivery } from '../support/payloads.ts'
import { sendAll } from '../support/pressure.ts'
import { eventually } from '../support/running.ts'

const FERRYMAN = resolve('bin/ferryman')
const MORE_THAN_A_PIPE_HOLDS = 1_000

test('a server whose log nobody reads takes what comes, and ends when it is told to', async () => {
  const world = await createWorld()
  const pipe = join(world.directory, 'log')
  execFileSync('mkfifo', [pipe])
  const unread = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
  onTestFinished(() => closeSync(unread))
  const server = spawn(FERRYMAN, ['serve', '-c', world.configFile], {
    env: { PATH: process.env['PATH'] ?? '', HOME: world.directory, NODE_COMPILE_CACHE: COMPILED },
    stdio: ['ignore', unread, 'ignore'],
  })
  onTestFinished(() => void server.kill('SIGKILL'))
  const ended = once(server, 'exit')
  const config = JSON.parse(readFileSync(world.configFile, 'utf8')) as { server: { port: number } }
  const address = `http://127.0.0.1:${config.server.port}`
  const isThere = () =>
    fetch(`${address}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    )
  await eventually('it answers', isThere)

  const pushes = Array.from({ length: MORE_THAN_A_PIPE_HOLDS }, () =>
    signedDelivery('push', world.github.events.push('acme/shop', PUSH_ELSEWHERE), SECRET),
  )
  const answers = await sendAll(address, pushes, 20)
  server.kill('SIGTERM')

  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(await ended).toEqual([0, null])
})

test.skipIf(!inject('mounts'))(
  'where the system tells of no processes no server starts, and check says why',
  async () => {
    const world = await createWorld()
    const withoutProc = (...words: string[]) =>
      new Promise<{ code: unknown; out: string; err: string }>((done) => {
        const call = [
          'sh',
          '-c',
          'umount --lazy /proc && exec "$@"',
          'sh',
          FERRYMAN,
          ...words,
          '-c',
          world.configFile,
        ]
        execFile('unshare', ['--mount', ...call], { timeout: 25_000 }, (cause, out, err) =>
          done({ code: cause?.code, out, err }),
        )
      })

    const served = await withoutProc('serve')
    const checked = await withoutProc('check', '--offline')

    expect(served).toMatchObject({ code: 1, out: '' })
    expect(served.err).toContain('There is no /proc here that tells of processes.')
    expect(checked.code).toBe(1)
    expect(checked.out).toContain(
      '✘ There is no /proc here that tells of processes\n    Run the server on Linux',
    )
  },
)
