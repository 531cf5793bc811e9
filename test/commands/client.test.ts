import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { askServer, readAlong } from '../../src/commands/client.ts'
import { temporaryFolder } from '../support/running.ts'

/** A server on a socket of its own that answers so; answers its data directory. */
async function serving(answer: RequestListener): Promise<string> {
  const directory = temporaryFolder()
  const server = createServer(answer).listen(join(directory, 'ferryman.sock'))
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return directory
}

const ask = (dataDir: string) =>
  askServer({ config: undefined, dataDir }, { method: 'POST', path: '/api/pins/free?x=1' })

test('where nobody listens no server runs', async () => {
  const dataDir = temporaryFolder()

  await expect(ask(dataDir)).rejects.toMatchObject({
    code: 'server_not_running',
    message: `No Ferryman is running on ${dataDir}: nobody listens there.`,
  })
})

test('a server that breaks off was there, and may have done what it was asked for', async () => {
  const dataDir = await serving(({ socket }) => void socket.destroy())
  const halfway = await serving((_, answer) => {
    answer.writeHead(200, { 'content-length': 10 }).write('half')
    setImmediate(() => answer.destroy())
  })

  await expect(ask(dataDir)).rejects.toMatchObject({
    code: 'server_silent',
    message: `The Ferryman on ${dataDir} did not answer: socket hang up.`,
  })
  const reading = readAlong(
    { config: undefined, dataDir: halfway },
    { method: 'POST', path: '/api/dry-run' },
    async () => {},
  )
  await expect(reading).rejects.toMatchObject({ code: 'server_silent' })
})

test('a configuration that cannot be read keeps nobody from the server: its folder is enough', async () => {
  const dataDir = await serving((_, answer) => void answer.end('taken'))
  const config = join(temporaryFolder(), 'config.yml')
  writeFileSync(config, '{ nope')
  const question = { method: 'POST', path: '/api/deployments/1/cancel' } as const

  await expect(askServer({ config, dataDir: undefined }, question)).rejects.toMatchObject({
    code: 'config_invalid',
    hint: expect.stringMatching(/\n {2}Or name the data directory of the running server, as with --data-dir/),
  })
  expect(String(await askServer({ config: undefined, dataDir }, question))).toBe('taken')
})

test('nobody waits for an answer that is not wanted any more', async () => {
  const heard = Promise.withResolvers<void>()
  const dataDir = await serving(() => heard.resolve())
  const unwanted = new AbortController()
  const { signal } = unwanted

  const asked = askServer({ config: undefined, dataDir }, { method: 'GET', path: '/api/queue', signal })
  await heard.promise
  unwanted.abort()

  await expect(asked).rejects.toMatchObject({ code: 'server_silent' })
})

test('a server that knows no such path is of another version', async () => {
  const dataDir = await serving((_, answer) => {
    answer.writeHead(404).end(JSON.stringify({ error: 'path_unknown', message: 'no', hint: 'no' }))
  })

  await expect(ask(dataDir)).rejects.toMatchObject({
    code: 'server_differs',
    message: `The Ferryman on ${dataDir} knows no /api/pins/free: it was started from another version.`,
    hint: 'Restart it, as after every upgrade.',
  })
})
