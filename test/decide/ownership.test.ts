import { expect, test } from 'vitest'

import { refuseForeign } from '../../src/decide/ownership.ts'
import { clientOf, refusalOf, shopAtGitHub } from '../support/doubles.ts'

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
