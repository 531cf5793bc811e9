import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { keysOfApp, mintsAt, newKeys, PERMISSIONS } from '../support/apps.ts'
import { ferryman } from '../support/cli.ts'
import { createWorld, serve, type World } from '../support/journey.ts'
import { openShop } from '../support/merging.ts'

/** The token with which GitHub was asked last. */
const lastToken = ({ github }: World): string =>
  github.requests
    .flatMap(({ headers }) => /^bearer (ghs_\S+)$/.exec(headers['authorization'] ?? '')?.[1] ?? [])
    .at(-1) ?? ''

test('what a person asks for and what is merged is reported in the name of the App', async () => {
  const shop = await openShop({ asApp: true })
  const asked = await shop.deploy()
  await shop.status(asked, 'success')

  const sha = await shop.commit('Faster')
  await shop.merge(sha)
  const merged = await shop.made(sha)
  await shop.status(merged, 'success')

  const writers = [asked, merged]
    .flatMap(({ id }) => shop.github.statusesOf(id))
    .map(({ creator }) => creator)
  expect(new Set(writers.map(({ login }) => login))).toEqual(new Set(['ferryman-acme[bot]']))
  expect(merged.creator.login).toBe('ferryman-acme[bot]')
  expect(mintsAt(shop.github)).toBe(1)
})

test('a token that has ended is followed by a new one, and no report is late', async () => {
  const world = await serve({ asApp: true })
  await world.status(await world.deploy(), 'success')
  world.github.revokeToken(lastToken(world))

  const second = await world.deploy()
  await world.status(second, 'success')

  expect(world.statuses(second).map((line) => line.split(':')[0])).toEqual([
    'queued',
    'in_progress',
    'success',
  ])
  expect(mintsAt(world.github)).toBe(2)
})

test('a key that is not of the App is said to be so, and what is owed is reported with the right one', async () => {
  const world = await serve({
    asApp: true,
    prepare: ({ directory }) => writeFileSync(join(directory, 'app.pem'), newKeys().privateKey),
  })
  const deployment = await world.deploy()
  const said = await world.waitForJournal(
    (line) => line.includes('could not be decoded') && line.includes('report'),
  )
  expect(said).toContain('GitHub answered 401: A JSON web token could not be decoded')

  writeFileSync(join(world.directory, 'app.pem'), keysOfApp().privateKey)
  await world.reload()
  await world.status(deployment, 'success')
})

test('a permission that the App was given later counts at once when the server is told to try again', async () => {
  const world = await serve({
    asApp: true,
    prepare: ({ githubApp }) => setPermissions(githubApp, { deployments: 'read' }),
  })
  const deployment = await world.deploy()
  await world.github.waitFor(({ path, answer }) => path.endsWith('/statuses') && answer?.status === 403)

  setPermissions(world.githubApp, PERMISSIONS)
  world.app.again()
  await world.status(deployment, 'success')
})

const setPermissions = (app: World['githubApp'], permissions: object): void =>
  app?.installations.forEach((one) => Object.assign(one, { permissions }))

test('neither the key nor a token stands anywhere', async () => {
  const world = await serve({ asApp: true, commands: [['cat', '../app.pem', '../token']] })
  writeFileSync(join(world.directory, 'token'), 'none yet')
  await world.status(await world.deploy(), 'success')
  const token = lastToken(world)
  const encoded = Buffer.from(`password=${token}`).toString('base64')
  writeFileSync(join(world.directory, 'token'), `${token}\n${encoded}\n`)
  const echo = { status: 502, body: { message: `You sent ${token}` } }
  world.github.fail({ method: 'POST', path: /statuses$/, with: echo })

  const deployment = await world.deploy()
  await world.status(deployment, 'success')
  await world.stop()

  const data = join(world.directory, 'data')
  const files = readdirSync(data, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => readFileSync(join(one.parentPath, one.name), 'latin1'))
  const sinks = [...world.journal, ...world.terminal, ...files, ...world.statuses(deployment)].join('\n')
  const [, ...lines] = keysOfApp().privateKey.trim().split('\n').slice(0, -1)
  const secrets = [...lines, token, token.slice(-40), encoded.slice(100, 140), encoded.slice(-60, -20)]
  expect(token.length).toBeGreaterThan(500)
  expect(secrets.filter((one) => sinks.includes(one))).toEqual([])
  expect(sinks).toContain('•••')
})

