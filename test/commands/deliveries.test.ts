import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { serve, type Served } from '../support/journey.ts'
import { temporaryFolder } from '../support/running.ts'

/** The command as whoever runs the server calls it: with the folder, without any of the secrets. */
const deliveries = (world: Served, ...words: string[]) =>
  ferryman(['deliveries', ...words, '-c', world.configFile])

describe('ferryman deliveries', () => {
  test('lists what GitHub has sent, what was decided and what it led to', async () => {
    const world = await serve()
    await world.status(await world.deploy(), 'success')
    await world.deploy({ environment: 'elsewhere' })
    await world.waitForJournal((line) => line.includes('environment_not_configured'))

    const { code, out } = await deliveries(world)

    expect(code).toBe(0)
    const [header, ...rows] = out.trimEnd().split('\n')
    expect(header).toMatch(/^ID +RECEIVED \(UTC\) +EVENT +VERDICT +REASON +DEPLOYMENTS$/)
    expect(rows.find((row) => /deployment\.created +queued/.test(row))).toMatch(
      /^\d+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +deployment\.created +queued +acme\/shop\/production#1 succeeded$/,
    )
  })

  test('shows one with its headers and its body, byte for byte', async () => {
    const world = await serve()
    await world.status(await world.deploy(), 'success')
    const listed = JSON.parse((await deliveries(world, '--event', 'deployment', '--json')).out) as {
      id: number
      guid: string
    }[]

    const shown = await deliveries(world, 'show', listed[0]?.guid ?? '')
    const body = await deliveries(world, 'body', String(listed[0]?.id))

    expect(shown.out).toContain(`delivery  ${listed[0]?.id}, ${listed[0]?.guid}`)
    expect(shown.out).toContain('verdict   queued')
    expect(shown.out).toContain('led to    acme/shop/production#1 succeeded')
    expect(shown.out).toContain('x-github-event: deployment')
    expect(shown.out).not.toContain('signature')
    expect(JSON.parse(body.out)).toMatchObject({ action: 'created', deployment: { sha: world.sha } })
  })

  test('replays what was ignored once the configuration names it; what is known is not started again', async () => {
    const world = await serve({ repositories: { 'acme/other': { folder: '/', commands: [['true']] } } })
    const deployment = await world.deploy()
    await world.waitForJournal((line) => line.includes('repository_not_configured'))
    world.writeConfig({})
    await world.reload()

    const replayed = await deliveries(world, 'replay', await newest(world, 'deployment'))
    await world.status(deployment, 'success')
    const again = await deliveries(world, 'replay', await newest(world, 'deployment'))

    expect(replayed).toMatchObject({ code: 0, out: 'queued · acme/shop/production#1\n' })
    expect(again).toMatchObject({ code: 0, out: 'repeated: nothing was started · acme/shop/production#1\n' })
    expect(world.statuses(deployment).filter((status) => status.startsWith('success'))).toHaveLength(1)
    expect((await deliveries(world, 'show', await newest(world, 'deployment'))).out).toMatch(
      /replayed {2}\d{4}-.* UTC by \w+/,
    )
  })

  test.each([
    { words: ['show', '99'], code: 1, says: 'There is no delivery 99.' },
    { words: ['show'], code: 2, says: 'the number or the GUID of a delivery' },
    { words: ['--limit', 'many'], code: 2, says: 'limit (1 to 1000)' },
    {
      words: ['--verdict', 'maybe'],
      code: 2,
      says: 'verdict (queued, deciding, ignored, repeated, refused)',
    },
    { words: ['reply', '1'], code: 2, says: '"reply" is not understood.' },
  ])('says what is wrong with $words', async ({ words, code, says }) => {
    const world = await serve()

    const ran = await deliveries(world, ...words)

    expect(ran).toMatchObject({ code, out: '' })
    expect(ran.err).toContain(says)
  })
})

describe('the socket', () => {
  test('belongs to the user of the server alone, and goes with the server', async () => {
    const world = await serve()
    const socket = join(world.directory, 'data', 'ferryman.sock')

    expect(statSync(socket).mode & 0o777).toBe(0o600)
    await world.stop()
    expect(existsSync(socket)).toBe(false)
    const { code, err } = await deliveries(world)

    expect(code).toBe(1)
    expect(err).toContain(`No Ferryman is running on ${join(world.directory, 'data')}: nobody listens there.`)
  })

  test('takes the place of one that a killed server has left', async () => {
    const directory = temporaryFolder()
    const socket = join(directory, 'data', 'ferryman.sock')
    mkdirSync(join(directory, 'data'))
    const dead = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ])
    await once(dead, 'exit')
    expect(existsSync(socket)).toBe(true)

    const { code } = await ferryman(['deliveries', '--data-dir', join(directory, 'data')])
    expect(code).toBe(1)

    const world = await serve({ config: { data_dir: join(directory, 'data') } })
    expect((await deliveries(world)).code).toBe(0)
  })

  test('works in a folder whose path is longer than a socket may have', async () => {
    const directory = join(temporaryFolder(), 'd'.repeat(120), 'data')
    const world = await serve({ config: { data_dir: directory } })

    expect((await deliveries(world)).code).toBe(0)
    expect((await ferryman(['deliveries', '--data-dir', directory])).code).toBe(0)
  })

  test('is found by the folder alone, and by a configuration whose secrets are not set here', async () => {
    const world = await serve()
    const config = join(world.directory, 'other.yml')
    writeFileSync(config, 'data_dir: ${WHERE}/data\ngithub: {token: "${NOT_SET}"}\n')

    const byFolder = await ferryman(['deliveries', '--data-dir', join(world.directory, 'data')])
    const byConfig = await ferryman(['deliveries', '-c', config], { env: { WHERE: world.directory } })
    const missing = await ferryman(['deliveries', '-c', config])

    expect([byFolder.code, byConfig.code, missing.code]).toEqual([0, 0, 1])
    expect(missing.err).toContain('other.yml:1:1 data_dir: the environment variable WHERE is not set')
  })
})

async function newest(world: Served, event: string): Promise<string> {
  const { out } = await deliveries(world, '--event', event, '--limit', '1', '--json')
  const [delivery] = JSON.parse(out) as { id: number }[]
  return String(delivery?.id)
}
