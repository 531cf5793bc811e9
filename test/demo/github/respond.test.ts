import { request } from 'node:http'

import { Octokit } from '@octokit/rest'
import { expect, test } from 'vitest'

import { ask, post, shopAtGitHub } from '../../support/doubles.ts'

const SHOP = '/repos/acme/shop'
const NOW = Date.UTC(2026, 10, 21, 12)

test('what did not change is answered 304 and costs nothing', async () => {
  const { github } = await shopAtGitHub()
  const first = await ask(github, `${SHOP}/deployments`)
  const again = { headers: { 'if-none-match': first.headers.get('etag') ?? '' } }

  const same = await ask(github, `${SHOP}/deployments`, again)
  await github.createDeployment('acme/shop', { ref: 'main' })
  const changed = await ask(github, `${SHOP}/deployments`, again)

  expect(same).toMatchObject({ status: 304, body: undefined })
  expect(same.headers.get('x-ratelimit-remaining')).toBe(first.headers.get('x-ratelimit-remaining'))
  expect(changed.status).toBe(200)
})

test('every answer shows the rate limit, and the question about it is free', async () => {
  const { github } = await shopAtGitHub({ clock: () => NOW })

  const first = await ask(github, SHOP)
  const limit = await ask(github, '/rate_limit')

  expect(first.headers.get('x-ratelimit-limit')).toBe('5000')
  expect(first.headers.get('x-ratelimit-remaining')).toBe('4999')
  expect(first.headers.get('x-ratelimit-reset')).toBe(String(NOW / 1000 + 3600))
  expect(limit.body).toMatchObject({ resources: { core: { remaining: 4999, used: 1 } } })
})

test('a spent rate limit is a 403 until its hour is over', async () => {
  let now = NOW
  const { github } = await shopAtGitHub({ clock: () => now })
  github.setRateLimit('mona', { remaining: 0, resetAt: NOW + 60_000 })

  const refused = await ask(github, SHOP)
  now += 60_000
  const later = await ask(github, SHOP)

  expect(refused.status).toBe(403)
  expect(refused.body).toMatchObject({
    message: expect.stringContaining('API rate limit exceeded') as string,
  })
  expect(refused.headers.get('x-ratelimit-remaining')).toBe('0')
  expect(refused.headers.get('x-ratelimit-reset')).toBe(String(NOW / 1000 + 60))
  expect(later.status).toBe(200)
})

test('the version of the API is said, and an unknown one refused', async () => {
  const { github } = await shopAtGitHub()
  const asked = (version: string) => ask(github, SHOP, { headers: { 'x-github-api-version': version } })

  expect((await ask(github, SHOP)).headers.get('x-github-api-version-selected')).toBe('2022-11-28')
  expect((await asked('2026-03-10')).headers.get('x-github-api-version-selected')).toBe('2026-03-10')
  expect((await asked('2001-01-01')).status).toBe(400)
})

test('who does not say what program asks is turned away', async () => {
  const { github } = await shopAtGitHub()
  const { promise, resolve } = Promise.withResolvers<number | undefined>()

  request(`${github.url}${SHOP}`, (response) => {
    response.resume()
    resolve(response.statusCode)
  }).end()

  expect(await promise).toBe(403)
})

test('an unknown route is a 404 and is remembered as unexpected', async () => {
  const { github } = await shopAtGitHub({ allows: 'unexpected' })

  const answer = await ask(github, `${SHOP}/nonsense`)
  await ask(github, SHOP)

  expect(answer).toMatchObject({ status: 404, body: { message: 'Not Found' } })
  expect(github.unexpected.map(({ path }) => path)).toEqual([`${SHOP}/nonsense`])
})

test('with a root, only what is below it is the API', async () => {
  const { github } = await shopAtGitHub({ root: '/api/v3', allows: 'unexpected' })

  expect(new URL(github.url).pathname).toBe('/api/v3')
  expect((await ask(github, SHOP)).status).toBe(200)
  expect((await fetch(new URL(SHOP, github.url))).status).toBe(404)
  expect(github.requests.map(({ path }) => path)).toEqual([SHOP, `/${SHOP}`])
})

test('the official client understands it', async () => {
  const { github, sha } = await shopAtGitHub()
  const { rest, paginate } = new Octokit({ auth: 'mona-token', baseUrl: github.url })
  const shop = { owner: 'acme', repo: 'shop' }

  const made = await rest.repos.createDeployment({ ...shop, ref: 'main' })
  if (made.status !== 201) throw new Error('No deployment was made')
  const place = { ...shop, deployment_id: made.data.id }
  for (const state of ['queued', 'in_progress', 'success'] as const)
    await rest.repos.createDeploymentStatus({ ...place, state })
  const statuses = await paginate(rest.repos.listDeploymentStatuses, { ...place, per_page: 2 })

  expect(made.data.sha).toBe(sha)
  expect(statuses.map(({ state }) => state)).toEqual(['success', 'in_progress', 'queued'])
  await expect(rest.repos.get({ ...shop, repo: 'nothing' })).rejects.toMatchObject({ status: 404 })
})

test('a ref with a slash is found, written out or encoded', async () => {
  const { github, sha } = await shopAtGitHub()
  github.setBranch('acme/shop', 'feature/tea', sha)

  for (const ref of ['feature/tea', 'feature%2Ftea']) {
    expect(await ask(github, `${SHOP}/branches/${ref}`)).toMatchObject({
      status: 200,
      body: { name: 'feature/tea' },
    })
    expect(await ask(github, `${SHOP}/commits/${ref}`)).toMatchObject({ status: 200, body: { sha } })
    expect(await ask(github, `${SHOP}/commits/${ref}/status`)).toMatchObject({ status: 200, body: { sha } })
  }
})

test('everything that was asked can be looked at', async () => {
  const { github } = await shopAtGitHub({ clock: () => NOW })

  await post(github, `${SHOP}/deployments`, { ref: 'main' })

  expect(github.requests).toMatchObject([
    { at: NOW, method: 'POST', path: `${SHOP}/deployments`, body: { ref: 'main' }, answer: { status: 201 } },
  ])
})

test('a renamed repository is led to by its old name, and reached by its number', async () => {
  const { github } = await shopAtGitHub()
  github.addToken('here', {
    type: 'fine-grained',
    login: 'mona',
    permissions: { deployments: 'write' },
    repositories: ['acme/shop'],
  })
  github.renameRepository('acme/shop', 'acme/store')
  const asked = { token: 'here', headers: {} }

  const moved = await fetch(`${github.url}${SHOP}/deployments?per_page=1`, {
    headers: { authorization: 'token here' },
    redirect: 'manual',
  })
  const led = await ask(github, `${SHOP}/deployments?per_page=1`, asked)
  const made = await post(github, `${SHOP}/deployments`, { ref: 'main' }, asked)

  const location = `${github.url}/repositories/17/deployments`
  expect([moved.status, moved.headers.get('location')]).toEqual([301, `${location}?per_page=1`])
  expect(await moved.json()).toMatchObject({ message: 'Moved Permanently', url: `${location}?per_page=1` })
  expect(led.status).toBe(200)
  expect(made).toMatchObject({ status: 201, body: { repository_url: `${github.url}/repos/acme/store` } })
  expect((await ask(github, '/repos/acme/store', asked)).status).toBe(200)
  expect((await ask(github, '/repositories/18')).status).toBe(404)
  expect((await ask(github, SHOP, { token: '' })).status).toBe(404)
})
