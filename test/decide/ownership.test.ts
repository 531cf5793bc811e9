import { expect, test } from 'vitest'

import { judgeOwnership, mayBeForeign, refuseForeign } from '../../src/decide/ownership.ts'
import type { Ownership } from '../../src/github/github.ts'
import { clientOf, refusalOf, shopAtGitHub } from '../support/doubles.ts'
import { runningDeployment } from '../support/running.ts'
import { SHA } from '../support/samples.ts'

const SHOP = 'acme/shop'

test('a commit of the repository goes on', async () => {
  const { github, sha } = await shopAtGitHub()

  expect(await refuseForeign({ repository: SHOP, sha, ref: 'main' }, clientOf(github))).toBeUndefined()
})

test('a commit of a fork is refused, whatever it is said to be on', async () => {
  const { github } = await shopAtGitHub()
  const [commit] = github.pushToFork(SHOP, 'mallory/shop', [
    { sha: 'b'.repeat(40), message: 'Sell for nothing' },
  ])
  const sha = commit?.sha ?? ''

  for (const ref of ['main', sha, 'refs/pull/1/head'])
    expect(await refuseForeign({ repository: SHOP, sha, ref }, clientOf(github))).toEqual({
      kind: 'end',
      state: 'failed',
      reason: 'foreign_commit',
      detail:
        'Not deployed: bbbbbbb is on no branch or tag of acme/shop, but perhaps on a fork’s. Push it to a branch there.',
    })
})

test('a token that may not read the code refuses nothing', async () => {
  const { github } = await shopAtGitHub()
  const [commit] = github.pushToFork(SHOP, 'mallory/shop', [{ message: 'Sell for nothing' }])
  github.addToken('narrow', { type: 'classic', login: 'mona', scopes: ['repo_deployment'] })

  const asked = { repository: SHOP, sha: commit?.sha ?? '', ref: 'main' }

  expect(await refuseForeign(asked, clientOf(github, 'narrow'))).toBeUndefined()
})

test('GitHub being away is no answer', async () => {
  const { github, sha } = await shopAtGitHub()
  github.fail({ with: { status: 502, body: '<html>' } })

  const asking = refuseForeign({ repository: SHOP, sha, ref: 'main' }, clientOf(github))

  expect((await refusalOf(asking)).status).toBe(502)
})

test.each(['main', 'v1.2', 'refs/heads/main', 'refs/tags/v1', 'abc', 'feature/deadbeef-fix', 'pulls/7'])(
  'GitHub has found %s in the repository itself',
  (ref) => {
    expect(mayBeForeign(ref)).toBe(false)
  },
)

test.each([
  SHA,
  SHA.slice(0, 7),
  SHA.toUpperCase(),
  `v1-3-g${SHA.slice(0, 7)}`,
  'refs/pull/7/head',
  'pull/7/merge',
  'refs/remotes/mallory/main',
  'main^',
  '',
])('whose commit "%s" is has to be asked', (ref) => {
  expect(mayBeForeign(ref)).toBe(true)
})

const judged = (answer: Ownership, given: Parameters<typeof runningDeployment>[0], age = 60_000) => {
  const asked: unknown[] = []
  const isOwnCommit = (...words: unknown[]): Promise<Ownership> => {
    asked.push(words)
    return Promise.resolve(answer)
  }
  const parts = { github: () => ({ isOwnCommit }), elapsed: () => age }
  return judgeOwnership(runningDeployment({ ref: SHA, ...given }), parts).then((outcome) => ({
    outcome,
    asked,
  }))
}

test.each(['yes', 'unknown'] as const)('an answer of "%s" stands in the way of nothing', async (answer) => {
  expect(await judged(answer, {})).toEqual({ outcome: undefined, asked: [['acme/shop', SHA, SHA]] })
})

test('a "no" is asked for once more before it counts', async () => {
  expect((await judged('no', {}, 1_000)).outcome).toEqual({
    kind: 'wait',
    reason: 'commit_unchecked',
    detail: `GitHub does not show ${SHA.slice(0, 7)} on a branch or tag of acme/shop`,
    lookAgainMs: 4_000,
  })
  expect((await judged('no', {}, 5_000)).outcome).toMatchObject({ kind: 'end', reason: 'foreign_commit' })
})

test('where there are more branches than are looked at, that is what is said', async () => {
  expect((await judged('unclear', {}, 1_000)).outcome).toMatchObject({
    reason: 'commit_unchecked',
    detail: `GitHub does not show ${SHA.slice(0, 7)} on the branches and tags of acme/shop that were looked at`,
  })
  expect((await judged('unclear', {}, 5_000)).outcome).toMatchObject({
    kind: 'end',
    reason: 'ownership_unclear',
    detail: `Not deployed: ${SHA.slice(0, 7)} is not on the branches and tags of acme/shop that were looked at. Name its branch or tag.`,
  })
})

test.each([{ ref: 'main' }, { origin: 'merge' }, { origin: 'person' }] as const)(
  'nothing is asked about %o',
  async (given) => {
    expect(await judged('no', given)).toEqual({ outcome: undefined, asked: [] })
  },
)
