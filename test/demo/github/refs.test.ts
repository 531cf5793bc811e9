import { expect, test } from 'vitest'

import { ask, shopAtGitHub } from '../../support/doubles.ts'

const SHOP = '/repos/acme/shop'

test('branches and tags are listed with the commits they lead to', async () => {
  const { github, sha } = await shopAtGitHub()
  github.setBranch('acme/shop', 'feature/tea', sha)
  github.setTag('acme/shop', 'v1', sha)
  github.setTag('acme/shop', 'v2', github.setTag('acme/shop', 'v2-rc', sha, 'Nearly there'), 'There')

  const branches = await ask(github, `${SHOP}/branches?per_page=1`)
  const tags = await ask(github, `${SHOP}/tags`)

  expect(branches.body).toMatchObject([{ name: 'feature/tea', commit: { sha } }])
  expect(branches.headers.get('link')).toContain('page=2')
  expect(tags.body).toMatchObject([
    { name: 'v2-rc', commit: { sha } },
    { name: 'v2', commit: { sha } },
    { name: 'v1', commit: { sha } },
  ])
})

test('a ref shows what it points at, and an annotated tag the way to its commit', async () => {
  const { github, sha } = await shopAtGitHub()
  const tag = github.setTag('acme/shop', 'v1', sha, 'The first')

  const branch = await ask(github, `${SHOP}/git/ref/heads%2Fmain`)
  const annotated = await ask(github, `${SHOP}/git/ref/tags/v1`)
  const object = await ask(github, `${SHOP}/git/tags/${tag}`)

  expect(branch.body).toMatchObject({ ref: 'refs/heads/main', object: { type: 'commit', sha } })
  expect(annotated.body).toMatchObject({ ref: 'refs/tags/v1', object: { type: 'tag', sha: tag } })
  expect(object.body).toMatchObject({ tag: 'v1', message: 'The first', object: { type: 'commit', sha } })
})

test('what is not there, or only begins so, is not found', async () => {
  const { github, sha } = await shopAtGitHub()

  for (const path of ['git/ref/heads/mai', 'git/ref/tags/main', 'git/ref/pull/1', `git/tags/${sha}`])
    expect((await ask(github, `${SHOP}/${path}`)).status).toBe(404)
})

test('a commit of a fork is shown by its id, and is on no branch', async () => {
  const { github } = await shopAtGitHub()
  const [commit] = github.pushToFork('acme/shop', 'mallory/shop', [{ message: 'Sell for nothing' }])
  const sha = commit?.sha ?? ''

  expect((await ask(github, `${SHOP}/commits/${sha}`)).body).toMatchObject({ sha })
  expect((await ask(github, `${SHOP}/compare/main...${sha}`)).body).toMatchObject({ status: 'ahead' })
  expect(JSON.stringify((await ask(github, `${SHOP}/branches`)).body)).not.toContain(sha)
})

test('the beginning of two ids names no commit', async () => {
  const { github } = await shopAtGitHub()
  github.addCommits('acme/shop', [
    { sha: `abcdef0${'1'.repeat(33)}`, message: 'One' },
    { sha: `abcdef0${'2'.repeat(33)}`, message: 'Other' },
  ])

  expect((await ask(github, `${SHOP}/commits/abcdef0`)).status).toBe(422)
  expect((await ask(github, `${SHOP}/commits/abcdef02`)).status).toBe(200)
})
