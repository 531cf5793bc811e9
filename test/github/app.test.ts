import { createPrivateKey } from 'node:crypto'

import { expect, test } from 'vitest'

import { createMasker } from '../../src/logs/redact.ts'
import { appAtGitHub, appClientOf, keysOfApp, mintsAt, newKeys, PERMISSIONS } from '../support/apps.ts'
import { refusalOf, shopAtGitHub } from '../support/doubles.ts'
import { freePort } from '../support/needs.ts'

const MINUTE = 60_000

/** acme/shop with the App installed; the clock is GitHub's and ours. */
async function shop() {
  let now = Date.now()
  const clock = (): number => now
  const { github, sha } = await shopAtGitHub({ clock })
  const app = appAtGitHub(github)
  const client = (given: Parameters<typeof appClientOf>[2] = {}) =>
    appClientOf(github, app, { clock, ...given })
  return { github, sha, app, client, later: (ms: number) => void (now += ms) }
}

test('what asks at the same time shares one token, and what asks later too', async () => {
  const { github, sha, client } = await shop()
  const gitHub = client()

  await Promise.all([gitHub.branchHead('acme/shop', 'main'), gitHub.repository('acme/shop')])

  expect(await gitHub.branchHead('acme/shop', 'main')).toBe(sha)
  expect(github.requests.map(({ method, path }) => `${method} ${path.replace(/\d+/, 'ID')}`)).toEqual([
    'GET /repos/acme/shop/installation',
    'POST /app/installations/ID/access_tokens',
    expect.stringContaining('GET /repos/acme/shop'),
    expect.stringContaining('GET /repos/acme/shop'),
    'GET /repos/acme/shop/branches/main',
  ])
})

test('a new token is made five minutes before the old one ends', async () => {
  const { github, client, later } = await shop()
  const gitHub = client()
  await gitHub.repository('acme/shop')

  later(54 * MINUTE)
  await gitHub.repository('acme/shop')
  expect(mintsAt(github)).toBe(1)

  later(MINUTE)
  await gitHub.repository('acme/shop')
  expect(mintsAt(github)).toBe(2)
})

test('a token that GitHub does not take any more is replaced, and the request made again', async () => {
  const { github, client } = await shop()
  const gitHub = client()
  await gitHub.repository('acme/shop')
  const [used = ''] = github.requests.at(-1)?.headers['authorization']?.split(' ').slice(1) ?? []
  github.revokeToken(used)

  expect((await gitHub.repository('acme/shop'))?.githubId).toBe(17)
  expect(mintsAt(github)).toBe(2)
})

test('a token that is refused although it is new is not replaced without end', async () => {
  const { github, client } = await shop()
  github.fail({ path: /^\/repos\/acme\/shop$/, times: 5, with: { status: 401, body: { message: 'No' } } })

  expect((await refusalOf(client().repository('acme/shop'))).message).toBe('GitHub answered 401: No')
  expect(mintsAt(github)).toBe(2)
})

test('a token that is too new for GitHub to know it everywhere is shown once more', async () => {
  const { github, client } = await shop()
  github.fail({ path: /^\/repos\/acme\/shop$/, times: 2, with: { status: 401, body: { message: 'No' } } })

  expect((await client().repository('acme/shop'))?.githubId).toBe(17)
  expect(mintsAt(github)).toBe(2)
})

test('a token that could not be made is asked for again by the next request', async () => {
  const { github, client } = await shop()
  const gitHub = client()
  github.fail({ path: /access_tokens$/, with: { status: 502, body: { message: 'Bad gateway' } } })

  expect((await refusalOf(gitHub.repository('acme/shop'))).status).toBe(502)
  expect((await gitHub.repository('acme/shop'))?.githubId).toBe(17)
})

test('where the App is not installed that is said, and seen once it is', async () => {
  const { github, app, client } = await shop()
  github.addRepository('umbrella/site')
  const gitHub = client()

  const refused = await refusalOf(gitHub.deployments('umbrella/site', OF))
  expect([refused.status, refused.message]).toEqual([
    404,
    `The GitHub App ${app.id} is not installed on umbrella/site (GitHub answered 404: Not Found)`,
  ])

  github.installApp(app, { account: 'umbrella', permissions: PERMISSIONS })
  expect(await gitHub.deployments('umbrella/site', OF)).toEqual([])
})
const OF = { sha: 'a'.repeat(40), environment: 'production', task: 'deploy' }

test('an App that was removed and installed anew is found again', async () => {
  const { github, app, client } = await shop()
  const gitHub = client()
  await gitHub.repository('acme/shop')
  for (const one of app.installations.toReversed()) github.uninstallApp(app, one)
  github.installApp(app, { account: 'acme', permissions: PERMISSIONS })

  expect((await gitHub.repository('acme/shop'))?.githubId).toBe(17)
})

test('each owner has a token of its own, also of a repository that was transferred', async () => {
  const { github, app, client } = await shop()
  github.installApp(app, { account: 'umbrella', permissions: PERMISSIONS })
  github.addRepository('acme/site', { id: 18 })
  github.renameRepository('acme/site', 'umbrella/site')
  const gitHub = client()

  expect((await gitHub.repository('acme/site'))?.name).toBe('umbrella/site')
  expect((await gitHub.repository('acme/shop'))?.name).toBe('acme/shop')
  expect(mintsAt(github)).toBe(2)
})

