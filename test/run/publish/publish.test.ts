import { createServer } from 'node:http'

import { expect, test } from 'vitest'

import { publishLog, type PublishParts } from '../../../src/run/publish/publish.ts'
import { clientOf, shopAtGitHub } from '../../support/doubles.ts'
import { listen } from '../../support/loopback.ts'
import { deployment } from '../../support/samples.ts'

const GIST = { target: { kind: 'gist', token: undefined }, state: 'failed' } as const
const CREATE = { method: 'POST', path: /^\/gists$/ }

async function shopWithGists() {
  const { github } = await shopAtGitHub()
  github.addToken('gists', { type: 'classic', login: 'mona', scopes: ['gist'] })
  return github
}

const partsFor = (given: Partial<PublishParts>): PublishParts => ({
  async *read() {
    yield Buffer.from('a line\n')
  },
  github: () => ({ createGist: () => Promise.reject(new Error('not here')) }),
  credentials: { home: '/nonexistent', environment: { AWS_EC2_METADATA_DISABLED: 'true' } },
  hide() {},
  mask: (text) => text.replaceAll('hunter2', '•••'),
  random: () => 'r',
  stopping: new AbortController().signal,
  pauseMs: 1,
  ...given,
})

test('what may pass is tried once more, and not twice', async () => {
  const github = await shopWithGists()
  const parts = partsFor({ github: () => clientOf(github, 'gists') })

  github.fail({ ...CREATE, with: 'reset' })
  expect(await publishLog(deployment(), GIST, parts)).toEqual({ url: expect.stringContaining('/gist/mona/') })
  github.fail({ ...CREATE, times: 2, with: { status: 503, body: { message: 'hunter2 is busy' } } })

  expect(await publishLog(deployment(), GIST, parts)).toEqual({ why: 'GitHub answered 503: ••• is busy.' })
  expect(github.gists).toHaveLength(1)
  expect(github.requests.filter(({ path }) => path === '/gists')).toHaveLength(4)
})

test.each([
  [422, 'No.', ''],
  [
    403,
    'Resource not accessible by personal access token',
    '. To make a gist its token needs the scope gist (classic), or the account permission Gists: write.',
  ],
  [403, 'You have exceeded a secondary rate limit.', ''],
  [429, 'Too many requests.', ''],
])('what will not pass is not tried again: %i, %s', async (status, message, way) => {
  const github = await shopWithGists()
  github.fail({ ...CREATE, with: { status, body: { message } } })

  const published = await publishLog(
    deployment(),
    GIST,
    partsFor({ github: () => clientOf(github, 'gists') }),
  )

  expect(published).toEqual({ why: `GitHub answered ${status}: ${message}${way}` })
  expect(github.requests).toHaveLength(1)
})

test('it takes no longer than it may, whatever hangs', async () => {
  const github = await shopWithGists()
  github.fail({ ...CREATE, with: 'hang' })

  expect(
    await publishLog(deployment(), GIST, partsFor({ github: () => clientOf(github, 'gists'), withinMs: 50 })),
  ).toEqual({ why: 'It was not done within 0.05 s.' })
})

test('an empty log is no empty file, which GitHub would refuse', async () => {
  const github = await shopWithGists()
  const read = async function* () {
    yield Buffer.from('\n \n')
  }

  await publishLog(deployment(), GIST, partsFor({ github: () => clientOf(github, 'gists'), read }))

  expect([...(github.gists[0]?.files.values() ?? [])]).toEqual(['(The log is empty.)\n'])
})

const BUCKET = {
  kind: 's3',
  bucket: 'logs',
  prefix: 'all/',
  region: undefined,
  endpoint: undefined,
  url: 'https://logs.example.org',
  keyFile: undefined,
  configured: undefined,
} as const

test('a bucket without credentials is said, with where they were looked for', async () => {
  expect(await publishLog(deployment(), { target: BUCKET, state: 'failed' }, partsFor({}))).toEqual({
    why: 'There are no credentials for S3 in the configuration (s3), /nonexistent/.amazon/account-key, AWS_ACCESS_KEY_ID and the role of this machine (it is not to be asked).',
  })
})

test('the region is that of the environment where none is configured, and credentials are hidden first', async () => {
  const seen: unknown[] = []
  const port = await listen(
    createServer((request, response) => {
      seen.push(/Credential=([^/]+)\/\d+\/([^/]+)/.exec(request.headers.authorization ?? '')?.slice(1))
      request.resume().on('end', () => response.end())
    }),
  )
  const hidden: string[] = []
  const environment = {
    AWS_REGION: 'eu-north-1',
    AWS_ACCESS_KEY_ID: 'AKIAENV',
    AWS_SECRET_ACCESS_KEY: 'the-secret',
    AWS_SESSION_TOKEN: 'the-session',
  }
  const target = { ...BUCKET, endpoint: `http://127.0.0.1:${port}` }
  const parts = partsFor({
    credentials: { home: '/nonexistent', environment },
    hide: (secrets) => hidden.push(...secrets),
  })

  expect(await publishLog(deployment(), { target, state: 'failed' }, parts)).toEqual({
    url: 'https://logs.example.org/acme/shop/production/12-r.log',
  })
  expect(seen).toEqual([['AKIAENV', 'eu-north-1']])
  expect(hidden).toEqual(['the-secret', 'the-session'])
})
