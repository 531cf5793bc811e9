import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { DeploymentSignal, Reading } from '../../src/deployment/signal.ts'
import { FerrymanError } from '../../src/errors.ts'
import { readSignal } from '../../src/receive/signals.ts'
import { deploymentEvent } from '../support/payloads.ts'
import { SHA } from '../support/samples.ts'

const signalOf = (reading: Reading): DeploymentSignal => {
  if ('ignored' in reading) throw new Error(`ignored: ${reading.ignored}`)
  if (reading.signal.kind !== 'deployment') throw new Error(`It is a ${reading.signal.kind}.`)
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
    nonce: undefined,
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

  test.each([
    ['text', 'x'.repeat(1_048_577)],
    ['an object', { a: 'x'.repeat(1_048_570) }],
  ])('is refused as %s of more than 1 MB: each that waits is kept in memory', (_kind, payload) => {
    expect(() => readSignal('deployment', deploymentEvent({ payload }))).toThrow(
      'deployment.payload: is larger than 1 MB',
    )
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

const repository = { id: 17, full_name: 'acme/shop', private: true, default_branch: 'main' }
const mona = { login: 'mona', avatar_url: 'https://avatars.example.org/mona' }
const pullRequest = (given: object = {}) => ({
  action: 'closed',
  pull_request: {
    number: 3,
    title: 'Faster',
    merged: true,
    merge_commit_sha: SHA,
    merged_by: mona,
    user: { login: 'octo' },
    base: { ref: 'main' },
    head: { ref: 'topic', sha: 'b'.repeat(40), repo: null },
    ...given,
  },
  repository,
  sender: { login: 'somebody' },
})
const push = (given: object = {}) => ({
  ref: 'refs/heads/release/2',
  before: 'b'.repeat(40),
  after: SHA,
  deleted: false,
  head_commit: { message: 'Faster\n\nMuch.' },
  pusher: { name: 'mona' },
  repository,
  sender: mona,
  ...given,
})

describe('a merged pull request', () => {
  test('says which commit came of it, where, and who merged', () => {
    expect(readSignal('pull_request', pullRequest())).toEqual({
      signal: {
        kind: 'merge',
        repository: { githubId: 17, name: 'acme/shop', isPrivate: true, defaultBranch: 'main' },
        branch: 'main',
        sha: SHA,
        title: '#3 Faster',
        pullRequest: 3,
        actor: 'mona',
        actorAvatar: 'https://avatars.example.org/mona',
        authors: ['octo'],
      },
    })
  })

  test('whose author has no account any more has none', () => {
    expect(readSignal('pull_request', pullRequest({ user: null }))).toMatchObject({ signal: { authors: [] } })
  })

  test('whose merger has no account any more is that of the sender', () => {
    expect(readSignal('pull_request', pullRequest({ merged_by: null }))).toMatchObject({
      signal: { actor: 'somebody' },
    })
  })

  test('that was only closed deploys nothing', () => {
    expect(readSignal('pull_request', pullRequest({ merged: false, merge_commit_sha: null }))).toEqual({
      ignored: 'not_merged',
      detail: 'The pull request was closed without being merged. (#3)',
    })
  })

  test('without a commit is refused', () => {
    expect(() => readSignal('pull_request', pullRequest({ merge_commit_sha: null }))).toThrow(
      'pull_request.merge_commit_sha: a merged pull request must name its commit',
    )
  })

  test.each(['opened', 'synchronize', 'reopened'])('and one that was %s says nothing', (action) => {
    expect(readSignal('pull_request', { ...pullRequest(), action })).toMatchObject({
      ignored: 'action_not_used',
    })
  })
})

describe('a push', () => {
  test('says what the branch is at now', () => {
    expect(readSignal('push', push())).toMatchObject({
      signal: { kind: 'push', branch: 'release/2', sha: SHA, title: 'Faster', actor: 'mona' },
    })
  })

  test.each([
    ['of a tag', { ref: 'refs/tags/v1' }, 'not_a_branch'],
    ['of another ref', { ref: 'refs/notes/commits' }, 'not_a_branch'],
    ['that deletes', { deleted: true, after: '0'.repeat(40), head_commit: null }, 'branch_deleted'],
    ['to nothing', { after: '0'.repeat(40), head_commit: null }, 'branch_deleted'],
  ])('%s deploys nothing', (_what, given, reason) => {
    expect(readSignal('push', push(given))).toMatchObject({ ignored: reason })
  })

  test('is the change of whoever pushed it, and of the author of its head where GitHub knows them', () => {
    const authorsOf = (given: object) => {
      const reading = readSignal('push', push(given))
      return 'signal' in reading && reading.signal.kind === 'push' ? reading.signal.authors : undefined
    }
    const head = (author: object | null) => ({ head_commit: { message: 'Faster', author } })

    expect(authorsOf({})).toEqual(['mona'])
    expect(authorsOf(head({ name: 'Octo', username: 'octo' }))).toEqual(['mona', 'octo'])
    expect(authorsOf({ ...head({ name: 'Octo' }), pusher: { name: 'robot' } })).toEqual(['robot', 'mona'])
    expect(authorsOf(head(null))).toEqual(['mona'])
  })

  test('without a sender is by who pushed', () => {
    expect(readSignal('push', push({ sender: null }))).toMatchObject({ signal: { actor: 'mona' } })
  })
})

test.each([
  ['status', { sha: SHA, repository }],
  ['check_run', { action: 'completed', check_run: { head_sha: SHA }, repository }],
  ['check_suite', { action: 'requested', check_suite: { head_sha: SHA }, repository }],
])('%s says that the checks of a commit have moved', (event, body) => {
  expect(readSignal(event, body)).toEqual({
    signal: { kind: 'checks', repository: { githubId: 17, name: 'acme/shop', isPrivate: true }, sha: SHA },
  })
})

test('the payload of a deployment of our own carries its nonce; what does not look like one is none', () => {
  const nonce = '0123456789abcdef0123456789abcdef'
  const nonceOf = (ferryman: unknown) =>
    signalOf(readSignal('deployment', deploymentEvent({ payload: { ferryman } }))).nonce

  expect([nonce, `${nonce}0`, 5, { a: 1 }].map(nonceOf)).toEqual([nonce, undefined, undefined, undefined])
})
