import { expect, test } from 'vitest'

import { createGitHubPace } from '../../src/github/pace.ts'
import { githubChannel } from '../../src/report/github-channel.ts'
import type { SettledReport } from '../../src/store/store.ts'
import { clientOf, shopAtGitHub } from '../support/doubles.ts'
import { deployment } from '../support/samples.ts'

const IN_LINE = { state: 'queued', description: 'Waiting in line as acme/shop/production#12' } as const
const LOCKED = { state: 'queued', description: 'Held as acme/shop/production#12: locked' } as const

const settled = (id: number, body: object): SettledReport => ({
  id,
  channel: 'github',
  body,
  state: 'delivered',
  attempts: 1,
  lastError: undefined,
})

test.each([
  ['was lost', [IN_LINE, LOCKED], 3],
  ['arrived, but not its answer', [IN_LINE, LOCKED, IN_LINE], 3],
])(
  'what is said again in the words of before and %s is there once more at the end',
  async (_what, there, times) => {
    const { github } = await shopAtGitHub()
    const { deployment: made } = await github.createDeployment('acme/shop', { ref: 'main' })
    const client = clientOf(github)
    for (const status of there) await client.createStatus('acme/shop', made.id, status)
    const channel = githubChannel(() => client, {
      outbox: { of: () => Promise.resolve([settled(1, IN_LINE), settled(2, LOCKED)]) },
      pace: () => createGitHubPace(480),
      clock: () => 0,
    })

    const report = {
      id: 3,
      channel: 'github',
      body: IN_LINE,
      attempts: 1,
      createdAt: 0,
      barredSince: undefined,
    }
    await channel.send({ ...report, isFinal: false, deployment: deployment({ githubId: made.id }) }, true)

    const said = github.statusesOf(made.id).map(({ description }) => description)
    expect(said).toHaveLength(times)
    expect(said.at(-1)).toBe(IN_LINE.description)
  },
)

test.each([
  [
    'of a deployment that is not there',
    'acme/shop',
    ['repo_deployment'],
    4_711,
    'there is no such deployment',
  ],
  ['to a token that sees no such repository', 'acme/shop', [], undefined, 'a token that may not see this'],
  ['to a token that may write no statuses', 'acme/open', [], undefined, 'a token that may not see this'],
])('a 404 %s', async (_what, repository, scopes, missing, says) => {
  const { github } = await shopAtGitHub()
  github.addRepository('acme/open', { id: 18, isPrivate: false })
  github.addToken('other', { login: 'robot', type: 'classic', scopes })
  const { deployment: made } = await github.createDeployment(repository, { ref: 'main' })
  const channel = githubChannel(() => clientOf(github, 'other'), {
    outbox: { of: () => Promise.resolve([]) },
    pace: () => createGitHubPace(480),
    clock: () => 0,
  })
  const about = deployment({ repository, githubId: missing ?? made.id })
  const report = {
    id: 1,
    channel: 'github',
    body: IN_LINE,
    attempts: 0,
    createdAt: 0,
    barredSince: undefined,
  }

  const failure = await channel
    .send({ ...report, isFinal: false, deployment: about }, false)
    .catch((thrown: unknown) => channel.failureOf(thrown))

  expect(failure).toMatchObject({ status: 404, final: missing !== undefined })
  expect(failure).toHaveProperty('message', expect.stringContaining(says))
})
