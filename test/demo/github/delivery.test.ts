import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { Webhooks } from '@octokit/webhooks'
import { expect, onTestFinished, test } from 'vitest'

import { sign } from '../../../src/demo/github/delivery.ts'
import { bodyOf } from '../../../src/demo/loopback.ts'
import { ask, post, shopAtGitHub } from '../../support/doubles.ts'

const SECRET = "It's a Secret to Everybody"
const SHOP = '/repos/acme/shop'

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A receiver of webhooks that answers with the given status. */
async function receiver(status = 202, onReceive: () => unknown = () => undefined) {
  const received: Received[] = []
  const receive = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await bodyOf(request)
    received.push({ headers: request.headers, body: body.toString('utf8') })
    await onReceive()
    response.writeHead(status, { 'x-seen': 'yes' }).end('{"verdict":"queued"}')
  }
  const server = createServer((request, response) => void receive(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received }
}

test('the signature is that of the published example', () => {
  expect(sign('sha256', SECRET, Buffer.from('Hello, World!'))).toBe(
    'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
  )
})

test.each(['json', 'form'] as const)(
  'a %s delivery has the headers of GitHub and a signature over its bytes',
  async (contentType) => {
    const { github } = await shopAtGitHub()
    const { url, received } = await receiver()
    const hook = github.addHook('acme/shop', { url, secret: SECRET, contentType, events: ['*'] })
    const payload = { ...github.events.ping(hook), zen: 'Grüße & „Anführung“ 🚢 + %' }

    const delivered = await github.deliver('ping', payload)

    const [{ headers, body } = { headers: {}, body: '' }] = received
    expect(delivered).toMatchObject({
      status: 202,
      body: '{"verdict":"queued"}',
      headers: { 'x-seen': 'yes' },
    })
    expect(headers).toMatchObject({
      'user-agent': 'GitHub-Hookshot/f00d5ea',
      'x-github-event': 'ping',
      'x-github-delivery': delivered.guid,
      'x-github-hook-id': String(hook.id),
      'x-github-hook-installation-target-type': 'repository',
      'x-github-hook-installation-target-id': '17',
      'content-type': contentType === 'json' ? 'application/json' : 'application/x-www-form-urlencoded',
    })
    expect(await new Webhooks({ secret: SECRET }).verify(body, String(headers['x-hub-signature-256']))).toBe(
      true,
    )
    expect(headers['x-hub-signature']).toBe(sign('sha1', SECRET, Buffer.from(body)))
    const json = contentType === 'json' ? body : (new URLSearchParams(body).get('payload') ?? '')
    expect(JSON.parse(json)).toEqual(payload)
  },
)

test('without a secret there is no signature', async () => {
  const { github } = await shopAtGitHub()
  const { url, received } = await receiver()
  github.addHook('acme/shop', { url })

  await github.deliver('ping', {})

  expect(received[0]?.headers).not.toHaveProperty('x-hub-signature-256')
})

test('a delivery can be given another secret, GUID and form', async () => {
  const { github } = await shopAtGitHub()
  const { url, received } = await receiver()
  github.addHook('acme/shop', { url, secret: SECRET, contentType: 'json' })

  await github.deliver('ping', { a: 1 }, { secret: 'wrong', guid: 'the-guid', contentType: 'form' })

  const [{ headers, body } = { headers: {}, body: '' }] = received
  expect(headers['x-github-delivery']).toBe('the-guid')
  expect(body).toBe('payload=%7B%22a%22%3A1%7D')
  expect(headers['x-hub-signature-256']).toBe(sign('sha256', 'wrong', Buffer.from(body)))
})

test('a redelivery is the same GUID and the same bytes', async () => {
  const { github } = await shopAtGitHub()
  const { url, received } = await receiver(503)
  const hook = github.addHook('acme/shop', { url, secret: SECRET, contentType: 'json' })
  const { guid } = await github.deliver('ping', github.events.ping(hook))

  const again = await github.redeliver(guid)

  expect(again).toMatchObject({ guid, status: 503 })
  expect(received[1]).toEqual(received[0])
  expect(hook.deliveries.map(({ isRedelivery }) => isRedelivery)).toEqual([false, true])
})

