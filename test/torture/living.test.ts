import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { expect, onTestFinished, test } from 'vitest'

import { killAll, livingIn, survivorsOf } from '../../torture/living.ts'

/** A world of which a process lives, which knows it by its environment alone. */
async function inhabited(marker: string) {
  const world = { marker, dataDirectory: '/nowhere/at/all' }
  const child = spawn('sleep', ['300'], { env: { PATH: process.env['PATH'], TORTURE: marker } })
  onTestFinished(() => void child.kill('SIGKILL'))
  await expect.poll(() => livingIn(world).map(({ command }) => command)).toEqual(['sleep 300'])
  return { world, child, ended: once(child, 'exit') }
}

test('a process that lives on is told by its number and its beginning', async () => {
  const { world, child } = await inhabited('lives-on')
  const [one] = livingIn(world)
  const another = { pid: child.pid ?? 0, since: '1', command: 'somebody who had the number before' }

  const survivors = await survivorsOf([...(one === undefined ? [] : [one]), another], world, 0)

  expect(survivors).toEqual([{ pid: child.pid, since: one?.since, command: 'sleep 300' }])
})

test('who ends in time is no survivor', async () => {
  const { world, child } = await inhabited('ends-in-time')
  const earlier = livingIn(world)
  setImmediate(() => child.kill())

  expect(await survivorsOf(earlier, world, 10_000)).toEqual([])
})

test('everybody is ended', async () => {
  const { world, ended } = await inhabited('is-ended')

  await killAll(world)

  expect(await ended).toEqual([null, 'SIGKILL'])
  expect(livingIn(world)).toEqual([])
})
