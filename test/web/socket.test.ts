import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'

import { isServed, listenOnSocket } from '../../src/web/socket.ts'
import { temporaryFolder } from '../support/running.ts'

test('only this user may open the socket; what a life that was killed here has left is taken away', async () => {
  const directory = temporaryFolder()
  mkdirSync(join(directory, '.socket-Ab12cD'))
  writeFileSync(join(directory, '.socket-Ab12cD/ferryman.sock'), '')
  writeFileSync(join(directory, 'ferryman.sock'), '')
  const server = fastify()
  onTestFinished(() => server.close())

  const remove = await listenOnSocket(server, directory)

  expect(readdirSync(directory)).toEqual(['ferryman.sock'])
  expect(statSync(join(directory, 'ferryman.sock')).mode & 0o777).toBe(0o600)
  expect(await isServed(directory)).toBe(true)
  remove()
  expect(readdirSync(directory)).toEqual([])
})
