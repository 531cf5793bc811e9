import { createServer, type RequestListener } from 'node:http'

import { expect, test } from 'vitest'

import { locate } from '../../../src/run/sources/archive.ts'
import { HTTP_LIMITS } from '../../../src/run/sources/http.ts'
import { storeForTest } from '../../support/buckets.ts'
import { listen } from '../../support/loopback.ts'
import { temporaryFolder } from '../../support/running.ts'

const serve = async (answer: RequestListener): Promise<string> =>
  `http://127.0.0.1:${await listen(createServer(answer))}`

/** What the zip at an address is now; S3 with these keys. */
const ask = (address: string, s3: { endpoint?: string } = {}, limits = HTTP_LIMITS) =>
  locate(
    { sha: '', environment: 'production' },
    {
      address: { literal: address },
      s3: { ...s3, accessKeyId: { literal: 'AKIA1' }, secretAccessKey: { literal: 'a-secret-of-s3' } },
    },
    {
      hide() {},
      resolve: (value) => ('literal' in value ? value.literal : ''),
      environment: {},
      home: temporaryFolder(),
      signal: new AbortController().signal,
      limits,
    },
  ).ask()

test('a zip is known by its ETag, else by when it was changed and how long it is; the same has the same id', async () => {
  let headers: Record<string, string> = { etag: 'W/"one"' }
  const methods = new Set<string | undefined>()
  const origin = await serve(({ method }, response) => {
    methods.add(method)
    response.writeHead(200, headers).end()
  })
  const one = await ask(`${origin}/shop.zip`)
  const again = await ask(`${origin.replace('//', '//robot:secret@')}/shop.zip?token=new`)
  const elsewhere = await ask(`${origin}/blog.zip`)
  headers = { 'last-modified': 'Sat, 28 Nov 2026 20:00:00 GMT', 'content-length': '17' }
  const other = await ask(`${origin}/shop.zip`)

  expect(one).toEqual({ sha: expect.stringMatching(/^[0-9a-f]{40}$/), ref: 'one', branch: undefined })
  expect(again).toEqual(one)
  expect(elsewhere.sha).not.toBe(one.sha)
  expect(other.ref).toBe('Sat, 28 Nov 2026 20:00:00 GMT, 17 bytes')
  headers = { etag: `"${'x'.repeat(300)}"` }
  expect((await ask(`${origin}/shop.zip`)).ref).toHaveLength(200)
  expect([...methods]).toEqual(['HEAD'])
})

test('where HEAD is refused, GET tells as much, and is broken off', async () => {
  const methods: (string | undefined)[] = []
  const origin = await serve(({ method, url }, response) => {
    methods.push(method)
    if (method === 'HEAD') response.writeHead(url === '/signed.zip' ? 403 : 405).end()
    else response.writeHead(200, { etag: '"one"' }).write('the first of many bytes')
  })

  expect((await ask(`${origin}/shop.zip`)).ref).toBe('one')
  expect((await ask(`${origin}/signed.zip`)).ref).toBe('one')
  expect(methods).toEqual(['HEAD', 'GET', 'HEAD', 'GET'])
})

test('an empty ETag is none, and a date that is the same second as the answer tells nothing yet', async () => {
  let headers: Record<string, string> = {}
  const origin = await serve((_, response) => void response.writeHead(200, headers).end())
  const [before, now] = ['Sat, 28 Nov 2026 20:00:00 GMT', 'Sat, 28 Nov 2026 20:00:01 GMT']

  headers = { etag: '""', date: now, 'last-modified': before, 'content-length': '17' }
  expect((await ask(`${origin}/shop.zip`)).ref).toBe(`${before}, 17 bytes`)
  headers = { date: now, 'last-modified': now }
  await expect(ask(`${origin}/shop.zip`)).rejects.toThrow('it may be changing still')
  headers = { ...headers, age: '7' } // as a cache has it
  expect((await ask(`${origin}/shop.zip`)).ref).toBe(`${now}, ? bytes`)
  headers = { date: now, 'last-modified': now, etag: '"one"' }
  expect((await ask(`${origin}/shop.zip`)).ref).toBe('one')
})

test.each([
  [404, { etag: '"error page"' }, /shop\.zip answered 404 Not Found/],
  [500, { etag: '"error page"' }, /shop\.zip answered 500/],
  [204, { etag: '"nothing"' }, /shop\.zip answered 204/],
  [200, {}, /shop\.zip is of no version: the server tells neither an ETag nor when it was changed/],
])('%i with %j is no version', async (status, headers, message) => {
  const origin = await serve((_, response) => void response.writeHead(status, headers).end())

  await expect(ask(`${origin}/shop.zip`)).rejects.toThrow(message)
})

test('who does not answer in time has no version, nor has an address with a commit in it', async () => {
  const origin = await serve(() => {})

  await expect(ask(`${origin}/shop.zip`, {}, { ...HTTP_LIMITS, answerMs: 50 })).rejects.toThrow(
    'does not answer within 0.05 s',
  )
  await expect(ask(`${origin}/shop-{sha}.zip`)).rejects.toThrow('has a commit in it, which nobody names here')
})

test('an object in S3 has the version that the store tells', async () => {
  const endpoint = await storeForTest('builds')
  const put = (content: string) => fetch(`${endpoint}/builds/app.zip`, { method: 'PUT', body: content })
  await put('one')
  const one = await ask('s3://builds/app.zip', { endpoint })
  await put('two')
  const two = await ask('s3://builds/app.zip', { endpoint })

  expect(one.ref).toBe('f97c5d29941bfb1b2fdab0874906ab82') // the MD5 of its content
  expect(two.ref).not.toBe(one.ref)
  expect(two.sha).not.toBe(one.sha)
  await expect(ask('s3://builds/none.zip', { endpoint })).rejects.toThrow(
    /s3:\/\/builds\/none\.zip answered 40[34]/,
  )
})
