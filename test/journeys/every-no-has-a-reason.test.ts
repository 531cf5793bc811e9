import { createHmac } from 'node:crypto'
import { request } from 'node:http'
import { gzipSync } from 'node:zlib'

import examples from '@octokit/webhooks-examples' with { type: 'json' }
import { describe, expect, test } from 'vitest'

import { SECRET, serve, type Served } from '../support/journey.ts'
import { deploymentEvent } from '../support/payloads.ts'

const sign = (body: string | Buffer, secret = SECRET): string =>
  `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`

interface Sent {
  readonly body?: string | Buffer
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly path?: string
  readonly method?: string
}

let guids = 0

/** Sends a delivery as given; what is not given is as GitHub would send it. */
async function send(
  { address }: Served,
  {
    body = JSON.stringify(deploymentEvent()),
    headers = {},
    path = '/webhooks/github',
    method = 'POST',
  }: Sent,
) {
  const all = {
    'content-type': 'application/json',
    'x-github-event': 'deployment',
    'x-github-delivery': `guid-${(guids += 1)}`,
    'x-hub-signature-256': sign(body),
    ...headers,
  }
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >
  const response = await fetch(`${address}${path}`, {
    method,
    headers: given,
    ...(method === 'GET' ? {} : { body }),
  })
  return {
    status: response.status,
    answer: (await response.json()) as Record<string, unknown>,
    headers: response.headers,
  }
}

describe('a delivery that is not as GitHub sends it is refused with the reason', () => {
  test.each<[string, Sent, number, string, RegExp]>([
    [
      'no signature',
      { headers: { 'x-hub-signature-256': undefined } },
      401,
      'signature_missing',
      /X-Hub-Signature-256 is missing/,
    ],
    [
      'a wrong signature',
      { headers: { 'x-hub-signature-256': sign('other') } },
      401,
      'signature_wrong',
      /does not fit/,
    ],
    [
      'a signature by another secret',
      { headers: { 'x-hub-signature-256': sign('{}', 'guess') }, body: '{}' },
      401,
      'signature_wrong',
      /does not fit/,
    ],
    [
      'only the old sha1 signature',
      { headers: { 'x-hub-signature-256': undefined, 'x-hub-signature': 'sha1=x' } },
      401,
      'signature_missing',
      /missing/,
    ],
    [
      'a signature that is none',
      { headers: { 'x-hub-signature-256': 'sha256=' } },
      401,
      'signature_wrong',
      /does not fit/,
    ],
    ['an empty body', { body: '' }, 401, 'signature_wrong', /does not fit/],
    ['wrong JSON', { body: '{"a":' }, 400, 'body_not_json', /not a JSON object/],
    ['JSON that is no object', { body: '[1]' }, 400, 'body_not_json', /it is not an object/],
    ['null', { body: 'null' }, 400, 'body_not_json', /it is not an object/],
    [
      'a deployment without a commit',
      { body: '{"action":"created","deployment":{"id":1}}' },
      400,
      'body_wrong_shape',
      /deployment\.sha/,
    ],
    ['no event', { headers: { 'x-github-event': undefined } }, 400, 'headers_missing', /X-GitHub-Event/],
    [
      'no event and no delivery id',
      { headers: { 'x-github-event': undefined, 'x-github-delivery': undefined } },
      400,
      'headers_missing',
      /X-GitHub-Event, X-GitHub-Delivery/,
    ],
    [
      'a delivery id that is none',
      { headers: { 'x-github-delivery': '../../etc/passwd' } },
      400,
      'headers_missing',
      /X-GitHub-Delivery/,
    ],
    [
      'another content type',
      { headers: { 'content-type': 'text/xml' } },
      400,
      'content_type_unsupported',
      /text\/xml/,
    ],
    ['no content type', { headers: { 'content-type': '' } }, 400, 'content_type_unsupported', /none/],
    [
      'a compressed body',
      { body: gzipSync('{}'), headers: { 'content-encoding': 'gzip' } },
      400,
      'content_encoding_unsupported',
      /gzip/,
    ],
    [
      'a form without a payload',
      { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      400,
      'body_not_json',
      /no field "payload"/,
    ],
    ['another path', { path: '/webhooks/gitlab' }, 404, 'path_unknown', /\/webhooks\/gitlab/],
    ['a GET', { method: 'GET' }, 405, 'method_not_allowed', /GET/],
  ])('%s', async (_name, sent, status, error, message) => {
    const world = await serve()

    const { status: answered, answer } = await send(world, sent)

    expect([answered, answer['error']]).toEqual([status, error])
    expect(answer['message']).toMatch(message)
    expect(answer['hint']).not.toBe('')
    expect((await send(world, {})).status).toBe(202) // it still answers
  })

  test('more than 25 MB, said or sent', async () => {
    const world = await serve()
    const { status, answer } = await send(world, { body: Buffer.alloc(26_214_401, ' ') })

    expect([status, answer['error']]).toEqual([413, 'body_too_large'])
    expect(await chunked(world, 26_214_401)).toBe(413)
  })
})

test('25 MB are taken', async () => {
  const world = await serve()
  const start = '{"action":"edited","filler":"'
  const body = `${start}${'x'.repeat(26_214_400 - start.length - 2)}"}`

  expect((await send(world, { body, headers: { 'x-github-event': 'issues' } })).answer).toMatchObject({
    verdict: 'ignored',
  })
})

test('a form is understood, signed over its raw bytes', async () => {
  const world = await serve()
  const body = new URLSearchParams({
    payload: JSON.stringify(deploymentEvent({ ref: 'fée&=+%' })),
  }).toString()

  const { status, answer } = await send(world, {
    body,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })

  expect([status, answer['verdict']]).toEqual([202, 'queued'])
})

test('the root answers as well, where the original listened', async () => {
  expect((await send(await serve(), { path: '/' })).status).toBe(202)
})

test('both secrets are accepted while one replaces the other', async () => {
  const world = await serve({
    config: {
      github: {
        webhook_secret: ['the-new-secret-1234', SECRET],
        token: 'x'.repeat(20),
        api_url: 'http://127.0.0.1:1',
      },
    },
  })
  const body = JSON.stringify(deploymentEvent())

  expect(
    (await send(world, { body, headers: { 'x-hub-signature-256': sign(body, 'the-new-secret-1234') } }))
      .status,
  ).toBe(202)
  expect((await send(world, {})).status).toBe(202)
})

test.each([
  [
    'another repository',
    deploymentEvent(),
    { repositories: { 'acme/other': { folder: '.', commands: [['true']] } } },
    'repository_not_configured',
  ],
  [
    "another tool's environment",
    deploymentEvent({ environment: 'github-pages' }),
    {},
    'environment_not_configured',
  ],
  ["an Actions job's own", { ...deploymentEvent(), workflow_run: { id: 7 } }, {}, 'made_by_actions'],
  ['an action that is none of ours', { ...deploymentEvent(), action: 'edited' }, {}, 'action_not_used'],
])('a deployment of %s is ignored with its reason', async (_name, event, given, reason) => {
  const world = await serve(given)

  const { status, answer } = await send(world, { body: JSON.stringify(event) })

  expect([status, answer['verdict'], answer['reason']]).toEqual([200, 'ignored', reason])
  expect(answer['detail']).toMatch(/\.|\)$/)
})

