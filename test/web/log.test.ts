import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { createLogLinks } from '../../src/logs/links.ts'
import { API_TOKEN, serve, type Served } from '../support/journey.ts'

const COLOURED = [
  'sh',
  '-c',
  String.raw`printf '\033[32mgreen\033[0m and \033]8;;https://x.example\007link\033]8;;\007\n'`,
]

const ended = async (
  given: Parameters<typeof serve>[0] = {},
): Promise<{ world: Served; logUrl: string | undefined }> => {
  const world = await serve({ commands: [COLOURED], ...given })
  const deployment = await world.deploy()
  await world.status(deployment, 'success')
  return { world, logUrl: world.github.statusesOf(deployment.id).at(-1)?.logUrl }
}
const open = (world: Served, path: string, headers: Record<string, string> = {}) =>
  fetch(`${world.address}${path}`, { headers })
const withToken = { authorization: `Bearer ${API_TOKEN}` }

describe('the log', () => {
  test('opens by the link in the status of a private repository', async () => {
    const { world, logUrl } = await ended()

    const { pathname, search } = new URL(logUrl ?? '')
    const response = await open(world, pathname + search)

    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'cache-control': 'private, no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'",
    })
    expect(await response.text()).toContain('green and link')
  })

  test('of a public repository has no signature in its link, unless public_logs says so', async () => {
    expect((await ended({ isPrivate: false })).logUrl).toBe('https://deploy.example.org/deployments/1/log')
    expect((await ended({ isPrivate: false, entry: { public_logs: true } })).logUrl).toMatch(
      /\?follow=1&expires=\d+&signature=[\w-]{43}$/,
    )
  })

  test('has no link without a public address', () => {
    const links = createLogLinks('key', undefined, () => 0)

    expect(links.forReport({ id: 1, isPrivate: true, publicLogs: true })).toBeUndefined()
  })

  test('is followed while the deployment runs', async () => {
    const world = await serve({
      commands: [['sh', '-c', 'echo first; until test -e go; do sleep 0.02; done; echo last']],
    })
    await world.status(await world.deploy(), 'in_progress')

    const reader = (await open(world, '/deployments/1/log?follow=1', withToken)).body
      ?.pipeThrough(new TextDecoderStream())
      .getReader()
    let text = ''
    for (let isReleased = false; ;) {
      const { done, value } = (await reader?.read()) ?? { done: true }
      if (done) break
      text += value ?? ''
      if (!isReleased && text.includes(' first\n')) {
        isReleased = true
        writeFileSync(join(world.folder, 'go'), '')
      }
    }

    expect(text).toMatch(/ first\n.* last\n.*exit 0/s)
  })

  test('that somebody reads slowly does not hold up a stop', async () => {
    const world = await serve({ commands: [['sleep', '300']] })
    await world.status(await world.deploy(), 'in_progress')
    const response = await open(world, '/deployments/1/log?follow=1', withToken)

    await world.stop()

    await response.text().catch(() => '')
    await expect(fetch(response.url)).rejects.toThrow()
  })

  test.each([
    ['nobody', '', {}, 401, 'log_access_denied'],
    ['a wrong token', '', { authorization: 'Bearer guess' }, 401, 'log_access_denied'],
    ['a forged link', '?expires=99999999999&signature=AAAA', {}, 401, 'log_access_denied'],
    ['wrong parameters', '?offset=x', withToken, 400, 'query_wrong'],
    ['a log that is not there', '', withToken, 404, 'deployment_unknown'],
  ])('stays closed for %s', async (name, query, headers, status, error) => {
    const { world } = await ended()
    const id = name === 'a log that is not there' ? 99 : 1

    const response = await open(world, `/deployments/${id}/log${query}`, headers)

    expect([response.status, Reflect.get(Object(await response.json()), 'error')]).toEqual([status, error])
  })

  test('tells no stranger which deployments there are', async () => {
    const { world } = await ended()

    const [there, notThere] = await Promise.all([
      open(world, '/deployments/1/log'),
      open(world, '/deployments/99/log'),
    ])

    expect(await there.text()).toBe(await notThere.text())
  })

  test('keeps its colours when they are asked for', async () => {
    const { world } = await ended()

    expect(await world.log(1, '?colours=1')).toContain('\u001b[32mgreen')
    expect(await world.log(1)).not.toContain('\u001b')
  })

  test('is read on from an offset, or from its end', async () => {
    const { world } = await ended()
    const whole = await world.log(1, '?colours=1')

    const first = await open(world, '/deployments/1/log?colours=1&limit=20', withToken)
    const next = first.headers.get('ferryman-next-offset')
    const rest = await world.log(1, `?colours=1&offset=${next}`)

    expect((await first.text()) + rest).toBe(whole)
    expect(await world.log(1, '?colours=1&offset=-1')).toBe(whole)
  })

  test('from its end begins with a whole line', async () => {
    const { world } = await ended({ commands: [['seq', '-f', 'line %.0f of a long log', '5000']] })
    const whole = await world.log(1)

    const end = await world.log(1, '?offset=-1')

    expect(end).toMatch(/^\S+Z line \d+ of a long log\n/)
    expect(end.length).toBeGreaterThan(60_000)
    expect(end.length).toBeLessThanOrEqual(65_536)
    expect(whole.endsWith(end)).toBe(true)
  })

  test('of a deployment that waits says so', async () => {
    const world = await serve({ commands: [['sleep', '300']] })
    await world.status(await world.deploy(), 'in_progress')
    await world.status(await world.deploy(), 'queued')

    expect(await world.log(2)).toBe('acme/shop/production#2 is queued; its log begins when it runs.\n')
  })
})

describe('a link', () => {
  const at = (clock: number) => createLogLinks('key', 'https://deploy.example.org', () => clock)
  const parts = (url: string | undefined) => {
    const { searchParams } = new URL(url ?? '')
    return { expires: searchParams.get('expires') ?? '', signature: searchParams.get('signature') ?? '' }
  }
  const of = { id: 7, isPrivate: true, publicLogs: false }
  const DAY = 86_400_000

  test('lives for thirty days and opens one log only', () => {
    const link = parts(at(0).forReport(of))

    expect(at(29 * DAY).check(7, link)).toBe('valid')
    expect(at(31 * DAY).check(7, link)).toBe('expired')
    expect(at(0).check(8, link)).toBe('forged')
    expect(at(0).check(7, { ...link, expires: '99999999999' })).toBe('forged')
    expect(createLogLinks('another key', 'https://x.example', () => 0).check(7, link)).toBe('forged')
  })
})

describe('health', () => {
  test('says that the process answers, and whether it can record', async () => {
    const world = await serve()

    expect(await (await open(world, '/healthz')).json()).toEqual({ status: 'ok' })
    expect(await (await open(world, '/readyz')).json()).toEqual({ status: 'ready' })
  })
})

test('what is only read answers to nothing else, and says so', async () => {
  const world = await serve()

  for (const path of ['/healthz', '/readyz', '/deployments/1/log']) {
    const body = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' }
    const response = await fetch(`${world.address}${path}`, body)

    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    expect(await response.json()).toMatchObject({ error: 'method_not_allowed', hint: 'Use GET.' })
    expect((await fetch(`${world.address}${path}`, { method: 'HEAD' })).status).not.toBe(405)
  }
})
