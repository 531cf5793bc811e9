import { expect, test } from 'vitest'

import { ask, shopAtGitHub } from '../../support/doubles.ts'

const SHOP = '/repos/acme/shop'

test.each(['merge', 'squash', 'rebase'] as const)(
  'a pull request that was merged by %s is found by the commit that came of it',
  async (method) => {
    const { github } = await shopAtGitHub()
    const merged = { number: 7, title: 'Sell tea', author: 'octo', by: 'mona', method }
    const { sha } = await github.merge('acme/shop', merged)

    const { body } = await ask(github, `${SHOP}/commits/${sha}/pulls`)
    const one = await ask(github, `${SHOP}/pulls/7`)

    expect(body).toMatchObject([{ number: 7, merge_commit_sha: sha, base: { ref: 'main' } }])
    expect(one.body).toMatchObject({
      number: 7,
      title: 'Sell tea',
      merged: true,
      merge_commit_sha: sha,
      merged_by: { login: 'mona' },
      user: { login: 'octo' },
    })
  },
)

test('the commits of a pull request lead to it, too', async () => {
  const { github } = await shopAtGitHub()
  const tea = 'b'.repeat(40)
  const commits = [{ sha: tea, message: 'Sell tea' }]
  await github.merge('acme/shop', { number: 7, title: 'Tea', author: 'octo', method: 'merge', commits })

  expect((await ask(github, `${SHOP}/commits/${tea}/pulls`)).body).toMatchObject([{ number: 7 }])
})

test('a commit that was pushed leads to none, and what is not there is refused as GitHub does', async () => {
  const { github, sha } = await shopAtGitHub()

  expect((await ask(github, `${SHOP}/commits/${sha}/pulls`)).body).toEqual([])
  expect(await ask(github, `${SHOP}/commits/none/pulls`)).toMatchObject({
    status: 422,
    body: { message: 'No commit found for SHA: none' },
  })
  expect((await ask(github, `${SHOP}/pulls/8`)).status).toBe(404)
})