test('the hook of an organization is asked about with the token of the installation there', async () => {
  const { github, app, client } = await shop()
  Object.assign(app.installations[0] ?? {}, { permissions: { organization_hooks: 'write' } })
  const url = `http://127.0.0.1:${await freePort()}/`
  const hook = github.addHook('acme/shop', { url, kind: 'organization' })
  await github.deliver('ping', github.events.ping(hook), { hook })

  const { deliveries = [] } =
    (await client().recentDeliveries(
      { id: hook.id, kind: 'organization', place: 'acme' },
      { since: 0, upTo: undefined, tag: undefined },
    )) ?? {}

  expect(deliveries.map(({ event, isTaken }) => [event, isTaken])).toEqual([['ping', false]])
  expect(github.requests[0]?.path).toBe('/orgs/acme/installation')
})

test('an installation that is suspended gives no token, and GitHub says why', async () => {
  const { app, client } = await shop()
  Object.assign(app.installations[0] ?? {}, { isSuspended: true })
  const gitHub = client()

  expect((await refusalOf(gitHub.repository('acme/shop'))).message).toBe(
    'GitHub answered 403: This installation has been suspended',
  )
  expect(await gitHub.app?.installation('acme/shop')).toMatchObject({ account: 'acme', isSuspended: true })
})

test('a key that is not of this App is said to be so', async () => {
  const { app, client } = await shop()
  const gitHub = client({ privateKey: newKeys().privateKey })

  const { status, message } = await refusalOf(gitHub.repository('acme/shop'))

  expect([status, message]).toEqual([401, 'GitHub answered 401: A JSON web token could not be decoded'])
  expect(gitHub.app?.id).toBe(String(app.id))
})

test('the clock may be a minute ahead of GitHub and nine behind', async () => {
  const { client } = await shop()

  for (const skew of [MINUTE, -8 * MINUTE])
    expect((await client({ clock: () => Date.now() + skew }).repository('acme/shop'))?.githubId).toBe(17)
  const wrong = await refusalOf(client({ clock: () => Date.now() - 20 * MINUTE }).repository('acme/shop'))
  expect(wrong.message).toContain("'Expiration time' claim ('exp')")
})

test('every token and every word of the App is masked before it is used, and forgotten when it is two behind', async () => {
  const { github, client, later } = await shop()
  const lent = new Set<string>()
  const shown: boolean[] = []
  github.onExchange(({ headers }) => shown.push(lent.has(headers['authorization']?.split(' ')[1] ?? '')))
  const gitHub = client({
    learn(secret) {
      lent.add(secret)
      return () => lent.delete(secret)
    },
  })

  for (let hours = 0; hours < 4; hours += 1) {
    await gitHub.repository('acme/shop')
    later(60 * MINUTE)
  }

  expect(shown).toEqual(shown.map(() => true))
  expect([...lent].filter((one) => one.startsWith('ghs_'))).toHaveLength(2)
  expect(lent.size).toBe(4)
})

test('a token of 520 characters is masked in every spelling while it is lent, and by its look afterwards', () => {
  const token = `ghs_17_${'aB3-'.repeat(50)}.${'cD4_'.repeat(50)}.${'eF5'.repeat(36)}`
  const masker = createMasker([])
  const forget = masker.lend(token)
  const encoded = Buffer.from(`x-access-token:${token}`).toString('base64')

  expect(masker.mask(`${token} ${encoded}`)).not.toMatch(/aB3|cD4|eF5|YUIz/)
  forget()
  expect(masker.mask(`of ${token}!`)).toBe('of •••!')
})

test('an App has no token that ends', async () => {
  const { client } = await shop()
  const gitHub = client()
  await gitHub.repository('acme/shop')

  expect(gitHub.tokenExpiresAt).toBeUndefined()
})

test('the key in PKCS#8 is as good', async () => {
  const { client } = await shop()
  const privateKey = createPrivateKey(keysOfApp().privateKey)
    .export({ type: 'pkcs8', format: 'pem' })
    .toString()

  expect((await client({ privateKey }).repository('acme/shop'))?.githubId).toBe(17)
})

test('a token for git is made each time, may only read, and opens one repository unless others are asked for', async () => {
  const { github, client, later } = await shop()
  const lent: string[] = []
  const forgotten: string[] = []
  const gitHub = client({
    learn(secret) {
      lent.push(secret)
      return () => void forgotten.push(secret)
    },
  })

  const one = await gitHub.readingToken('acme/shop', { others: false })
  later(61 * MINUTE)
  const other = await gitHub.readingToken('acme/shop', { others: true })

  const asked = github.requests.filter(({ path }) => path.endsWith('/access_tokens'))
  expect(asked.map(({ body }) => body)).toEqual([
    { repositories: ['shop'], permissions: { contents: 'read' } },
    { permissions: { contents: 'read' } },
  ])
  expect(one).not.toBe(other)
  expect(lent).toContain(one)
  expect(lent).toContain(other)
  expect(forgotten).toContain(one)
  expect(forgotten).not.toContain(other)
})
