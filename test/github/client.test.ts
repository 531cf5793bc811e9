import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { expect, onTestFinished, test } from 'vitest'

import { createGitHub } from '../../src/github/client.ts'
import { GitHubError } from '../../src/github/github.ts'

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

const failure = async (work: Promise<unknown>): Promise<GitHubError> => {
  const thrown: unknown = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (thrown instanceof GitHubError) return thrown
  throw new Error('It did not fail as expected.')
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

test('the token goes to no other server, and a redirect is no success', async () => {
  const elsewhere = await api((_request, response) => response.end('{}'))
  const { github } = await api((_request, response) =>
    response.writeHead(302, { location: `${elsewhere.origin}/steal` }).end(),
  )

  const { message, status } = await failure(github.createStatus('acme/shop', 5, STATUS))

  expect(message).toContain('it redirects to another server')
  expect(status).toBeUndefined()
  expect(elsewhere.asked).toEqual([])
})

test('a refusal keeps the status, the headers and the first line of what GitHub said', async () => {
  const { github } = await api((_request, response) =>
    response
      .writeHead(403, { 'content-type': 'application/json', 'retry-after': '7' })
      .end('{"message":"No.\\nMore."}'),
  )

  const { message, status, headers } = await failure(github.createStatus('acme/shop', 5, STATUS))

  expect([message.split(' - ')[0], status, headers['retry-after']]).toEqual([
    'GitHub answered 403: No.',
    403,
    '7',
  ])
})

test('a server that is not there has no status', async () => {
  const github = createGitHub({ token: 'x', apiUrl: 'http://127.0.0.1:1', version: 'test' })

  expect((await failure(github.statuses('acme/shop', 5))).status).toBeUndefined()
})

test.each([
  [200, '<html>Sign in</html>'],
  [204, ''],
  [200, '{"state":"success"}'],
])('an answer of %i that is not the written status is no success', async (code, body) => {
  const { github } = await api((_request, response) => response.writeHead(code).end(body))

  expect((await failure(github.createStatus('acme/shop', 5, STATUS))).status).toBeUndefined()
})
