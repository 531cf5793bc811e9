import { expect, test } from 'vitest'

import { createGitHubPace } from '../../src/github/pace.ts'
import { commitChannel } from '../../src/report/commit-channel.ts'
import { githubChannel } from '../../src/report/github-channel.ts'
import type { OwedReport } from '../../src/store/store.ts'
import { clientOf, shopAtGitHub } from '../support/doubles.ts'
import { deployment } from '../support/samples.ts'

const SHORT = 'https://logs.example.org/1.log'
const LONG = `${SHORT}?${'x'.repeat(1_000)}`

/** Sends a status with that link as each channel does, where GitHub refuses the first try. */
async function sent(link: string, status: number) {
  const { github, sha } = await shopAtGitHub()
  const made = await github.createDeployment('acme/shop', { ref: 'main' })
  const client = clientOf(github)
  const toGitHub = githubChannel(() => client, {
    outbox: { of: () => Promise.resolve([]) },
    pace: () => createGitHubPace(480),
    clock: () => 0,
  })
  const toCommits = commitChannel(() => client, toGitHub)
  const about = deployment({ githubId: made.deployment.id, sha })
  const bodies = [
    { state: 'failure', description: 'no', logUrl: link },
    {
      sha,
      context: 'ferryman/production',
      state: 'failure',
      description: 'no',
      targetUrl: link,
      onlyOverPending: false,
    },
  ]
  const ends = []
  for (const [index, channel] of [toGitHub, toCommits].entries()) {
    github.fail({ method: 'POST', with: { status, body: { message: 'Validation Failed' } } })
    const report: OwedReport = {
      id: index,
      channel: channel.channel,
      body: bodies[index],
      deployment: about,
      attempts: 0,
      createdAt: 0,
      barredSince: undefined,
      isFinal: true,
    }
    ends.push(
      await channel.send(report, false).then(
        () => 'written',
        ({ message }: Error) => message,
      ),
    )
  }
  const linkIn = (body: unknown): unknown => {
    const { log_url: log, target_url: target } = Object(body) as Record<string, unknown>
    return log ?? target
  }
  return { ends, links: github.requests.map(({ body }) => linkIn(body)) }
}

test('a status that GitHub refuses with a very long link is written without it', async () => {
  const { ends, links } = await sent(LONG, 422)

  expect(ends).toEqual(['written', 'written'])
  expect(links).toEqual([LONG, undefined, LONG, undefined])
})

test.each([
  [SHORT, 422],
  [LONG, 502],
])('one with %.30s that is answered %s is not sent otherwise', async (link, status) => {
  const { ends, links } = await sent(link, status)

  expect(ends).toEqual(ends.map(() => `GitHub answered ${status}: Validation Failed`))
  expect(links).toEqual([link, link])
})