test('a merge that the hook of the App could not deliver is deployed after the start', async () => {
  const shop = await openShop({ asApp: true })
  const first = await shop.commit('First')
  await shop.merge(first)
  await shop.status(await shop.made(first), 'success')
  await shop.stop()
  const sha = await shop.commit('Second')
  await Promise.allSettled([shop.merge(sha)]) // nobody answers GitHub

  await shop.restart({ laterMs: 0 })
  await shop.status(await shop.made(sha), 'success')

  const asked = shop.github.requests.filter(({ path }) => path.includes('/hook/deliveries'))
  expect(asked.map(({ method, path }) => `${method} ${path.replace(/\d+/, 'ID')}`)).toContain(
    'POST /app/hook/deliveries/ID/attempts',
  )
  expect(shop.github.requests.filter(({ path }) => /^\/repos.*\/hooks/.test(path))).toEqual([])
})

test('check says which installation covers a repository, and what it lacks', async () => {
  const world = await createWorld({
    asApp: true,
    repositories: {
      'acme/shop': { folder: './work', commands: [['true']], required_contexts: ['ci/test'] },
      'umbrella/site': { folder: './work', commands: [['true']], lane: 'acme/shop/production' },
    },
  })
  const { github } = world
  github.addRepository('umbrella/site')
  const app = world.githubApp
  if (app === undefined) throw new Error('There is no App.')
  const check = () => ferryman(['check', '-c', world.configFile])

  const first = await check()
  expect(first.out).toContain(`✔ GitHub: App ${app.id} is ferryman-acme, and the key fits`)
  expect(first.out).toContain(
    `✔ GitHub: the installation ${app.installations[0]?.id} of App ${app.id} on acme covers acme/shop`,
  )
  expect(first.out).toContain(`✔ GitHub: acme/shop deploys main by itself, now at ${world.sha.slice(0, 7)}`)
  expect(first.out).toContain(
    `✘ GitHub: umbrella/site: The GitHub App ${app.id} is not installed on umbrella/site`,
  )

  const little = github.installApp(app, { account: 'umbrella', permissions: { deployments: 'read' } })
  Object.assign(app.installations[0] ?? {}, { permissions: { deployments: 'write', contents: 'read' } })
  const second = await check()
  expect(second.out).toContain(
    `✘ GitHub: the installation ${little.id} of App ${app.id} on umbrella covers umbrella/site, and lacks "Deployments: read and write", "Contents: read", "Pull requests: read"`,
  )
  expect(second.out).toContain(
    'covers acme/shop, and lacks "Pull requests: read", "Commit statuses: read", "Checks: read"',
  )

  little.isSuspended = true
  const suspended = await check()
  expect(suspended.out).toContain(
    `✘ GitHub: the installation ${little.id} of App ${app.id} on umbrella, which covers umbrella/site, is suspended`,
  )

  writeFileSync(join(world.directory, 'app.pem'), newKeys().privateKey)
  const third = await check()
  expect(third.out).toContain(
    `✘ GitHub: it does not take the key for App ${app.id}: GitHub answered 401: A JSON web token could not be decoded`,
  )
  expect([first.code, second.code, third.code]).toEqual([1, 1, 1])
  expect(
    github.requests
      .filter(({ method }) => method !== 'GET')
      .every(({ path }) => path.endsWith('/access_tokens')),
  ).toBe(true)
})