test('deliveries can be listed, looked at and asked for again', async () => {
  const { github } = await shopAtGitHub()
  const { url, received } = await receiver(500)
  const hook = github.addHook('acme/shop', { url, secret: SECRET, contentType: 'json' })
  const { guid } = await github.deliver('ping', github.events.ping(hook))
  await github.deliver('ping', github.events.ping(hook))
  const place = `${SHOP}/hooks/${hook.id}/deliveries`

  const [newest, oldest] = (await ask(github, place)).body as { id: number; guid: string; status: string }[]
  const firstPage = await ask(github, `${place}?per_page=1`)
  const one = await ask(github, `${place}/${oldest?.id}`)
  const attempt = await post(github, `${place}/${oldest?.id}/attempts`, undefined)
  await github.idle()

  expect(oldest).toMatchObject({ guid, status: 'Invalid HTTP Response: 500' })
  expect(firstPage.body).toMatchObject([{ id: newest?.id }])
  expect(firstPage.headers.get('link')).toContain(`cursor=${oldest?.id}`)
  expect(one.body).toMatchObject({
    request: { headers: { 'x-github-delivery': guid } },
    response: { payload: expect.any(String) as string },
  })
  expect(attempt.status).toBe(202)
  expect(received).toHaveLength(3)
})

test('a hook made through the API is pinged and hides its secret', async () => {
  const { github } = await shopAtGitHub()
  const { url, received } = await receiver()
  const config = { url, content_type: 'json', secret: SECRET }

  const made = await post(github, `${SHOP}/hooks`, { name: 'web', events: ['deployment'], config })
  await github.idle()

  expect(made).toMatchObject({
    status: 201,
    body: { events: ['deployment'], config: { secret: '********' } },
  })
  expect(received.map(({ headers }) => headers['x-github-event'])).toEqual(['ping'])
})

test('nobody there is a delivery with status 0', async () => {
  const { github } = await shopAtGitHub()
  const { url } = await receiver()
  github.addHook('acme/shop', { url: url.replace(/:\d+/, ':1') })

  expect(await github.deliver('ping', {})).toMatchObject({
    status: 0,
    body: 'connect ECONNREFUSED 127.0.0.1:1',
  })
})

test('only this machine is called', async () => {
  const { github } = await shopAtGitHub()

  expect(() => github.addHook('acme/shop', { url: 'https://deploy.example.org/' })).toThrow(
    'The double delivers to http addresses of this machine only, not to https://deploy.example.org/',
  )
})

test.each([
  ['before', ['webhook', 'answer']],
  ['after', ['answer', 'webhook']],
  ['without', ['answer']],
] as const)('the webhook of a new deployment comes %s the answer', async (timing, expected) => {
  const { github } = await shopAtGitHub()
  const order: string[] = []
  const { url, received } = await receiver(202, () => order.push('webhook'))
  github.addHook('acme/shop', { url, secret: SECRET, contentType: 'json', events: ['deployment'] })
  github.setWebhookTiming(timing)
  github.onExchange(() => order.push('answer'))

  const made = await post(github, `${SHOP}/deployments`, { ref: 'main' })
  await github.idle()

  expect(order).toEqual(expected)
  for (const { body } of received) expect(JSON.parse(body)).toMatchObject({ deployment: made.body })
})

test('a deployment made in process is delivered before the call returns', async () => {
  const { github } = await shopAtGitHub()
  const { url, received } = await receiver()
  github.addHook('acme/shop', { url, events: ['deployment'] })

  const { deployment, deliveries } = await github.createDeployment('acme/shop', { ref: 'main' }, 'hubot')

  expect(deliveries).toMatchObject([{ status: 202 }])
  expect(received).toHaveLength(1)
  expect(deployment.creator.login).toBe('hubot')
})

test('hooks hear of statuses, but not of inactive ones', async () => {
  const { github } = await shopAtGitHub()
  const { url, received } = await receiver()
  github.addHook('acme/shop', { url, events: ['deployment_status'], contentType: 'json' })
  const { deployment } = await github.createDeployment('acme/shop', { ref: 'main' })

  for (const state of ['queued', 'inactive', 'success'])
    await post(github, `${SHOP}/deployments/${deployment.id}/statuses`, { state })
  await github.idle()

  const states = received.map(
    ({ body }) => (JSON.parse(body) as { deployment_status: { state: string } }).deployment_status.state,
  )
  expect(states.toSorted()).toEqual(['queued', 'success'])
})

test('merging the default branch in is a push of its own', async () => {
  const { github, sha } = await shopAtGitHub()
  const { url, received } = await receiver()
  github.addHook('acme/shop', { url, contentType: 'json' })
  github.setBranch('acme/shop', 'topic', sha, 'mergeable')

  await post(github, `${SHOP}/deployments`, { ref: 'topic' })
  await github.idle()

  expect(JSON.parse(received[0]?.body ?? '')).toMatchObject({ ref: 'refs/heads/topic', before: sha })
})
