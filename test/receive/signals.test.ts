import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { Reading } from '../../src/deployment/signal.ts'
import { FerrymanError } from '../../src/errors.ts'
import { readSignal } from '../../src/receive/signals.ts'
import { deploymentEvent } from '../support/payloads.ts'

const signalOf = (reading: Reading) => {
  if ('ignored' in reading) throw new Error(`ignored: ${reading.ignored}`)
  return reading.signal
}

test('a deployment event says which commit is to go where, and who wants it', () => {
  const event = deploymentEvent({ environment: 'staging', ref: 'topic', task: 'migrate', description: 'now' })

  expect(signalOf(readSignal('deployment', event))).toEqual({
    kind: 'deployment',
    repository: { githubId: event.repository.id, name: 'acme/shop', isPrivate: true },
    githubId: event.deployment.id,
    sha: event.deployment.sha,
    ref: 'topic',
    task: 'migrate',
    environment: 'staging',
    description: 'now',
    payload: '{}',
    actor: 'mona',
    creator: 'mona',
    creatorAvatar: 'https://avatars.example.org/mona',
    apiUrl: event.deployment.url,
    byActions: false,
  })
})

describe('the payload', () => {
  test.each([
    ['an object', { a: 1 }, '{"a":1}'],
    ['JSON as text', '{ "a": 1 }', '{"a":1}'],
    ['other text', 'tonight, please', '"tonight, please"'],
    ['an empty text', '', '{}'],
    ['null', null, '{}'],
    ['nothing', undefined, '{}'],
    ['a number', 5, '5'],
  ])('as %s becomes JSON text', (_kind, payload, json) => {
    expect(signalOf(readSignal('deployment', deploymentEvent({ payload }))).payload).toBe(json)
  })

  test('names the person behind a robot', () => {
    const event = deploymentEvent({
      payload: { deploy_user: 'hubot-user' },
      creator: { login: 'acme-bot[bot]' },
    })

    const { actor, creator } = signalOf(readSignal('deployment', event))

    expect([actor, creator]).toEqual(['hubot-user', 'acme-bot[bot]'])
  })

  test.each(['<!channel>', 'a b', '-rf', '', 'x'.repeat(101), 5, { login: 'x' }])(
    'with the deploy_user %j names nobody',
    (deploy_user) => {
      expect(signalOf(readSignal('deployment', deploymentEvent({ payload: { deploy_user } }))).actor).toBe(
        'mona',
      )
    },
  )

  test('of any shape is read without an error', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (payload) => {
        const text = signalOf(readSignal('deployment', deploymentEvent({ payload }))).payload
        expect(() => JSON.parse(text) as unknown).not.toThrow()
      }),
    )
  })
})

test("a deployment by a deleted account is the ghost's", () => {
  const event = { ...deploymentEvent({ creator: null }), sender: null }

  expect(signalOf(readSignal('deployment', event)).actor).toBe('ghost')
})

test('a deployment that an Actions job made is marked', () => {
  const event = { ...deploymentEvent(), workflow_run: { id: 1 } }

  expect(signalOf(readSignal('deployment', event)).byActions).toBe(true)
})

test.each([
  ['ping', {}, 'ping'],
  ['deployment_status', { action: 'created' }, 'deployment_status_noted'],
  ['watch', { action: 'started' }, 'event_not_used'],
  ['deployment', { action: 'edited' }, 'action_not_used'],
])('%s %j is ignored as %s', (event, body, reason) => {
  expect(readSignal(event, body)).toMatchObject({ ignored: reason })
})

describe('a deployment event that GitHub would not send', () => {
  const refusal = (change: object): string => {
    const event = deploymentEvent()
    try {
      readSignal('deployment', { ...event, deployment: { ...event.deployment, ...change } })
    } catch (thrown) {
      if (thrown instanceof FerrymanError) return thrown.message
      throw thrown
    }
    return 'was read'
  }
  const wrong = (list: string) => `This is no deployment event as GitHub sends it: ${list}.`

  test.each([
    [{ sha: 'main' }, 'deployment.sha: must be a full commit id of 40 or 64 hexadecimal digits'],
    [
      { sha: `${'a'.repeat(39)}\n` },
      'deployment.sha: must be a full commit id of 40 or 64 hexadecimal digits',
    ],
    [{ ref: 'a\0b' }, 'deployment.ref: must not hold a NUL character'],
    [{ environment: '' }, 'deployment.environment: Too small: expected string to have >=1 characters'],
    [{ id: -1 }, 'deployment.id: Too small: expected number to be >0'],
    [
      { task: 7, ref: null },
      'deployment.ref: Invalid input: expected string, received null; deployment.task: Invalid input: expected string, received number',
    ],
  ])('with %j is refused and says why', (change, list) => {
    expect(refusal(change)).toBe(wrong(list))
  })

  test('of any shape at all is refused, never misread', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (body) => {
        try {
          expect(readSignal('deployment', body)).toHaveProperty('ignored')
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(FerrymanError)
        }
      }),
    )
  })
})
