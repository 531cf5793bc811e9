import { expect, test } from 'vitest'

import { storeForTest } from '../support/buckets.ts'
import { ferryman } from '../support/cli.ts'
import { serve, TOKEN, type Served } from '../support/journey.ts'

const GIST_TOKEN = 'github_pat_of-an-account-for-gists'
const S3_SECRET = 'a-secret-access-key-of-the-logs'
const PASSWORD = 'a-password-of-the-shop'
const COMMANDS = [['sh', '-c', String.raw`printf '\033[31mno way in with %s\033[m\n' "$PASSWORD"; exit 3`]]

/** A server that nobody reaches; each deployment prints a secret and fails. */
async function serveHidden(
  logTo: unknown,
  entry: Readonly<Record<string, unknown>> = {},
  scopes: readonly string[] = ['repo_deployment'],
): Promise<Served> {
  return serve({
    isHidden: true,
    commands: COMMANDS,
    environment: { PASSWORD, GIST_TOKEN, S3_SECRET },
    entry: { env: { PASSWORD: '${PASSWORD}' }, lane: 'shop', ...entry },
    config: { log_to: logTo },
    prepare({ github }) {
      github.addToken(TOKEN, { login: 'ferryman-robot', type: 'classic', scopes })
      github.addToken(GIST_TOKEN, { login: 'logs', type: 'fine-grained', permissions: { gists: 'write' } })
    },
  })
}

/** The links of its statuses, by their states. */
const linksOf = (world: Served, { id }: { readonly id: number }) =>
  Object.fromEntries(world.github.statusesOf(id).map(({ state, logUrl }) => [state, logUrl]))

test('what ends on a server without a public address links to a secret gist with its masked log', async () => {
  const world = await serveHidden({ gist: { token: '${GIST_TOKEN}' } })
  world.github.fail({ method: 'POST', path: /^\/gists$/, with: { status: 502, body: 'bad gateway' } })

  const deployment = await world.deploy()
  await world.status(deployment, 'failure')

  const [gist] = world.github.gists
  const url = `${world.github.url}/gist/logs/${gist?.id}`
  expect(world.github.gists).toHaveLength(1)
  expect(gist).toMatchObject({
    isPublic: false,
    owner: { login: 'logs' },
    description: 'acme/shop/production#1: failed',
  })
  expect([...(gist?.files ?? [])]).toEqual([['acme-shop-production-1.log', await world.log(1)]])
  expect(await world.log(1)).toMatch(
    /\$ sh -c .*\n.{24} no way in with •••\n[^]*▸ This log is published as a secret gist\.\n$/,
  )
  expect(linksOf(world, deployment)).toEqual({ queued: '', in_progress: '', failure: url })
  const message = await world.slack.waitFor(({ text }) => text?.startsWith('Could not') === true)
  expect(JSON.stringify(message)).toContain(`<${url}|log>`)
  const { out } = await ferryman(['show', 'acme/shop/production#1', '-c', world.configFile])
  expect(out).toContain(`  log   ${url}\n`)
})

test("the server's own token makes gists where it may; else the status goes out without a link, and log and journal say why", async () => {
  const world = await serveHidden('gist', { environments: { production: {}, silent: { log_to: 'none' } } }, [
    'repo_deployment',
    'gist',
  ])

  const may = await world.deploy()
  await world.status(may, 'failure')
  world.github.addToken(TOKEN, { login: 'ferryman-robot', type: 'classic', scopes: ['repo_deployment'] })
  const mayNot = await world.deploy()
  await world.status(mayNot, 'failure')
  const silent = await world.deploy({ environment: 'silent' })
  await world.status(silent, 'failure')

  expect(world.github.gists.map(({ owner }) => owner.login)).toEqual(['ferryman-robot'])
  expect(linksOf(world, may)['failure']).toContain('/gist/ferryman-robot/')
  expect(linksOf(world, mayNot)['failure']).toBe('')
  expect(world.statuses(mayNot).at(-1)).toContain('exited with 3: no way in with •••')
  const why =
    'GitHub answered 404: Not Found. To make a gist its token needs the scope gist (classic), or the account permission Gists: write.'
  expect(await world.log(2)).toContain(`▸ It was not published: ${why}\n`)
  expect(JSON.parse(await world.waitForJournal((line) => line.includes('not-published')))).toMatchObject({
    deployment: 'acme/shop/production#2',
    error: why,
  })
  expect(linksOf(world, silent)['failure']).toBe('')
  expect(await world.log(3)).not.toContain('published')
})

test('an object of S3 is linked with a signed address, or with that of whoever shows the bucket', async () => {
  const endpoint = await storeForTest('logs')
  const store = {
    endpoint,
    access_key_id: 'AKIALOGS',
    secret_access_key: '${S3_SECRET}',
    region: 'eu-west-1',
  }
  const shown = { ...store, s3: 's3://logs', url: 'https://logs.example.org/all/' }
  const world = await serveHidden(
    { ...store, s3: 's3://logs/of/ferryman' },
    {
      environments: {
        production: {},
        shown: { log_to: shown },
        lost: { log_to: { ...store, s3: 's3://none-such' } },
      },
    },
  )

  const deployments = []
  for (const environment of ['production', 'shown', 'lost']) {
    const deployment = await world.deploy({ environment })
    deployments.push(deployment)
    await world.status(deployment, 'failure')
  }

  const [signed, fronted, lost] = deployments.map((one) => linksOf(world, one)['failure'] ?? '')
  const { origin, pathname, searchParams } = new URL(signed ?? '')
  expect(origin + pathname).toMatch(
    new RegExp(`^${endpoint}/logs/of/ferryman/acme/shop/production/1-[0-9a-f]{32}\\.log$`),
  )
  expect(Object.fromEntries(searchParams)).toMatchObject({
    'X-Amz-Expires': '604800',
    'X-Amz-Credential': expect.stringMatching(/^AKIALOGS\/\d{8}\/eu-west-1\/s3\/aws4_request$/),
    'X-Amz-Signature': expect.stringMatching(/^[0-9a-f]{64}$/),
  })
  const stored = await fetch(signed ?? '')
  expect(stored.headers.get('content-type')).toBe('text/plain; charset=utf-8')
  expect(await stored.text()).toBe(await world.log(1))
  expect(await world.log(1)).toContain(' no way in with •••\n')
  const [, key] =
    /^https:\/\/logs\.example\.org\/all\/(acme\/shop\/shown\/1-[0-9a-f]{32}\.log)$/.exec(fronted ?? '') ?? []
  expect(await (await fetch(`${endpoint}/logs/${key}`)).text()).toBe(await world.log(2))
  expect(lost).toBe('')
  expect(await world.log(3)).toMatch(
    /▸ It was not published: s3:\/\/none-such\/acme\/.* answered 404 .*NoSuchBucket/,
  )
  expect(world.journal.join('')).not.toContain(S3_SECRET)
})

test('a server that is to stop waits for no publishing, and the end is told', async () => {
  const world = await serveHidden({ gist: { token: '${GIST_TOKEN}' } })
  const gist = world.github.hold({ method: 'POST', path: /^\/gists$/ })
  const deployment = await world.deploy()
  await gist.arrived()

  const before = performance.now()
  await world.app.stop(60_000)
  gist.release()

  expect(performance.now() - before).toBeLessThan(10_000)
  await world.status(deployment, 'failure')
  expect(linksOf(world, deployment)['failure']).toBe('')
  expect(JSON.parse(world.journal.find((line) => line.includes('not-published')) ?? '{}')).toMatchObject({
    error: 'Ferryman is stopping.',
  })
})
