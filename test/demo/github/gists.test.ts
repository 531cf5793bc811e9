import { expect, test } from 'vitest'

import { ask, clientOf, post, refusalOf, shopAtGitHub } from '../../support/doubles.ts'

const WANTED = { description: 'acme/shop/production#12: failed', file: 'shop.log', content: 'a\nb\n' }

/** GitHub, where every kind of token is known by its name. */
async function withTokens() {
  const { github } = await shopAtGitHub()
  const login = 'robot'
  github.addToken('classic', { type: 'classic', login, scopes: ['repo', 'gist'] })
  github.addToken('fine', { type: 'fine-grained', login, permissions: { gists: 'write' } })
  github.addToken('poor', { type: 'fine-grained', login, permissions: { deployments: 'write' } })
  github.addToken('app', { type: 'app', login: 'ferryman[bot]', permissions: { deployments: 'write' } })
  return github
}

test('a gist is secret, and whoever has its id can read it', async () => {
  const github = await withTokens()

  const url = await clientOf(github, 'classic').createGist(WANTED)

  const id = url.split('/').at(-1)
  expect(url).toBe(`${github.url}/gist/robot/${id}`)
  expect(await ask(github, `/gists/${id}`, { token: '' })).toMatchObject({
    status: 200,
    body: {
      html_url: url,
      public: false,
      description: WANTED.description,
      files: { 'shop.log': { content: 'a\nb\n', size: 4, truncated: false } },
    },
  })
  expect((await ask(github, '/gists/nonsense')).status).toBe(404)
})

test('of a file larger than a megabyte the beginning is shown', async () => {
  const github = await withTokens()

  const made = await post(
    github,
    '/gists',
    { files: { a: { content: 'x'.repeat(2_000_000) } } },
    { token: 'fine' },
  )

  const { files } = made.body as { files: { a: { content: string; truncated: boolean; size: number } } }
  expect(files.a).toMatchObject({ truncated: true, size: 2_000_000 })
  expect(files.a.content).toHaveLength(1_048_576)
})

test.each([
  ['mona-token', 404, 'Not Found'],
  ['poor', 403, 'Resource not accessible by personal access token'],
  ['app', 403, 'Resource not accessible by integration'],
  ['', 401, 'Requires authentication'],
])('who asks with %j makes none', async (token, status, message) => {
  const github = await withTokens()

  const refused = await post(github, '/gists', { files: { a: { content: 'x' } } }, { token })

  expect(refused).toMatchObject({ status, body: { message } })
  expect(github.gists).toEqual([])
})

test.each([
  [{}],
  [{ files: {} }],
  [{ files: { a: {} } }],
  [{ files: { a: { content: ' \n' }, b: { content: 'b' } } }],
])('what has no files, or a blank one, is refused: %j', async (body) => {
  const github = await withTokens()

  expect(await post(github, '/gists', body, { token: 'classic' })).toMatchObject({
    status: 422,
    body: { errors: [{ resource: 'Gist', code: 'missing_field', field: 'files' }] },
  })
})

test('whose a token is can be asked with it, and its scopes, where it is a classic one', async () => {
  const github = await withTokens()

  expect(await clientOf(github, 'classic').tokenFacts()).toEqual({ login: 'robot', scopes: ['repo', 'gist'] })
  expect(await clientOf(github, 'fine').tokenFacts()).toEqual({ login: 'robot', scopes: undefined })
  expect((await refusalOf(clientOf(github, 'nobody').tokenFacts())).status).toBe(401)
})
