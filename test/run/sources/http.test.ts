import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'

import { expect, test } from 'vitest'

import {
  askVersion,
  download,
  HTTP_LIMITS,
  readAddress,
  type Asking,
  type HttpLimits,
} from '../../../src/run/sources/http.ts'
import { listen } from '../../support/loopback.ts'
import { freePort } from '../../support/needs.ts'
import { temporaryFolder } from '../../support/running.ts'

const serve = async (answer: RequestListener): Promise<string> =>
  `http://127.0.0.1:${await listen(createServer(answer))}/app.zip`

const asking = (address: string, limits: Partial<HttpLimits> = {}): Asking => ({
  ...readAddress(address),
  signal: new AbortController().signal,
  limits: { ...HTTP_LIMITS, ...limits },
  mayRedirect: true,
})

/** What came, or the sentence why nothing did. */
async function fetched(address: string, limits: Partial<HttpLimits> = {}) {
  const file = join(temporaryFolder(), 'app.zip')
  try {
    return { ...(await download(asking(address, limits), file)), content: readFileSync(file, 'utf8') }
  } catch (thrown) {
    const { reason, message } = thrown as Error & { reason?: string }
    return [reason, message.replaceAll(/:\d{4,5}\b/g, ':PORT')]
  }
}

test('the version is the ETag, else when it was changed and how long it is, else nothing', async () => {
  const headers: Record<string, string>[] = [
    { etag: 'W/"abc"', 'last-modified': 'Wed, 21 Oct 2015 07:28:00 GMT' },
    { 'last-modified': 'Wed, 21 Oct 2015 07:28:00 GMT' },
    {},
  ]
  const address = await serve((request, response) => {
    response.writeHead(200, { ...headers[0], 'content-length': '5' })
    response.end(request.method === 'HEAD' ? '' : 'hello')
  })
  const versions: unknown[] = []
  for (; headers.length > 0; headers.shift()) {
    const version = await askVersion(asking(address))
    expect(await fetched(address)).toEqual({ version, bytes: 5, content: 'hello' })
    versions.push(version)
  }

  expect(versions).toEqual(['abc', 'Wed, 21 Oct 2015 07:28:00 GMT, 5 bytes', undefined])
})

test.each([
  [404, 'source_unavailable', 'answered 404 Not Found; nothing was changed.'],
  [500, 'source_unavailable', 'answered 500 Internal Server Error; nothing was changed.'],
  [204, 'source_unavailable', 'answered 204 No Content; nothing was changed.'],
])('status %i is no archive, whatever comes with it', async (status, reason, said) => {
  const address = await serve((_, response) => {
    response.writeHead(status, { etag: '"new"' })
    response.end(status === 204 ? undefined : '<html>a page</html>')
  })

  expect(await fetched(address)).toEqual([reason, `http://127.0.0.1:PORT/app.zip ${said}`])
  await expect(askVersion(asking(address))).rejects.toMatchObject({ reason })
})

test('an answer that breaks off is refused, and what came of it named', async () => {
  const address = await serve((_, response) => {
    response.writeHead(200, { 'content-length': '10' })
    response.write('hello', () => response.destroy())
  })
  const chunked = await serve((_, response) => {
    response.writeHead(200)
    response.write('hello', () => response.destroy())
  })

  expect(await fetched(address)).toEqual([
    'source_unavailable',
    expect.stringMatching(/app\.zip broke off after \d of 10 bytes \(.+\); nothing was changed\.$/),
  ])
  expect(await fetched(chunked)).toEqual([
    'source_unavailable',
    expect.stringMatching(/app\.zip broke off after \d bytes \(.+\); nothing was changed\.$/),
  ])
})

test('what is too large, empty, packed once more or too slow is refused', async () => {
  const announced = await serve((_, response) => response.end('hello'))
  const unannounced = await serve((_, response) => {
    response.write('hel')
    response.end('lo')
  })
  const empty = await serve((_, response) => response.end())
  const packed = await serve((_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' })
    response.end('hello')
  })
  const silent = await serve(() => {})
  const stuck = await serve((_, response) => response.write('hel'))
  const name = 'http://127.0.0.1:PORT/app.zip'

  const large = ['source_refused', `${name} is larger than 4 bytes, which are the limit.`]
  expect(await fetched(announced, { bytes: 4 })).toEqual(large)
  expect(await fetched(unannounced, { bytes: 4 })).toEqual(large)
  expect(await fetched(empty)).toEqual(['source_refused', `${name} is empty.`])
  expect(await fetched(packed)).toEqual(['source_refused', `${name} came as "gzip", unasked.`])
  expect(await fetched(silent, { answerMs: 100 })).toEqual([
    'source_unavailable',
    `${name} does not answer within 0.1 s; nothing was changed.`,
  ])
  expect(await fetched(stuck, { quietMs: 100 })).toEqual([
    'source_unavailable',
    `${name} broke off after 3 bytes (nothing came for 0.1 s); nothing was changed.`,
  ])
})

