import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'

import { describe, expect, test } from 'vitest'

import { readS3Address } from '../../../src/deployment/source.ts'
import type { CredentialSources } from '../../../src/run/sources/s3-credentials.ts'
import {
  addressOf,
  askS3Version,
  downloadFromS3,
  presign,
  sign,
  uploadToS3,
  type S3Object,
} from '../../../src/run/sources/s3.ts'
import { storeForTest } from '../../support/buckets.ts'
import { listen } from '../../support/loopback.ts'
import { temporaryFolder } from '../../support/running.ts'

/**
 * The examples that AWS publishes: "Signature Calculations for the Authorization Header" of the API reference of
 * Amazon S3, and the test suite of Signature Version 4 (`service` is no store).
 */
describe('our requests carry the signatures that AWS publishes', () => {
  const S3 = {
    credentials: {
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
      sessionToken: undefined,
      source: 'the documentation',
    },
    method: 'GET',
    region: 'us-east-1',
    datetime: '20130524T000000Z',
  }
  const SUITE = {
    ...S3,
    credentials: {
      ...S3.credentials,
      accessKeyId: 'AKIDEXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    },
    datetime: '20150830T123600Z',
    service: 'service',
  }
  const bucket = 'https://examplebucket.s3.amazonaws.com'
  test.each([
    [
      'GET object',
      `${bucket}/test.txt`,
      { ...S3, headers: { range: 'bytes=0-9' } },
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ],
    [
      'PUT object',
      `${bucket}/test%24file.text`,
      {
        ...S3,
        method: 'PUT',
        headers: {
          date: 'Fri, 24 May 2013 00:00:00 GMT',
          'x-amz-storage-class': 'REDUCED_REDUNDANCY',
          'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
        },
      },
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    ],
    [
      'GET bucket lifecycle',
      `${bucket}/?lifecycle`,
      S3,
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    ],
    [
      'GET bucket, list objects',
      `${bucket}/?max-keys=2&prefix=J`,
      S3,
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    ],
    [
      'get-vanilla',
      'https://example.amazonaws.com/',
      SUITE,
      '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    ],
    [
      'get-vanilla-query-order-key-case',
      'https://example.amazonaws.com/?Param2=value2&Param1=value1',
      SUITE,
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
  ])('%s', async (_what, url, given, signature) => {
    const { headers } = await sign(url, given)

    expect(headers['authorization']).toMatch(new RegExp(`, Signature=${signature}$`))
  })
})

/** "Authenticating Requests: Using Query Parameters" of the same reference. */
test('a signed address is the one that AWS publishes', async () => {
  const address = await presign('https://examplebucket.s3.amazonaws.com/test.txt', {
    region: 'us-east-1',
    credentials: {
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
      sessionToken: undefined,
      source: 'the documentation',
    },
    seconds: 86_400,
    datetime: '20130524T000000Z',
  })

  expect(new URL(address).searchParams.get('X-Amz-Signature')).toBe(
    'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
  )
  expect(Object.fromEntries(new URL(address).searchParams)).toMatchObject({
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request',
    'X-Amz-Expires': '86400',
    'X-Amz-SignedHeaders': 'host',
  })
})

test('a bucket is part of the host at Amazon, and of the path elsewhere or where it has dots', () => {
  const object = {
    bucket: 'builds',
    key: 'my app/v1+2 (final).zip',
    region: 'eu-central-1',
    endpoint: undefined,
  }

  expect(addressOf(object)).toBe(
    'https://builds.s3.eu-central-1.amazonaws.com/my%20app/v1%2B2%20%28final%29.zip',
  )
  expect(addressOf({ ...object, bucket: 'builds.acme.org', key: 'a' })).toBe(
    'https://s3.eu-central-1.amazonaws.com/builds.acme.org/a',
  )
  expect(addressOf({ ...object, endpoint: 'https://minio.example.org/', key: 'a/b' })).toBe(
    'https://minio.example.org/builds/a/b',
  )
  expect(readS3Address('s3://builds/path/to/app.zip')).toEqual({ bucket: 'builds', key: 'path/to/app.zip' })
  for (const wrong of [
    's3://builds',
    's3://builds/',
    's3://../x',
    's3://a_b/x',
    's3://host:80/x',
    'https://x/y',
  ])
    expect(readS3Address(wrong)).toBeUndefined()
})

const signal = new AbortController().signal

const CONFIGURED: CredentialSources = {
  configured: { accessKeyId: 'AKIACONFIGURED', secretAccessKey: 'a-secret-of-the-configuration' },
  keyFile: undefined,
  home: '/nonexistent',
  environment: {},
}

async function fetched(object: Partial<S3Object>, credentials: CredentialSources = CONFIGURED) {
  const file = join(temporaryFolder(), 'app.zip')
  const hidden: string[] = []
  const whole = { bucket: 'builds', key: 'app.zip', region: undefined, endpoint: undefined, ...object }
  const options = { credentials, signal, hide: (secrets: readonly string[]) => hidden.push(...secrets) }
  try {
    return { ...(await downloadFromS3(whole, file, options)), content: readFileSync(file, 'utf8'), hidden }
  } catch (thrown) {
    const { reason, message } = thrown as Error & { reason?: string }
    return [reason, message]
  }
}

test('an object of a real store is downloaded with its version, whatever its name; one that is not there is named', async () => {
  const endpoint = await storeForTest('builds')
  const key = 'my app/v1+2 (final).zip'
  const address = addressOf({ bucket: 'builds', key, region: 'us-east-1', endpoint })
  const put = await sign(address, {
    method: 'PUT',
    region: 'us-east-1',
    credentials: {
      accessKeyId: 'AKIAOTHER',
      secretAccessKey: 'another',
      sessionToken: undefined,
      source: '',
    },
    headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
  })
  const stored = await fetch(put.url, { method: 'PUT', headers: put.headers, body: 'an archive' })
  expect(stored.status).toBe(200)
  const etag = stored.headers.get('etag')?.replaceAll('"', '')

  expect(await fetched({ endpoint, key })).toEqual({
    version: etag,
    bytes: 10,
    content: 'an archive',
    hidden: ['a-secret-of-the-configuration'],
  })
  const object = { bucket: 'builds', key, region: undefined, endpoint }
  expect(await askS3Version(object, { credentials: CONFIGURED, signal, hide() {} })).toBe(etag)
  expect(await fetched({ endpoint, key: 'other.zip' })).toEqual([
    'source_unavailable',
    expect.stringMatching(
      /^s3:\/\/builds\/other\.zip answered 404 Not Found: NoSuchKey, .+; nothing was changed\.$/,
    ),
  ])
})

const serve = async (answer: RequestListener): Promise<string> =>
  `http://127.0.0.1:${await listen(createServer(answer))}`

/** A store that lets everybody in and remembers who asked: id, region and session. */
async function openStore() {
  const seen: unknown[] = []
  const endpoint = await serve(({ headers }, response) => {
    const [, id, region] = /Credential=([^/]+)\/\d+\/([^/]+)/.exec(headers.authorization ?? '') ?? []
    seen.push([id, region, headers['x-amz-security-token']])
    response.end('an archive')
  })
  return { endpoint, seen }
}

const NOWHERE: CredentialSources = {
  configured: undefined,
  keyFile: undefined,
  home: '/nonexistent',
  environment: { AWS_EC2_METADATA_DISABLED: 'true' },
}
const INHERITED = {
  AWS_ACCESS_KEY_ID: 'AKIAINHERITED',
  AWS_SECRET_ACCESS_KEY: 'a-secret-of-the-environment',
  AWS_SESSION_TOKEN: 'a-session',
}

test('credentials are looked for in the configuration, in a file, in the environment, and in that order', async () => {
  const { endpoint, seen } = await openStore()
  const home = temporaryFolder()
  mkdirSync(join(home, '.amazon'))
  const file = join(home, '.amazon/account-key')
  writeFileSync(file, '# of repo-deploy\n\naccessKey=AKIAFILE\nsecretKey=of=the=file\n')
  const environment = { ...NOWHERE.environment, ...INHERITED }

  await fetched({ endpoint }, { ...CONFIGURED, home, environment })
  await fetched({ endpoint, region: 'eu-west-1' }, { ...NOWHERE, home, environment })
  await fetched({ endpoint }, { ...NOWHERE, keyFile: file, environment })
  await fetched({ endpoint }, { ...NOWHERE, environment })

  expect(seen).toEqual([
    ['AKIACONFIGURED', 'us-east-1', undefined],
    ['AKIAFILE', 'eu-west-1', undefined],
    ['AKIAFILE', 'us-east-1', undefined],
    ['AKIAINHERITED', 'us-east-1', 'a-session'],
  ])
})

test('the role of the machine is asked for by the second version of its protocol', async () => {
  const { endpoint, seen } = await openStore()
  const asked: string[] = []
  const machine = await serve(({ method = '', url = '', headers }: IncomingMessage, response) => {
    asked.push(`${method} ${url}`)
    const isSigned = headers['x-aws-ec2-metadata-token'] === 'a-token'
    if (method === 'PUT' && headers['x-aws-ec2-metadata-token-ttl-seconds'] !== undefined)
      response.end('a-token')
    else if (isSigned && url.endsWith('/security-credentials/')) response.end('deployer')
    else if (isSigned && url.endsWith('/deployer'))
      response.end(
        JSON.stringify({ AccessKeyId: 'ASIAROLE', SecretAccessKey: 'of-the-role', Token: 'for-an-hour' }),
      )
    else response.writeHead(401).end()
  })
  const environment = { AWS_EC2_METADATA_SERVICE_ENDPOINT: machine }

  expect(await fetched({ endpoint }, { ...NOWHERE, environment })).toMatchObject({
    hidden: ['of-the-role', 'for-an-hour'],
  })
  expect(seen).toEqual([['ASIAROLE', 'us-east-1', 'for-an-hour']])
  expect(asked).toEqual([
    'PUT /latest/api/token',
    'GET /latest/meta-data/iam/security-credentials/',
    'GET /latest/meta-data/iam/security-credentials/deployer',
  ])
})

test('what is missing about credentials is said with the places that were looked in', async () => {
  const folder = temporaryFolder()
  const half = join(folder, 'half')
  writeFileSync(half, 'accessKey=AKIAFILE\n')

  expect(await fetched({}, NOWHERE)).toEqual([
    'source_unavailable',
    'There are no credentials for S3 in the configuration (s3), /nonexistent/.amazon/account-key, AWS_ACCESS_KEY_ID and the role of this machine (it is not to be asked); nothing was changed.',
  ])
  expect(await fetched({}, { ...NOWHERE, keyFile: half })).toEqual([
    'source_unavailable',
    `The key file ${half} lacks secretKey=…; nothing was changed.`,
  ])
  expect(await fetched({}, { ...NOWHERE, keyFile: join(folder, 'none') })).toEqual([
    'source_unavailable',
    `The key file ${folder}/none cannot be read: it does not exist; nothing was changed.`,
  ])
})

test('a refusal says whose credentials were refused, and a wrong region is mended by itself', async () => {
  const regions: unknown[] = []
  const endpoint = await serve((request, response) => {
    const { headers } = request
    const region = /Credential=[^/]+\/\d+\/([^/]+)/.exec(headers.authorization ?? '')?.[1]
    regions.push(region)
    if (region === 'eu-west-1') return response.end('an archive')
    // Amazon names it in a header, other stores only in what they say.
    const [header, region_] = request.url?.includes('other')
      ? [{}, '<Region>eu-west-1</Region>']
      : [{ 'x-amz-bucket-region': 'eu-west-1' }, '']
    response.writeHead(400, header)
    return response.end(
      `<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong region.</Message>${region_}</Error>`,
    )
  })
  const closed = await serve((_, response) => {
    response.writeHead(403)
    response.end(
      '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>',
    )
  })

  expect(await fetched({ endpoint })).toMatchObject({ content: 'an archive' })
  expect(await fetched({ endpoint, bucket: 'other' })).toMatchObject({ content: 'an archive' })
  expect(regions).toEqual(['us-east-1', 'eu-west-1', 'us-east-1', 'eu-west-1'])
  expect(await fetched({ endpoint: closed })).toEqual([
    'source_unavailable',
    's3://builds/app.zip answered 403 Forbidden: AccessDenied, Access Denied; asked with the credentials of the configuration; nothing was changed.',
  ])
})

test('content is sent whole, with its length and its hash, and once more where the bucket is', async () => {
  const seen: unknown[] = []
  const endpoint = await serve((request, response) => {
    const { method, url, headers } = request
    const region = /Credential=[^/]+\/\d+\/([^/]+)/.exec(headers.authorization ?? '')?.[1]
    const hash = createHash('sha256')
    request.on('data', (piece: Buffer) => hash.update(piece))
    request.on('end', () => {
      const isHashed = headers['x-amz-content-sha256'] === hash.digest('hex')
      seen.push([
        `${method} ${url}`,
        region,
        headers['content-length'],
        headers['content-type'],
        headers['transfer-encoding'],
        isHashed,
      ])
      if (region === 'eu-west-1') response.end()
      else response.writeHead(301, { 'x-amz-bucket-region': 'eu-west-1' }).end()
    })
  })
  const piece = Buffer.alloc(100_000, 'x')
  const content = {
    bytes: 300_000,
    contentType: 'text/plain',
    sha256: createHash('sha256').update('x'.repeat(300_000)).digest('hex'),
    read: () => Readable.from([piece, piece, piece]),
  }
  const object = { bucket: 'logs', key: 'a b.log', region: undefined, endpoint }

  const address = await uploadToS3(object, content, { credentials: CONFIGURED, signal, hide() {} })

  expect(seen).toEqual(
    ['us-east-1', 'eu-west-1'].map((region) => [
      'PUT /logs/a%20b.log',
      region,
      '300000',
      'text/plain',
      undefined,
      true,
    ]),
  )
  expect(address).toMatch(`${endpoint}/logs/a%20b.log?`)
  expect(new URL(address).searchParams.get('X-Amz-Credential')).toContain('/eu-west-1/s3/')
})

test.each([
  [403, 'AccessDenied', false],
  [503, 'SlowDown', true],
])(
  'a store that answers %i takes nothing, and says why; whether that may pass: %3$s',
  async (status, code, mayPass) => {
    const endpoint = await serve((request, response) => {
      request.resume()
      response.writeHead(status).end(`<Error><Code>${code}</Code></Error>`)
    })
    const content = {
      bytes: 1,
      contentType: 'text/plain',
      sha256: 'x',
      read: () => Readable.from([Buffer.from('x')]),
    }
    const object = { bucket: 'logs', key: 'a.log', region: 'eu-west-1', endpoint }

    await expect(
      uploadToS3(object, content, { credentials: CONFIGURED, signal, hide() {} }),
    ).rejects.toMatchObject({
      mayPass,
      message: expect.stringMatching(new RegExp(`^s3://logs/a\\.log answered ${status} .*: ${code}.*\\.$`)),
    })
  },
)
