import { expect, test } from 'vitest'

import { ask, post, shopAtGitHub } from '../../support/doubles.ts'

const SHOP = '/repos/acme/shop'
const NOW = Date.UTC(2026, 10, 21, 12)

test.each(['token', 'bearer', 'Bearer'])('a token is taken after the word %s', async (word) => {
  const { github } = await shopAtGitHub()

  const answer = await ask(github, '/user', { token: '', headers: { authorization: `${word} mona-token` } })

  expect(answer).toMatchObject({ status: 200, body: { login: 'mona' } })
})

test('an unknown token, a revoked one and an expired one are bad credentials', async () => {
  const { github } = await shopAtGitHub({ clock: () => NOW })
  github.addToken('old', { type: 'classic', login: 'mona', scopes: ['repo'], expiresAt: NOW })
  github.revokeToken('mona-token')

  for (const token of ['nonsense', 'old', 'mona-token'])
    expect(await ask(github, '/user', { token })).toMatchObject({
      status: 401,
      body: { message: 'Bad credentials' },
    })
})

test('a classic token shows its scopes, and any token when it expires', async () => {
  const { github } = await shopAtGitHub({ clock: () => NOW })
  github.addToken('short', {
    type: 'fine-grained',
    login: 'mona',
    permissions: { deployments: 'read' },
    expiresAt: Date.UTC(2026, 11, 24, 18, 30),
  })

  const classic = await ask(github, `${SHOP}/deployments`)
  const fine = await ask(github, `${SHOP}/deployments`, { token: 'short' })

  expect(classic.headers.get('x-oauth-scopes')).toBe('repo')
  expect(classic.headers.get('x-accepted-oauth-scopes')).toBe('repo, repo_deployment')
  expect(classic.headers.get('github-authentication-token-expiration')).toBeNull()
  expect(fine.headers.get('x-oauth-scopes')).toBeNull()
  expect(fine.headers.get('github-authentication-token-expiration')).toBe('2026-12-24 18:30:00 UTC')
})

test('a private repository is not there for who may not see it', async () => {
  const { github } = await shopAtGitHub()
  github.addToken('other', {
    type: 'fine-grained',
    login: 'mona',
    permissions: {},
    repositories: ['acme/blog'],
  })
  github.addToken('scopeless', { type: 'classic', login: 'mona', scopes: [] })

  for (const token of ['other', 'scopeless', ''])
    expect(await ask(github, SHOP, { token })).toMatchObject({ status: 404, body: { message: 'Not Found' } })
})

test('a scope for deployments alone opens the deployments and nothing else', async () => {
  const { github } = await shopAtGitHub()
  github.addToken('narrow', { type: 'classic', login: 'mona', scopes: ['repo_deployment'] })

  expect((await ask(github, `${SHOP}/deployments`, { token: 'narrow' })).status).toBe(200)
  expect((await post(github, `${SHOP}/deployments`, { ref: 'main' }, { token: 'narrow' })).status).toBe(201)
  expect((await ask(github, `${SHOP}/commits/main`, { token: 'narrow' })).status).toBe(404)
})

test.each([
  ['fine-grained', 'Resource not accessible by personal access token'],
  ['app', 'Resource not accessible by integration'],
] as const)('a %s token without the right is told which one is missing', async (type, message) => {
  const { github } = await shopAtGitHub()
  github.addToken('reader', {
    type,
    login: 'ferryman[bot]',
    permissions: { deployments: 'read' },
    repositories: ['Acme/Shop'],
  })

  const refused = await post(github, `${SHOP}/deployments`, { ref: 'main' }, { token: 'reader' })

  expect(refused).toMatchObject({ status: 403, body: { message } })
  expect(refused.headers.get('x-accepted-github-permissions')).toBe('deployments=write')
  expect((await ask(github, `${SHOP}/deployments`, { token: 'reader' })).status).toBe(200)
})

test('a public repository can be read by everybody and written by few', async () => {
  const { github } = await shopAtGitHub()
  github.addRepository('acme/blog', { isPrivate: false })

  expect((await ask(github, '/repos/acme/blog', { token: '' })).status).toBe(200)
  expect(await post(github, '/repos/acme/blog/deployments', { ref: 'main' }, { token: '' })).toMatchObject({
    status: 401,
    body: { message: 'Requires authentication' },
  })
})

test('what an app does bears its name', async () => {
  const { github } = await shopAtGitHub()
  github.addToken('app', { type: 'app', login: 'ferryman[bot]', permissions: { deployments: 'write' } })

  const made = await post(github, `${SHOP}/deployments`, { ref: 'main' }, { token: 'app' })

  expect(made.body).toMatchObject({
    creator: { login: 'ferryman[bot]', type: 'Bot' },
    performed_via_github_app: { slug: 'ferryman' },
  })
  expect((await ask(github, '/user', { token: 'app' })).status).toBe(403)
})

test('the name of a repository is found in any case', async () => {
  const { github } = await shopAtGitHub()

  expect(await ask(github, '/repos/ACME/Shop')).toMatchObject({
    status: 200,
    body: { full_name: 'acme/shop' },
  })
})