test('who is not there is named', async () => {
  expect(await fetched(`http://127.0.0.1:${await freePort()}/app.zip`)).toEqual([
    'source_unavailable',
    'http://127.0.0.1:PORT/app.zip does not answer (connect ECONNREFUSED 127.0.0.1:PORT); nothing was changed.',
  ])
})

test('user and password are sent as a header and shown to nobody; neither is the query', async () => {
  const seen: unknown[] = []
  const address = await serve(({ headers, url }, response) => {
    seen.push([headers.authorization, url])
    response.writeHead(401)
    response.end()
  })

  expect(await fetched(address.replace('http://', 'http://mona:p%40ss@').concat('?token=s3cret'))).toEqual([
    'source_unavailable',
    'http://*****:*****@127.0.0.1:PORT/app.zip?… answered 401 Unauthorized; nothing was changed.',
  ])
  expect(seen).toEqual([[`Basic ${Buffer.from('mona:p@ss').toString('base64')}`, '/app.zip?token=s3cret']])
  await fetched(address.replace('http://', 'http://mona:100%@'))
  expect(seen[1]).toEqual([`Basic ${Buffer.from('mona:100%').toString('base64')}`, '/app.zip'])
})

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

test.skipIf(!hasOpenssl)('a redirect is followed to https alone, and takes no password along', async () => {
  const folder = temporaryFolder()
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  const names = 'subjectAltName=IP:127.0.0.1'
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const subject = ['-subj', '/CN=loopback', '-addext', names, '-keyout', key, '-out', certificate]
  execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' })
  setDefaultCACertificates([...getCACertificates('default'), readFileSync(certificate, 'utf8')])
  const seen: unknown[] = []
  const secure = createSecureServer(
    { key: readFileSync(key), cert: readFileSync(certificate) },
    ({ headers }, response) => {
      seen.push(headers.authorization)
      response.writeHead(200, { etag: '"there"' })
      response.end('hello')
    },
  )
  const port = await listen(secure)
  let to = `https://127.0.0.1:${port}/other.zip?signed=yes`
  const address = await serve((_, response) => {
    response.writeHead(302, { location: to })
    response.end()
  })
  const withPassword = address.replace('http://', 'http://mona:pass@')

  expect(await fetched(withPassword)).toEqual({ version: 'there', bytes: 5, content: 'hello' })
  expect(seen).toEqual([undefined])
  to = `https://joe:s3cret@127.0.0.1:${port}/other.zip`
  expect(await fetched(withPassword)).toMatchObject({ content: 'hello' })
  expect(seen[1]).toBe(`Basic ${Buffer.from('joe:s3cret').toString('base64')}`)
  for (const [place, shown] of [
    [`http://127.0.0.1:${port}/x.zip?token=1`, 'http://127.0.0.1:PORT/x.zip?…'],
    ['file:///etc/passwd', 'file:///etc/passwd'],
    ['http://joe:s3cret@127.0.0.1/x.zip', 'http://*****:*****@127.0.0.1/x.zip'],
    ['/elsewhere.zip', 'http://127.0.0.1:PORT/elsewhere.zip'],
  ] as const) {
    to = place
    expect(await fetched(address)).toEqual([
      'source_refused',
      `http://127.0.0.1:PORT/app.zip leads to ${shown}, and only https is followed; nothing was changed.`,
    ])
  }
})

test('a download ends when the run has to, and its connection with it', async () => {
  const hanging = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()
  const address = await serve((_, response) => {
    response.write('hel', () => hanging.resolve())
    response.on('close', () => closed.resolve())
  })
  const ending = new AbortController()
  const file = join(temporaryFolder(), 'app.zip')
  const running = download({ ...asking(address), signal: ending.signal }, file)
  running.catch(() => {}) // seen below

  await hanging.promise
  ending.abort('taken back')

  await expect(running).rejects.toBe('taken back')
  await closed.promise
})

test('bytes that are no HTTP are named as such', async () => {
  const server = createServer()
  server.on('connection', (socket) => socket.end('SSH-2.0-OpenSSH\r\n\r\n'))
  const port = await listen(server)

  expect(await fetched(`http://127.0.0.1:${port}/app.zip`)).toEqual([
    'source_unavailable',
    expect.stringMatching(/app\.zip does not answer \(.+\); nothing was changed\.$/),
  ])
})
