import { readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { storeForTest } from '../support/buckets.ts'
import { ferryman } from '../support/cli.ts'
import { gitSource } from '../support/git-source.ts'
import { createWorld, serve, startProcess, type Served } from '../support/journey.ts'
import { listen } from '../support/loopback.ts'
import { eventually, temporaryFolder } from '../support/running.ts'
import { zipOf } from '../support/zips.ts'

/** How a deployment has ended, by its number. */
async function endOf({ waitForJournal }: Served, number: number): Promise<string> {
  const isIts = (line: string): boolean =>
    line.includes('"deployment:ended"') && line.includes(`"acme/shop/production#${number}"`)
  return (JSON.parse(await waitForJournal(isIts)) as { state: string }).state
}

test('what is new in a git repository is deployed once, without any GitHub', async () => {
  const source = gitSource(join(temporaryFolder(), 'shop.git'))
  const first = source.commit({ 'app/shop': 'one' })
  source.git('checkout', '--quiet', '-b', 'stable')
  const world = await serve({
    config: { github: undefined },
    prepare: ({ directory, writeConfig }) =>
      writeConfig({
        config: { github: undefined },
        entry: {
          via: 'none',
          folder: undefined,
          source: `${source.folder}/app#stable`,
          commands: [['sh', '-c', `cp shop ${join(directory, 'live')} && grep -v broken shop`]],
        },
      }),
  })
  const live = (): string => readFileSync(join(world.directory, 'live'), 'utf8')
  const cli = (...args: string[]) => ferryman([...args, '-c', world.configFile])

  expect(await endOf(world, 1)).toBe('succeeded')
  expect(live()).toBe('one')

  source.commit({ 'app/shop': 'two' })
  world.app.again()
  expect(await endOf(world, 2)).toBe('succeeded')
  expect(live()).toBe('two')

  source.commit({ 'app/shop': 'broken' })
  world.app.again()
  expect(await endOf(world, 3)).toBe('failed')
  await world.restart() // asks again, and finds the same

  const back = await cli('deploy', 'acme/shop', 'production', first, '--wait')
  expect(back).toMatchObject({ code: 0 })
  expect(back.out).toContain('acme/shop/production#4')
  expect(live()).toBe('one')

  rmSync(source.folder, { recursive: true })
  world.app.again()
  await world.waitForJournal((line) => line.includes('"source:unavailable"'))
  const why = await cli('why', 'acme/shop')
  expect(why.out).toContain(`Its source does not tell: ${source.folder} does not answer`)
  expect(why.out).toContain('whatever is new in its source, asked every 60 s')

  expect(world.journal.join('')).not.toContain('acme/shop/production#5')
  expect(world.github.requests).toEqual([])
  expect(JSON.stringify(world.slack.messages)).toContain('by a poll')
  expect(JSON.stringify(world.slack.messages)).not.toContain('/commit/')
})

test('what is new behind an address is deployed, an error page is not, and what is kept is gone back to', async () => {
  const builds = { status: 200, version: 'one', isBroken: false }
  const port = await listen(
    createServer(({ method }, response) => {
      const { version, isBroken } = builds
      const status = isBroken && method === 'GET' ? 503 : builds.status
      const content = status === 200 ? zipOf([{ name: 'page', content: version }]) : '<html>'
      response.writeHead(status, { etag: `"v-${version}"`, 'content-length': content.length }).end(content)
    }),
  )
  const world = await serve({
    prepare: ({ writeConfig }) =>
      writeConfig({
        config: { github: undefined },
        repositories: {
          'acme/shop': {
            via: 'none',
            source: `http://127.0.0.1:${port}/shop.zip`,
            releases: { path: 'srv' },
          },
        },
      }),
  })
  const page = (): string => readFileSync(join(world.directory, 'srv/current/page'), 'utf8')
  const cli = (...args: string[]) => ferryman([...args, '-c', world.configFile])
  expect(await endOf(world, 1)).toBe('succeeded')
  expect(page()).toBe('one')

  Object.assign(builds, { status: 500, version: 'broken' })
  world.app.again()
  await world.waitForJournal((line) => line.includes('shop.zip answered 500'))
  Object.assign(builds, { status: 200, version: 'two' })
  world.app.again()
  expect(await endOf(world, 2)).toBe('succeeded')
  expect(page()).toBe('two')
  expect(await world.log(2)).toContain('version "v-two"')
  expect((await cli('show', 'acme/shop/production#2')).out).toMatch(
    /deploy [0-9a-f]{7} \(v-two\)\n +who +a poll/,
  )

  const back = await cli('rollback', 'acme/shop', '--reason', 'slow', '--wait')
  expect(back).toMatchObject({ code: 0, err: '' })
  expect(page()).toBe('one')
  world.app.again() // it has gone back, and the source still holds what it left
  expect((await cli('deploy', 'acme/shop', '--wait')).out).toContain('acme/shop/production#4')
  expect(page()).toBe('two')

  Object.assign(builds, { version: 'three', isBroken: true })
  world.app.again()
  expect(await endOf(world, 5)).toBe('failed')
  expect((await cli('why', 'acme/shop')).out).toContain('What could not be fetched is tried three times.')
  builds.isBroken = false
  world.app.again()
  expect(await endOf(world, 6)).toBe('succeeded')
  expect(page()).toBe('three')
})

test('what is new in S3 is deployed, also where its environment was gone while it waited', async () => {
  const endpoint = await storeForTest('builds')
  const upload = (version: string) =>
    fetch(`${endpoint}/builds/shop.zip`, {
      method: 'PUT',
      body: zipOf([{ name: 'page', content: version }]),
    })
  await upload('one')
  const source = { url: 's3://builds/shop.zip', endpoint, access_key_id: 'AKIA1', secret_access_key: 'a-key' }
  const shop = { via: 'none', source, releases: { path: 'srv' } }
  const given = { config: { github: undefined }, repositories: { 'acme/shop': shop } }
  const world = await serve({ prepare: ({ writeConfig }) => writeConfig(given) })
  const cli = (...args: string[]) => ferryman([...args, '-c', world.configFile])
  expect(await endOf(world, 1)).toBe('succeeded')

  await cli('lock', 'acme/shop', '--reason', 'a sale')
  await upload('two')
  world.app.again()
  await world.waitForJournal((line) => line.includes('"deployment:held"') && line.includes('production#2'))
  world.writeConfig({ ...given, repositories: { 'acme/blog': { ...shop, releases: { path: 'blog' } } } })
  await world.reload()
  await endOf(world, 2)
  world.writeConfig(given)
  await world.reload()
  await world.waitForJournal((line) => line.includes('"deployment:held"') && line.includes('production#3'))
  await cli('unlock', 'acme/shop')

  expect(await endOf(world, 3)).toBe('succeeded')
  expect(readFileSync(join(world.directory, 'srv/current/page'), 'utf8')).toBe('two')
  const inSlack = (): string => JSON.stringify(world.slack.messages)
  await eventually('Slack is told', () => inSlack().includes('was removed from the configuration'))
  expect(inSlack()).not.toContain('/commit/')
})

test('what was found when the server is killed is known when it starts again', async () => {
  const source = gitSource(join(temporaryFolder(), 'shop.git'))
  source.commit({ shop: 'one' })
  const given = { config: { github: undefined } }
  const world = await createWorld(given)
  world.writeConfig({
    ...given,
    entry: { via: 'none', folder: undefined, source: source.folder, commands: [['true']] },
  })
  const first = await startProcess(world)
  await first.waitForLine((line) => line.includes('"source:changed"'))
  await first.end('SIGKILL')
  const second = source.commit({ shop: 'two' })

  const { waitForLine, lines, end } = await startProcess(world)
  await waitForLine((line) => line.includes('"deployment:ended"') && line.includes('#2'))
  await end('SIGTERM')

  const found = lines.filter((line) => line.includes('"source:changed"'))
  expect(found).toHaveLength(1)
  expect(found.join('')).toContain(second)
  expect(lines.join('')).not.toContain('acme/shop/production#3')
})
