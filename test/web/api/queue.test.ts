import { expect, onTestFinished, test } from 'vitest'

import { serveQueue } from '../../../src/web/api/queue.ts'
import { closeServer, createServer, listen } from '../../../src/web/server.ts'
import { deployment, environmentConfig } from '../../support/samples.ts'

const PRODUCTION = { configuredAs: 'acme/shop', environment: 'production' }

test('what waits and is not listed is counted, of the place that was asked for', async () => {
  const server = createServer({ journal: { info() {}, warn() {}, error() {} }, refused() {} })
  const environments = ['production', 'staging'].map((name) => [name, environmentConfig({ name })] as const)
  const shop = { name: 'acme/shop', environments: new Map(environments) }
  serveQueue(server, {
    repositories: () => new Map([['acme/shop', shop]]),
    line: () =>
      Promise.resolve({
        line: [{ deployment: deployment(), position: 1, startsAt: undefined }],
        left: [
          { ...PRODUCTION, count: 3 },
          { ...PRODUCTION, environment: 'Staging', count: 40 },
        ],
      }),
  })
  const address = await listen(server, '127.0.0.1', 0)
  onTestFinished(() => closeServer(server))
  const more = async (query: string): Promise<unknown> => {
    const answer = (await (await fetch(`${address}/queue${query}`)).json()) as { queue: []; more: number }
    return [answer.queue.length, answer.more]
  }

  expect(await more('')).toEqual([1, 43])
  expect(await more('?repository=acme/shop&environment=staging')).toEqual([0, 40])
})
