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
