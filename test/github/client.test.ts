import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { expect, onTestFinished, test } from 'vitest'

import { createGitHub } from '../../src/github/client.ts'
import { refusalOf } from '../support/doubles.ts'

const STATUS = { state: 'success', description: 'Deployed' } as const

/** An API that answers as told, and remembers what it was asked. */
async function api(answer: (request: IncomingMessage, response: ServerResponse, origin: string) => void) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`)
    answer(request, response, origin())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  onTestFinished(() => {
    server.close().closeAllConnections()
  })
  const github = createGitHub({ token: 'a-token', apiUrl: origin(), version: 'test' })
  return { github, asked, origin: origin() }
}

test('a renamed repository is followed with the same request, to the same server', async () => {
  const { github, asked } = await api((request, response, origin) => {
    if (request.url?.startsWith('/repos/acme/old'))
      response.writeHead(307, { location: `${origin}/repositories/17/deployments/5/statuses` }).end('{}')
    else response.writeHead(201, { 'content-type': 'application/json' }).end('{"state":"success"}')
  })

  await github.createStatus('acme/old', 5, STATUS)

  expect(asked).toEqual([
    'POST /repos/acme/old/deployments/5/statuses token a-token',
    'POST /repositories/17/deployments/5/statuses token a-token',
  ])
})

test('a redirect without a query does not lose the one that was asked with', async () => {
  const { github, asked } = await api((request, response, origin) => {
    if (request.url?.startsWith('/repos/acme/old'))
      response.writeHead(301, { location: `${origin}/repositories/17/deployments/5/statuses` }).end('{}')
    else response.writeHead(200, { 'content-type': 'application/json' }).end('[]')
  })

  expect(await github.statuses('acme/old', 5)).toEqual([])
  expect(asked.at(-1)).toBe('GET /repositories/17/deployments/5/statuses?per_page=100 token a-token')
})

test('the token goes to no other server, and a redirect is no success', async () => {
  const elsewhere = await api((_request, response) => response.end('{}'))
  const { github } = await api((_request, response) =>
    response.writeHead(302, { location: `${elsewhere.origin}/steal` }).end(),
  )

  const { message, status } = await refusalOf(github.createStatus('acme/shop', 5, STATUS))

  expect(message).toContain('it redirects to another server')
  expect(status).toBeUndefined()
  expect(elsewhere.asked).toEqual([])
})

test('a server that is not there has no status', async () => {
  const github = createGitHub({ token: 'x', apiUrl: 'http://127.0.0.1:1', version: 'test' })

  expect((await refusalOf(github.statuses('acme/shop', 5))).status).toBeUndefined()
})

test.each([
  [200, '<html>Sign in</html>'],
  [204, ''],
  [200, '{"state":"success"}'],
])('an answer of %i that is not the written status is no success', async (code, body) => {
  const { github } = await api((_request, response) => response.writeHead(code).end(body))

  expect((await refusalOf(github.createStatus('acme/shop', 5, STATUS))).status).toBeUndefined()
})

test.each([
  [200, '<html>Sign in</html>'],
  [202, '<html>Your request was taken</html>'],
  [201, '{"id":"5","url":"https://example.org"}'],
  [202, '{"id":5,"message":"Auto-merged main into topic on deployment."}'],
  [204, ''],
])('an answer of %i that is no deployment is neither a deployment nor a merge', async (code, body) => {
  const { github } = await api((_request, response) =>
    response.writeHead(code, { 'content-type': 'application/json' }).end(body),
  )

  const { message, status } = await refusalOf(
    github.createDeployment('acme/shop', {
      sha: 'a'.repeat(40),
      environment: 'production',
      task: 'deploy',
      description: '',
      payload: {},
      requiredContexts: [],
    }),
  )

  expect([message, status]).toEqual([
    `GitHub answered ${code}, but not with the deployment that was made`,
    undefined,
  ])
})

test('a page where a list should be is not taken for an empty list', async () => {
  const { github } = await api((_request, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>'),
  )
  const sha = 'a'.repeat(40)
  const refusals = await Promise.all(
    [
      github.statuses('acme/shop', 5),
      github.deployments('acme/shop', { sha, environment: 'production', task: 'deploy' }),
      github.reportedChecks('acme/shop', sha),
      github.branchHead('acme/shop', 'main'),
      github.compare('acme/shop', sha, sha),
      github.repository('acme/shop'),
      github.access('acme/shop'),
    ].map(refusalOf),
  )

  expect(refusals.map(({ status }) => status)).toEqual(refusals.map(() => undefined))
})

test('an answer that breaks off in the middle is none', async () => {
  const { github } = await api((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('[{"sta')
    setImmediate(() => response.destroy())
  })

  expect((await refusalOf(github.statuses('acme/shop', 5))).status).toBeUndefined()
})

/** Writes without end, as fast as it is read; counts how much of it left. */
function pourOut(response: ServerResponse, status: number): () => number {
  let written = 0
  const chunk = Buffer.alloc(262_144, ' ')
  response.writeHead(status, { 'content-type': 'application/json' })
  const pour = (): void => {
    while (!response.destroyed && response.write(chunk)) written += chunk.length
  }
  response.on('drain', pour)
  pour()
  return () => written
}

test('of an answer without end no more is read than could be meant', async () => {
  const poured: (() => number)[] = []
  const { github } = await api((_request, response) => void poured.push(pourOut(response, 200)))

  const { message, status } = await refusalOf(github.statuses('acme/shop', 5))

  expect([message, status]).toEqual([
    'GitHub cannot be reached: the answer is larger than 16777216 bytes',
    undefined,
  ])
  expect(poured.map((written) => written() < 64_000_000)).toEqual([true])
})

test('a refusal stays one, however much is said with it', async () => {
  const { github } = await api((_request, response) => void pourOut(response, 404))

  expect((await refusalOf(github.statuses('acme/shop', 5))).status).toBe(404)
})

test('what is under way ends when it is told to', async () => {
  const ended = new AbortController()
  const server = await api(() => ended.abort(new Error('Ferryman is stopping')))
  const github = createGitHub({
    token: 'x',
    apiUrl: server.origin,
    version: 'test',
    signal: ended.signal,
  })

  const { message } = await refusalOf(github.statuses('acme/shop', 5))

  expect(message).toBe('GitHub cannot be reached: Ferryman is stopping')
})

test('a list that never ends is given up, not shortened', async () => {
  const { github, asked } = await api((_request, response, origin) =>
    response
      .writeHead(200, { 'content-type': 'application/json', link: `<${origin}/next>; rel="next"` })
      .end('{"total_count":9,"statuses":[]}'),
  )

  const { message } = await refusalOf(github.reportedChecks('acme/shop', 'a'.repeat(40)))

  expect(message).toBe('GitHub has more than 30 pages of it')
  expect(asked).toHaveLength(30)
})

test.each([
  ['2026-12-24 18:30:00 UTC', Date.UTC(2026, 11, 24, 18, 30)],
  ['2026-12-24 18:30:00 +0200', Date.UTC(2026, 11, 24, 16, 30)],
  ['2026-12-24 18:30:00 -0730', Date.UTC(2026, 11, 25, 2)],
  ['soon', undefined],
])('a token that expires %s', async (text, at) => {
  const { github } = await api((_request, response) =>
    response.writeHead(500, { 'github-authentication-token-expiration': text }).end(),
  )

  expect(github.tokenExpiresAt).toBeUndefined()
  await refusalOf(github.statuses('acme/shop', 5))

  expect(github.tokenExpiresAt).toBe(at)
})
