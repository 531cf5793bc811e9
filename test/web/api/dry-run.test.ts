import { request } from 'node:http'

import { expect, onTestFinished, test } from 'vitest'

import { serveDryRun } from '../../../src/web/api/dry-run.ts'
import { closeServer, createServer, listen } from '../../../src/web/server.ts'

test('nothing begins for somebody who has gone away while it was prepared', async () => {
  const server = createServer({ journal: { info() {}, warn() {}, error() {} }, refused() {} })
  const asked = Promise.withResolvers<void>()
  const prepared = Promise.withResolvers<void>()
  const wentAway = Promise.withResolvers<void>()
  let hasBegun = false
  server.addHook('onRequest', async (_, reply) => {
    reply.raw.once('close', wentAway.resolve)
  })
  serveDryRun(server, {
    async dryRun() {
      asked.resolve()
      await prepared.promise
      return () => {
        hasBegun = true
        return Promise.resolve('succeeded')
      }
    },
  })
  const address = await listen(server, '127.0.0.1', 0)
  onTestFinished(() => closeServer(server))
  const headers = { 'content-type': 'application/json', 'ferryman-person': 'mona' }
  const asking = request(`${address}/dry-run`, { method: 'POST', headers })
  asking.on('error', () => {}) // that it went away
  asking.end(JSON.stringify({ repository: 'acme/shop' }))

  await asked.promise
  asking.destroy()
  await wentAway.promise
  prepared.resolve()
  await new Promise(setImmediate)

  expect(hasBegun).toBe(false)
})
