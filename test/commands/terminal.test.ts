import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

import { expect, onTestFinished, test } from 'vitest'

import { ferryman } from '../support/cli.ts'
import { SECRET, serve } from '../support/journey.ts'
import { deploymentEvent, signedDelivery } from '../support/payloads.ts'
import { temporaryFolder } from '../support/running.ts'

const TOKEN = 'a-token-"with"-odd/letters-&<>'
const HOSTILE = '\u001b]0;owned\u0007\u001b[2J\r\n✔ all is well \u009b1G\u202e'
const MARKS = ['\u001b', '\u0007', '\r', '\u009b', '\u202e', '\n✔ all is well']

/** A server that answers everything like this; gone after the test. */
async function answering(status: number, body: string): Promise<string> {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

function configuration(github: string, token: string, more: object = {}): string {
  const directory = temporaryFolder()
  const file = join(directory, 'config.yml')
  const config = {
    data_dir: './data',
    github: { webhook_secret: 'a-webhook-secret-for-tests', token, api_url: github },
    repositories: { 'acme/shop': { folder: '.', commands: [['true']] } },
    ...more,
  }
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  return file
}

test.each([
  ['plain', TOKEN],
  ['in a URL', encodeURIComponent(TOKEN)],
  ['in JSON', JSON.stringify(TOKEN).slice(1, -1)],
  ['in base64', Buffer.from(`x-access-token:${TOKEN}`).toString('base64').slice(20)],
])('check shows an error of GitHub on one line and without the token in it, %s', async (_, shown) => {
  const filler = 'x'.repeat(470) // so that the message is cut within the token
  const github = await answering(500, JSON.stringify({ message: `${HOSTILE} ${filler} ${shown}` }))

  const { code, out, err } = await ferryman(['check', '-c', configuration(github, TOKEN)])

  expect(code).toBe(1)
  expect(out).toContain('GitHub answered 500')
  for (const mark of MARKS) expect(`${out}${err}`).not.toContain(mark)
  for (let length = 6; length <= shown.length; length++)
    expect(`${out}${err}`).not.toContain(shown.slice(0, length))
})

test('check does not show a token that no header can carry', async () => {
  const token = 'first-half-of-it-€-second-half-of-it'
  const { out, err } = await ferryman(['check', '-c', configuration('http://127.0.0.1:1', token)])

  expect(out).toContain('github.token')
  expect(`${out}${err}`).not.toMatch(/first-half|second-half/)
})

test('send shows what a server answers as text', async () => {
  const server = await answering(200, JSON.stringify({ verdict: HOSTILE, detail: TOKEN }))
  const file = configuration('http://127.0.0.1:1', TOKEN)

  const { code, out, err } = await ferryman(['send', 'ping', '-c', file, '--url', `${server}/`])

  expect(code).toBe(0)
  expect(out).toContain(String.raw`verdict: \u001b]0;owned`)
  for (const mark of [...MARKS, TOKEN]) expect(`${out}${err}`).not.toContain(mark)
})

test.each([
  ['a command that does not exist', [HOSTILE]],
  ['a word too many', ['check', HOSTILE]],
  ['an option that does not exist', ['check', `--${HOSTILE}`]],
  ['a configuration that is not there', ['check', '-c', HOSTILE]],
  ['a commit that is none', ['send', 'ping', '--sha', HOSTILE]],
])('%s is named as text', async (_, args) => {
  const { code, err } = await ferryman(args, { cwd: temporaryFolder() })

  expect(code).toBeGreaterThan(0)
  for (const mark of MARKS.slice(0, 5)) expect(err).not.toContain(mark)
})

test('a server that cannot reach its database says so without the password', async () => {
  const database = 'postgres://ferryman:a-database-password@127.0.0.1:1/ferryman'
  const file = configuration('http://127.0.0.1:1', TOKEN, { database })

  const { code, out, err } = await ferryman(['serve', '-c', file])

  expect(code).toBe(1)
  expect(err).toContain('does not answer')
  expect(`${out}${err}`).not.toContain('a-database-password')
})

test.each([
  ['for people', []],
  ['as JSON', ['--json']],
])('cancel and deliveries show what comes from outside as text, %s', async (_, form) => {
  const world = await serve({ commands: [['sleep', '300']] })
  await world.status(await world.deploy(), 'in_progress')
  const content = deploymentEvent({ environment: `production${HOSTILE}` })
  const { headers, body } = signedDelivery('deployment', content, SECRET)
  const agent = 'GitHub-Hookshot/\u009b2J\u0085' // all that a header can carry of it
  await fetch(`${world.address}/webhooks/github`, {
    method: 'POST',
    headers: { ...headers, 'user-agent': agent },
    body,
  })
  const call = (...words: string[]) => ferryman([...words, ...form, '-c', world.configFile])

  const cancelled = await call('cancel', '1', '--reason', HOSTILE)
  const shown = await call('deliveries', 'show', headers['x-github-delivery'])
  const listed = await call('deliveries')

  expect([cancelled.code, shown.code, listed.code]).toEqual([0, 0, 0])
  expect(cancelled.out).toMatch(/u001b\]0;owned/)
  expect(shown.out).toMatch(/u009b2J/)
  for (const { out, err } of [cancelled, shown, listed])
    for (const mark of MARKS) expect(`${out}${err}`).not.toContain(mark)
})

test('the body of a delivery is bytes in a file, and text on a terminal', async () => {
  const world = await serve()
  const content = JSON.stringify(deploymentEvent({ environment: 'x\u009b2J\u202e' }))
  const { headers, body } = signedDelivery('deployment', content, SECRET)
  await fetch(`${world.address}/webhooks/github`, { method: 'POST', headers, body })
  const words = ['deliveries', 'body', headers['x-github-delivery'], '-c', world.configFile]

  const piped = await ferryman(words)
  const typed = await onTerminal(words)

  expect(piped.out).toBe(content)
  expect(typed).toContain(String.raw`"x\u009b2J\u202e"`)
  expect(typed).not.toMatch(/[\u009b\u202e]/)
})

/** What a terminal is sent. */
async function onTerminal(words: readonly string[]): Promise<string> {
  const child = spawn('script', ['-qec', ['bin/ferryman', ...words].join(' '), '/dev/null'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 25_000,
  })
  return text(child.stdout)
}
