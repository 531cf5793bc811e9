import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { startApp, type App } from '../../../src/app.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { createJournal } from '../../../src/logs/journal.ts'
import { createMasker } from '../../../src/logs/redact.ts'
import { rawConnection, readAnswers, type RawAnswer } from '../../support/raw-http.ts'
import { bytesOf, SECRET, type Case } from './case.ts'
import { CONTENT } from './content.ts'
import { IDENTITY } from './identity.ts'
import { TRANSPORT } from './transport.ts'

/*
 * One server for all cases. After each of them a ping is answered rightly, no deployment exists and nothing
 * has run: the server is as it was.
 */

const API_TOKEN = 'an-api-token-for-tests'
const directory = mkdtempSync(join(tmpdir(), 'ferryman-fuzz-'))
const folder = join(directory, 'work')
const journal: string[] = []
let app: App

beforeAll(async () => {
  mkdirSync(folder)
  const file = join(directory, 'config.yml')
  const config = {
    server: { port: 0, api_token: API_TOKEN },
    data_dir: './data',
    github: { webhook_secret: SECRET, token: 'x'.repeat(40), api_url: 'http://127.0.0.1:1' },
    repositories: { 'acme/shop': { folder, commands: [['touch', 'ran']] } },
  }
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  const masker = createMasker([])
  app = await startApp(loadConfig(file, { environment: {} }), {
    environment: { PATH: process.env['PATH'] },
    clock: Date.now,
    journal: createJournal({
      write: (line) => journal.push(line),
      masker,
      clock: Date.now,
      pretty: false,
      colour: false,
    }),
    masker,
    version: 'test',
  })
})

afterAll(async () => {
  await app.stop(0)
  rmSync(directory, { recursive: true, force: true })
})

const PATIENCE_MS = 8_000

/** Sends the bytes and answers what came back, when the server has closed the connection. */
async function attempt(bytes: Buffer, breaksOff = false): Promise<readonly RawAnswer[]> {
  const { socket, send, all } = await rawConnection(app.address)
  socket.setTimeout(PATIENCE_MS, () => socket.destroy())
  if (bytes.length > 0) send(bytes)
  if (breaksOff) socket.end()
  return readAnswers(await all)
}

const wordOf = ({ body }: RawAnswer): unknown => {
  const { error, reason } = JSON.parse(body) as { error?: string; reason?: string }
  return error ?? reason
}

async function expectUnharmed(): Promise<void> {
  const [answer] = await attempt(bytesOf({ event: 'ping', body: '{"zen":"still here"}' }))
  expect(JSON.parse(answer?.body ?? '')).toMatchObject({ verdict: 'ignored', reason: 'ping' })
  const log = await fetch(`${app.address}/deployments/1/log`, {
    headers: { authorization: `Bearer ${API_TOKEN}` },
  })
  expect(await log.json()).toMatchObject({ error: 'deployment_unknown' })
  expect(existsSync(join(folder, 'ran'))).toBe(false)
}

const ALL: readonly Case[] = [...TRANSPORT, ...IDENTITY, ...CONTENT]

describe('nothing runs, and the endpoint still answers, after', () => {
  test.each(ALL)('$name', async ({ bytes, status, says, breaksOff }) => {
    const answers = await attempt(bytes, breaksOff)

    expect(answers.map((answer) => answer.status)).toEqual(status)
    const last = answers.at(-1)
    if (says !== undefined && last !== undefined) expect(wordOf(last)).toBe(says)
    await expectUnharmed()
  })
})

test('there are more than two hundred cases, and no two of one name', () => {
  expect(new Set(ALL.map(({ name }) => name)).size).toBe(ALL.length)
  expect(ALL.length).toBeGreaterThan(200)
})

test('the server never called one of them its own failure, and never wrote more than a line at once', () => {
  expect(journal.filter((line) => /request:broken|"level":"error"/.test(line))).toEqual([])
  for (const line of journal)
    expect(
      ['\n', '\r', '\u001b', '\u009b', '\u202e'].filter((mark) => line.trimEnd().includes(mark)),
    ).toEqual([])
})
