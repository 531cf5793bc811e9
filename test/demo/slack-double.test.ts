import { IncomingWebhook } from '@slack/webhook'
import { expect, test } from 'vitest'

import { slackForTest } from '../support/doubles.ts'

interface Said {
  readonly status: number
  readonly body: string
}

async function say(url: string, message: unknown, contentType = 'application/json'): Promise<Said> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': contentType },
    body: typeof message === 'string' ? message : JSON.stringify(message),
  })
  return { status: response.status, body: await response.text() }
}

const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text } })

test('the official client gets its message through', async () => {
  const slack = await slackForTest()
  const blocks = [section('*Deployed*')]

  const sent = await new IncomingWebhook(slack.url).send({ text: 'Deployed', blocks })

  expect(sent.text).toBe('ok')
  expect(slack.messages).toMatchObject([{ text: 'Deployed', blocks }])
})

test('a form with a payload is taken too', async () => {
  const slack = await slackForTest()
  const form = new URLSearchParams({ payload: '{"text":"Deployed"}' }).toString()

  expect(await say(slack.url, form, 'application/x-www-form-urlencoded')).toEqual({ status: 200, body: 'ok' })
  expect(slack.messages).toMatchObject([{ text: 'Deployed' }])
})

test('a message can be waited for', async () => {
  const slack = await slackForTest()

  const waiting = slack.waitFor(({ text }) => text === 'second')
  await say(slack.url, { text: 'first' })
  await say(slack.url, { text: 'second' })

  expect(await waiting).toMatchObject({ body: { text: 'second' } })
})

test.each([
  ['nothing to say', {}, 'no_text'],
  ['an empty text', { text: '' }, 'no_text'],
  ['no JSON', '{', 'invalid_payload'],
  ['a list', '[]', 'invalid_payload'],
  ['a text that is none', { text: 1 }, 'invalid_payload'],
  ['51 blocks', { blocks: Array.from({ length: 51 }, () => ({ type: 'divider' })) }, 'invalid_blocks'],
  ['a section of 3,001 characters', { blocks: [section('x'.repeat(3001))] }, 'invalid_blocks'],
  ['an empty section', { blocks: [section('')] }, 'invalid_blocks'],
  ['a section without text', { blocks: [{ type: 'section' }] }, 'invalid_blocks'],
  [
    'eleven fields',
    {
      blocks: [
        { type: 'section', fields: Array.from({ length: 11 }, () => ({ type: 'mrkdwn', text: 'x' })) },
      ],
    },
    'invalid_blocks',
  ],
  [
    'a header in mrkdwn',
    { blocks: [{ type: 'header', text: { type: 'mrkdwn', text: 'x' } }] },
    'invalid_blocks',
  ],
  [
    'a header of 151 characters',
    { blocks: [{ type: 'header', text: { type: 'plain_text', text: 'x'.repeat(151) } }] },
    'invalid_blocks',
  ],
  [
    'eleven words of context',
    {
      blocks: [
        { type: 'context', elements: Array.from({ length: 11 }, () => ({ type: 'mrkdwn', text: 'x' })) },
      ],
    },
    'invalid_blocks',
  ],
  ['an unknown block', { blocks: [{ type: 'banner' }] }, 'invalid_blocks'],
  [
    'a block id twice',
    { blocks: [1, 2].map(() => ({ ...section('x'), block_id: 'same' })) },
    'invalid_blocks',
  ],
  [
    'blocks of 15,000 characters',
    { blocks: Array.from({ length: 5 }, () => section('x'.repeat(3000))) },
    'msg_blocks_too_long',
  ],
  [
    '101 attachments',
    { text: 'x', attachments: Array.from({ length: 101 }, () => ({})) },
    'too_many_attachments',
  ],
])('%s is refused', async (_, message, word) => {
  const slack = await slackForTest()

  expect(await say(slack.url, message)).toEqual({ status: 400, body: word })
  expect(slack.messages).toEqual([])
})

test('all that is just within the limits is taken', async () => {
  const slack = await slackForTest()
  const blocks = [
    { type: 'header', text: { type: 'plain_text', text: 'x'.repeat(150) } },
    section('x'.repeat(3000)),
    { type: 'section', fields: Array.from({ length: 10 }, () => ({ type: 'mrkdwn', text: 'x' })) },
    { type: 'context', elements: Array.from({ length: 10 }, () => ({ type: 'mrkdwn', text: 'x' })) },
    {
      type: 'actions',
      elements: [{ type: 'button', text: { type: 'plain_text', text: 'Log' }, url: 'https://x.example.org' }],
    },
    ...Array.from({ length: 45 }, () => ({ type: 'divider' })),
  ]

  expect(await say(slack.url, { text: 'x', blocks })).toEqual({ status: 200, body: 'ok' })
})

test('an address that was never given out is no_service', async () => {
  const slack = await slackForTest()

  expect(await say(`${slack.url}x`, { text: 'x' })).toEqual({ status: 404, body: 'no_service' })
})

test('a scripted limit says when to come back', async () => {
  const slack = await slackForTest()
  slack.fail({ with: { status: 429, headers: { 'retry-after': '7' }, body: 'rate_limited' } })

  const limited = await fetch(slack.url, { method: 'POST', body: '{"text":"x"}' })

  expect(limited.status).toBe(429)
  expect(limited.headers.get('retry-after')).toBe('7')
  expect(await limited.text()).toBe('rate_limited')
  expect(await say(slack.url, { text: 'x' })).toMatchObject({ status: 200 })
  expect(slack.requests.map(({ status }) => status)).toEqual([429, 200])
})

test('an answer can be lost with the message shown, or with nothing done', async () => {
  const slack = await slackForTest()
  slack.fail({ with: 'reset' })
  slack.fail({ with: 'reset-after-applying' })

  await expect(say(slack.url, { text: 'first' })).rejects.toThrow('fetch failed')
  await expect(say(slack.url, { text: 'second' })).rejects.toThrow('fetch failed')

  expect(slack.messages.map(({ text }) => text)).toEqual(['second'])
})

test('a message can be held at the gate', async () => {
  const slack = await slackForTest()
  const gate = slack.hold()

  const said = say(slack.url, { text: 'x' })
  await gate.arrived()
  expect(slack.messages).toEqual([])
  gate.release()

  expect(await said).toMatchObject({ status: 200 })
})