test('an unknown task is reported as an error, and nothing is run', async () => {
  const world = await serve({ commands: [['touch', 'ran']] })

  const deployment = await world.deploy({ task: '../../../bin/sh' })
  await world.status(deployment, 'error')

  expect(world.statuses(deployment)).toEqual(['error: Unknown task: ../../../bin/sh'])
  await world.slack.waitFor(({ text }) => text?.endsWith('Unknown task: ../../../bin/sh') ?? false)
  expect(await world.log(1)).toBe(
    'acme/shop/production#1 is failed; nothing was run, so there is no log.\nUnknown task: ../../../bin/sh\n',
  )
})

test('a flood of wrong signatures costs one line in the log', async () => {
  const world = await serve()

  await Promise.all(
    Array.from({ length: 50 }, () => send(world, { headers: { 'x-hub-signature-256': 'sha256=0' } })),
  )
  await world.stop()

  const refused = world.journal
    .filter((line) => line.includes('delivery:refused'))
    .map((line) => JSON.parse(line) as { count: number })
  expect(refused.length).toBeLessThanOrEqual(2)
  expect(refused.reduce((sum, { count }) => sum + count, 0)).toBe(50)
})

describe("GitHub's own examples", () => {
  const KINDS = [
    'deployment',
    'deployment_status',
    'push',
    'pull_request',
    'ping',
    'status',
    'check_run',
    'check_suite',
    'workflow_run',
  ]

  test.each(KINDS)('of %s each get a sensible verdict', async (kind) => {
    const world = await serve({
      repositories: { 'Codertocat/Hello-World': { folder: '.', commands: [['true']] } },
    })
    const all = (examples as unknown as { name: string; examples: unknown[] }[])
      .filter(({ name }) => name === kind)
      .flatMap((one) => one.examples)
    expect(all.length).toBeGreaterThan(0)

    for (const example of all) {
      const { status, answer } = await send(world, {
        body: JSON.stringify(example),
        headers: { 'x-github-event': kind },
      })
      if (kind === 'deployment') expect(['queued', 'ignored', 'repeated']).toContain(answer['verdict'])
      else expect([status, answer['verdict']]).toEqual([200, 'ignored'])
      if (answer['verdict'] === 'ignored') expect(answer['detail']).toBeTypeOf('string')
    }
  })
})

test('a replay under a new delivery id starts nothing', async () => {
  const world = await serve({ commands: [['sh', '-c', 'echo run >> runs']] })
  const body = JSON.stringify(deploymentEvent())

  const first = await send(world, { body })
  const replay = await send(world, { body })

  expect([first.status, replay.status, replay.answer['verdict']]).toEqual([202, 200, 'repeated'])
  expect(replay.answer['deployments']).toEqual(first.answer['deployments'])
})

/** Sends that many bytes without saying how many, and answers the status. */
const chunked = ({ address }: Served, bytes: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'x-github-event': 'push',
      'x-github-delivery': 'x',
      'x-hub-signature-256': 'sha256=0',
    }
    const sending = request(`${address}/webhooks/github`, { method: 'POST', headers }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    sending.on('error', reject)
    sending.end(Buffer.alloc(bytes, ' '))
  })
