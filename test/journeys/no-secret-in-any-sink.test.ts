import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { API_TOKEN, SECRET, serve, TOKEN } from '../support/journey.ts'

const SENTINEL = 'S3nt!nel-of-the-shop'
const KEY = [
  '-----BEGIN OPENSSH PRIVATE KEY-----',
  'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ',
  '-----END OPENSSH PRIVATE KEY-----',
].join('\n')

/** Every way in which a careless command shows what it was given. */
const CARELESS = [
  'echo "plain $SENTINEL"',
  'printf %s "$SENTINEL" | base64',
  'printf "x-access-token:%s" "$SENTINEL" | base64 -w0; echo',
  'printf "half "; printf %s "$SENTINEL" | cut -c1-7 | tr -d "\\n"; sleep 0.3; printf %s "$SENTINEL" | cut -c8-',
  'node -e "console.log(JSON.stringify(process.env.SENTINEL), encodeURIComponent(process.env.SENTINEL))"',
  'echo "https://deploy:$SENTINEL@git.example.org/shop.git"',
  'echo "$KEY"',
  'printf ghs_123456_; for i in 1 2 3 4 5 6 7 8; do printf "ab.cd%s-" "$i"; done; echo',
  'env',
  'echo "error: cannot log in with $SENTINEL" >&2',
  'exit 1',
].join('\n')

test('a secret that a careless command prints is in no file, status, message, log line or answer', async () => {
  const world = await serve({
    commands: [['sh', '-c', CARELESS]],
    entry: { env: { SENTINEL: '${SENTINEL}', KEY: '${DEPLOY_KEY}' } },
    environment: { SENTINEL, DEPLOY_KEY: KEY },
  })

  await world.status(await world.deploy(), 'failure')
  await world.slack.waitFor(({ text }) => text?.startsWith('Could not deploy') ?? false)
  const log = await world.log(1, '?colours=1')

  const sinks: Record<string, string> = {
    'the log over HTTP': log,
    "the server's own log": world.journal.join(''),
    'requests to GitHub': JSON.stringify(
      world.github.requests.map(({ path, body, query }) => ({ path, body, query })),
    ),
    'messages to Slack': JSON.stringify(world.slack.requests.map(({ body }) => body)),
    'answers to the webhook': JSON.stringify(world.github.deliveries.map(({ answer }) => answer)),
    ...filesBelow(join(world.directory, 'data')),
  }
  const forms = {
    plain: SENTINEL,
    'second half': SENTINEL.slice(7),
    base64: Buffer.from(SENTINEL).toString('base64').slice(0, 20),
    'as basic auth': Buffer.from(`x-access-token:${SENTINEL}`).toString('base64').slice(20),
    'URL-encoded': encodeURIComponent(SENTINEL),
    'JSON-encoded': JSON.stringify(SENTINEL).slice(1, -1),
    'a line of a key': 'b3BlbnNzaC1rZXktdjEAAAAABG5vbmU',
    'a token of an app': 'ab.cd5-',
    "the server's token": TOKEN,
    'the webhook secret': SECRET,
    'the API token': API_TOKEN,
    'the address of Slack': 'x0fakefakefake',
  }
  expect(log).toContain('plain •••')
  for (const [sink, content] of Object.entries(sinks))
    for (const [form, text] of Object.entries(forms))
      expect({ sink, form, found: content.includes(text) }).toEqual({ sink, form, found: false })
})

test('an ordinary word from a variable is not mistaken for a secret', async () => {
  const world = await serve({
    commands: [['sh', '-c', 'echo "stage $NODE_ENV, port $PORT"']],
    entry: { env: { NODE_ENV: '${STAGE}', PORT: '${APP_PORT}' } },
    environment: { STAGE: 'production', APP_PORT: '8080' },
  })

  const deployment = await world.deploy()
  await world.status(deployment, 'success')

  expect(world.statuses(deployment)[0]).toContain('acme/shop/production#1')
  expect(await world.log(1)).toContain('stage production, port 8080')
})

/** Every file below the folder, as bytes that can be searched. */
function filesBelow(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  )
  expect(names.length).toBeGreaterThan(2)
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'latin1')]))
}
