import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { askForJson } from '../../src/commands/client.ts'
import { statOf } from '../../src/run/processes.ts'
import { storeForTest } from '../support/buckets.ts'
import { ferryman } from '../support/cli.ts'
import {
  API_TOKEN,
  createWorld,
  SECRET,
  serve,
  startProcess,
  type ServerProcess,
  type World,
} from '../support/journey.ts'
import { eventually } from '../support/running.ts'

const SENTINEL = `S3nt'nel "of" the <shop> & 50%/ümläut`
const LINES = 'first line of several\n  second line of several\r\nthird line of several\n'
const ACCOUNT = JSON.stringify({ type: 'service_account', private_key_id: '0123456789abcdef'.repeat(10) })
const FOREIGN_KEY = [
  '-----BEGIN OPENSSH PRIVATE KEY-----',
  'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ',
  'QyNTUxOQAAACBkZXBsb3kga2V5IG9mIHRoZSBzaG9w',
  '-----END OPENSSH PRIVATE KEY-----',
].join('\n')
/** What installations of an App get since 2026: about 520 characters with dots and dashes. */
const tokenOfApp = (word: string): string => `ghs_123456_${word}${'.aB3-_xyz'.repeat(57)}`.slice(0, 520)
const TOKEN = tokenOfApp('ours')
const FOREIGN_TOKEN = tokenOfApp('theirs')
const S3_SECRET = 'a-secret-access-key-of-the-logs'
/** Comes from GitHub, and is known as a secret as well. */
const IN_PAYLOAD = 'a-password-that-somebody-put-into-the-payload'

const ENVIRONMENT = {
  GITHUB_TOKEN: TOKEN,
  WEBHOOK_SECRET: SECRET,
  SENTINEL,
  LINES,
  ACCOUNT,
  IN_PAYLOAD,
  S3_SECRET,
}
const OF_THE_SERVER = [TOKEN, SECRET, API_TOKEN, S3_SECRET]

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const base64url = (text: string): string => Buffer.from(text).toString('base64url')
const json = (text: string): string => JSON.stringify(text).slice(1, -1)

interface Form {
  /** As a careless command shows it. */
  readonly shown: string
  /** What of it may be nowhere; `shown` where nothing is said. */
  readonly secret?: readonly string[]
}

/** Of base64 the first and the last characters may belong to its surroundings. */
const inner = (encoded: string): Form => ({
  shown: encoded,
  secret: [encoded.replaceAll(/\s/g, '').slice(-40, -4)],
})

/** Every way in which a secret may be shown; another one is one more line. */
const FORMS: Readonly<Record<string, Form>> = {
  'as it is': { shown: SENTINEL },
  'of several lines': { shown: LINES.trim(), secret: ['first line of', 'second line of', 'third line of'] },
  'a line of several': { shown: 'second line of several' },
  'in a URL': { shown: encodeURIComponent(SENTINEL) },
  'in a form': { shown: new URLSearchParams({ x: SENTINEL }).toString().slice(2) },
  'in JSON': { shown: json(SENTINEL) },
  'in JSON in JSON': { shown: json(json(SENTINEL)) },
  'in HTML': { shown: 'S3nt&#39;nel &quot;of&quot; the &lt;shop&gt; &amp; 50%/ümläut' },
  'as sh -x shows it': { shown: SENTINEL.replaceAll("'", String.raw`'\''`) },
  'in base64': inner(base64(SENTINEL)),
  'in base64, one byte further': inner(base64(`x${SENTINEL}`)),
  'in base64, two bytes further': inner(base64(`xy${SENTINEL}`)),
  'in base64 for URLs': inner(base64url(SENTINEL)),
  'in base64 for URLs, one byte further': inner(base64url(`x${SENTINEL}`)),
  'in base64 for URLs, two bytes further': inner(base64url(`xy${SENTINEL}`)),
  'in base64 of several lines': inner(base64(ACCOUNT).replaceAll(/.{76}/g, '$&\n')),
  'as basic authorization': inner(`Authorization: Basic ${base64(`x-access-token:${SENTINEL}`)}`),
  'in the address of a repository': {
    shown: `https://x-access-token:${FOREIGN_TOKEN}@github.com/acme/shop.git`,
    secret: [FOREIGN_TOKEN.slice(0, 40), FOREIGN_TOKEN.slice(-40)],
  },
  "GitHub's token of the server": { shown: TOKEN, secret: [TOKEN.slice(0, 40), TOKEN.slice(-40)] },
  'the token of another App': { shown: FOREIGN_TOKEN, secret: [FOREIGN_TOKEN.slice(-40)] },
  'the secret of the webhook': { shown: SECRET },
  'the token of the API': { shown: API_TOKEN },
  'the key of the store for logs': { shown: S3_SECRET },
  'the address of another Slack': {
    shown: 'https://hooks.slack.com/services/T000/B000/foreignforeign',
    secret: ['foreignforeign'],
  },
  'a private key': {
    shown: FOREIGN_KEY,
    secret: ['b3BlbnNzaC1rZXktdjEAAAAABG5v', 'QyNTUxOQAAACBkZXBsb3kga2V5'],
  },
  'what came in a payload': { shown: IN_PAYLOAD },
}
const NAMES = Object.keys(FORMS)

/** Where the next one is only after it was asked for, and a half is shown some time before the other one. */
const CARELESS = `
file=forms/$FERRYMAN_NUMBER
[ -e "$file" ] || exec sleep 300
half=$(($(wc -c < "$file") / 2))
head -c $half "$file"; sleep 0.02; tail -c +$((half + 1)) "$file"
if [ "$FERRYMAN_NUMBER" = 1 ]; then touch begun; until [ -e go ]; do sleep 0.02; done; fi
exit 1`

interface Scene {
  readonly world: World
  readonly server: ServerProcess
  /** While the first deployment ran. */
  readonly processes: readonly Process[]
}
interface Process {
  readonly pid: number
  readonly commandLine: string
  readonly environment: string
  readonly isOfRun: boolean
}

interface Sink {
  read(scene: Scene): string | Promise<string>
  /** What it is there to hold, by the names of forms. */
  readonly holds?: readonly string[]
}

const sink = (read: Sink['read'], holds: readonly string[] = []): Sink => ({ read, holds })

/** Everywhere that words go; another one is one more line. */
const SINKS: Readonly<Record<string, Sink>> = {
  // What GitHub sends is kept as it was sent: it is what a replay needs, and what commands are given.
  'the data directory': sink(
    ({ world }) => filesBelow(join(world.directory, 'data')),
    ['what came in a payload'],
  ),
  'the logs on disk': sink(({ world }) => filesBelow(join(world.directory, 'data/logs'))),
  'the logs over HTTP': sink(({ server }) => logs(server, '')),
  'the logs over HTTP, in colours': sink(({ server }) => logs(server, '?colours=1')),
  'statuses and all other requests to GitHub': sink(({ world }) =>
    JSON.stringify(
      world.github.requests.map(({ path, query, body, headers }) => [
        path,
        query,
        body,
        { ...headers, authorization: '' }, // which is where the token belongs
      ]),
    ),
  ),
  'secret gists': sink(({ world }) =>
    JSON.stringify(world.github.gists.map(({ files, ...gist }) => [gist, ...files])),
  ),
  'objects in S3': sink(async ({ world }) => {
    const links = world.repository.deployments.flatMap(({ statuses }) => statuses.at(-1)?.logUrl ?? '')
    const stored = await Promise.all(
      links
        .filter((link) => link.includes('X-Amz-Signature'))
        .map(async (link) => (await fetch(link)).text()),
    )
    expect(stored).toHaveLength(NAMES.length)
    return stored.join('\n')
  }),
  'messages to Slack': sink(({ world }) => JSON.stringify(world.slack.requests.map(({ body }) => body))),
  "the server's own log": sink(({ server }) => server.lines.join('\n')),
  'answers to the webhook': sink(({ world }) =>
    JSON.stringify(world.github.deliveries.map(({ answer }) => answer)),
  ),
  'errors over HTTP': sink(({ server }) => errors(server)),
  'command lines of what it starts': sink(({ processes }) =>
    processes.map(({ commandLine }) => commandLine).join('\n'),
  ),
  'environments of its own processes': sink(({ processes }) =>
    processes.flatMap((one) => (one.isOfRun ? [] : [one.environment])).join('\n'),
  ),
  'ferryman check': sink(({ world }) => said(world, 'check')),
  'ferryman send': sink(({ world }) => said(world, 'send', 'ping')),
  'ferryman serve, which cannot start': sink(({ world }) => said(world, 'serve')),
  'ferryman deliveries': sink(({ world }) => said(world, 'deliveries', 'list')),
  'ferryman deliveries show': sink(({ world }) => said(world, 'deliveries', 'show', '1', '--json')),
  // What GitHub sent, for whoever may open the socket: that is who may read the file as well.
  'ferryman deliveries body': sink(
    async ({ world }) => said(world, 'deliveries', 'body', await newestDelivery(world)),
    ['what came in a payload'],
  ),
  'ferryman outbox': sink(({ world }) => said(world, 'outbox')),
  'ferryman outbox, for programs': sink(({ world }) => said(world, 'outbox', '--json')),
  'ferryman cancel': sink(({ world }) =>
    said(world, 'cancel', '1', '--reason', `${SENTINEL} ${TOKEN} ${IN_PAYLOAD}`),
  ),
}

test('no form of a secret reaches any sink', { timeout: 90_000 }, async () => {
  const world = await createWorld()
  const scopes = ['repo_deployment', 'gist']
  world.github.addToken(TOKEN, { login: 'ferryman-robot', type: 'classic', scopes })
  const logsInS3 = {
    s3: 's3://logs',
    endpoint: await storeForTest('logs'),
    access_key_id: 'AKIALOGS',
    secret_access_key: '${S3_SECRET}',
  }
  world.writeConfig({
    commands: [['sh', '-c', CARELESS]],
    entry: {
      lane: 'shop',
      log_to: 'gist',
      environments: { production: {}, bucket: { log_to: logsInS3, notify: { slack: 'off' } } },
      env: { SENTINEL: '${SENTINEL}', LINES: '${LINES}', ACCOUNT: '${ACCOUNT}', IN_PAYLOAD: '${IN_PAYLOAD}' },
      notify: { slack: { every_failure: true } },
    },
    config: {
      github: {
        webhook_secret: '${WEBHOOK_SECRET}',
        token: '${GITHUB_TOKEN}',
        api_url: world.github.url,
        creations_per_hour: 10_000, // all of them are waited for
      },
    },
  })
  mkdirSync(join(world.folder, 'forms'))
  Object.values(FORMS).forEach(({ shown }, index) =>
    writeFileSync(
      join(world.folder, 'forms', String(index + 1)),
      `some work\nerror: cannot log in with ${shown}\n`,
    ),
  )
  const server = await startProcess(world, undefined, undefined, ENVIRONMENT)
  // GitHub may show us what we sent, and a proxy may do worse; what it refuses for good is kept with its words.
  for (const status of [502, 422])
    world.github.fail({
      method: 'POST',
      path: /\/statuses$/,
      with: { status, body: { message: `Bad credentials: token ${TOKEN}, ${SENTINEL} ${'x'.repeat(600)}` } },
    })

  const deployments = []
  for (const name of NAMES) deployments.push(await world.deploy({ payload: { name, password: IN_PAYLOAD } }))
  await eventually('the first one runs', () => readdirSync(world.folder).includes('begun'))
  const processes = processesBelow(server.pid)
  writeFileSync(join(world.folder, 'go'), '')
  for (const name of NAMES)
    deployments.push(await world.deploy({ environment: 'bucket', payload: { name, password: IN_PAYLOAD } }))
  for (const deployment of deployments) await world.status(deployment, 'failure')
  await world.slack.waitFor(
    ({ text }) => text?.includes(`#${NAMES.length}`) === true && text.startsWith('Could not'),
    60_000, // Slack takes one message a second
  )

  await cancelled(world, server)

  const scene: Scene = { world, server, processes }
  expect(await logs(server, '')).toContain('error: cannot log in with •••')
  expect(await said(world, 'outbox')).toContain('GitHub answered 422: Bad credentials: token •••')
  expect(processes.filter(({ isOfRun }) => !isOfRun).length).toBeGreaterThan(0)
  for (const [name, { read, holds = [] }] of Object.entries(SINKS)) {
    const content = await read(scene)
    expect({ name, isEmpty: content.length < 20 }).toEqual({ name, isEmpty: false })
    const found = Object.entries(FORMS).filter(
      ([form, { shown, secret = [shown] }]) =>
        !holds.includes(form) && secret.some((text) => content.includes(text)),
    )
    expect({ name, found: found.map(([form]) => form) }).toEqual({ name, found: [] })
  }
  for (const { environment, commandLine } of processes)
    for (const secret of OF_THE_SERVER) expect(`${commandLine}\n${environment}`).not.toContain(secret)
})

test('of a secret in words from outside that are cut, not even the beginning is told', async () => {
  const secret = 'a-password-that-is-known'
  const cutWithin = (most: number): string => 'x'.repeat(most - 12) + secret
  const world = await serve({
    entry: { env: { PASSWORD: '${PASSWORD}' } },
    environment: { PASSWORD: secret },
  })
  const payload = { deploy_user: cutWithin(100) }

  const unknown = await world.deploy({ task: cutWithin(140 - 'Unknown task: '.length), payload })
  await world.status(unknown, 'error')
  world.github.setBranch('acme/shop', cutWithin(200), world.sha)
  await world.status(
    await world.deploy({ ref: cutWithin(200), environment: 'production', payload }),
    'success',
  )
  await world.deploy({ environment: cutWithin(500) })
  await world.waitForJournal((line) => line.includes('environment_not_configured'))
  await world.slack.waitFor(({ text }) => text?.startsWith('Deployed') ?? false)

  const dataDir = join(world.directory, 'data')
  const told = {
    statuses: world.github.requests.filter(({ path }) => path.endsWith('/statuses')).map(({ body }) => body),
    messages: world.slack.messages,
    answers: world.github.deliveries.map(({ answer }) => answer),
    logs: [await world.log(1), await world.log(2)],
    deliveries: await askForJson({ config: undefined, dataDir }, { method: 'GET', path: '/api/deliveries' }),
    journal: world.journal,
  }
  for (const [sink, said] of Object.entries(told))
    expect({ sink, said: JSON.stringify(said) }).toEqual({
      sink,
      said: expect.not.stringContaining('a-password'),
    })
})

test('a secret that is too short to be masked is named by check and at the start, and never shown', async () => {
  const world = await createWorld({ entry: { env: { DATABASE_PIN: '${PIN}' } } })
  const environment = { PIN: 'q7#x9' }

  const server = await startProcess(world, undefined, undefined, environment)
  const warned = await server.waitForLine((line) => line.includes('"config:doubtful"'))
  const { out, err } = await ferryman(['check', '-c', world.configFile], { env: environment })

  const told = 'repositories.acme/shop.env.DATABASE_PIN: is too short to be masked'
  expect(warned).toContain(told)
  expect(out).toContain(told)
  expect(`${server.lines.join('\n')}${out}${err}`).not.toContain(environment.PIN)
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

/** The content of every file below the folder. */
function filesBelow(folder: string): string {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  )
  expect(names.length).toBeGreaterThan(2)
  return names.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n')
}

async function logs({ address }: ServerProcess, query: string): Promise<string> {
  const all = NAMES.map(async (_, index) => {
    const response = await fetch(`${address}/deployments/${index + 1}/log${query}`, {
      headers: { authorization: `Bearer ${API_TOKEN}` },
    })
    return response.text()
  })
  return (await Promise.all(all)).join('\n')
}

/** What the endpoints say of wrong questions. */
async function errors({ address }: ServerProcess): Promise<string> {
  const questions: readonly (readonly [string, RequestInit])[] = [
    ['/webhooks/github', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }],
    ['/webhooks/github', { method: 'GET' }],
    ['/deployments/1/log', {}],
    ['/deployments/1/log?expires=1&signature=x', {}],
    ['/deployments/999/log', { headers: { authorization: `Bearer ${API_TOKEN}` } }],
    ['/deployments/1/log?offset=x', {}],
    ['/nothing', {}],
    ['/%', {}],
  ]
  const answers = questions.map(async ([path, init]) => (await fetch(`${address}${path}`, init)).text())
  return (await Promise.all(answers)).join('\n')
}

/** What a command prints, whether it can do its work or not. */
async function said({ configFile }: World, ...args: string[]): Promise<string> {
  const { out, err } = await ferryman([...args, '-c', configFile], { env: ENVIRONMENT })
  return `${out}\n${err}`
}

/** One that is cancelled with the secrets as a reason; everybody has heard of it when this resolves. */
async function cancelled(world: World, server: ServerProcess): Promise<void> {
  const number = NAMES.length + 1
  const name = `acme/shop/production#${number}`
  const deployment = await world.deploy({ payload: { name: 'cancelled', password: IN_PAYLOAD } })
  await server.waitForLine((line) => line.includes('"deployment:claimed"') && line.includes(name))
  const reason = `no ${SENTINEL} ${TOKEN} ${IN_PAYLOAD}`
  expect(await said(world, 'cancel', name, '--reason', reason)).toContain('no ••• ••• •••')
  await world.status(deployment, 'error')
  await world.slack.waitFor(({ text }) => text?.startsWith(`Cancelled ${name} `) === true, 60_000)
}

/** The one that the last deployment came with. */
async function newestDelivery({ configFile }: World): Promise<string> {
  const { out } = await ferryman(['deliveries', '--event', 'deployment', '--json', '-c', configFile])
  const [newest] = JSON.parse(out) as { readonly id: number }[]
  return String(newest?.id)
}

/** What the server has started, and what that has started. */
function processesBelow(pid: number): Process[] {
  const children = readdirSync('/proc').filter((name) => statOf(Number(name))?.parent === pid)
  return children.flatMap((name) => {
    const child = Number(name)
    const read = (file: string): string => {
      try {
        return readFileSync(`/proc/${name}/${file}`, 'utf8').replaceAll('\0', '\n')
      } catch {
        return '' // it has ended meanwhile
      }
    }
    const environment = read('environ')
    const isOfRun = environment.includes('FERRYMAN_RUN_ID=')
    return [{ pid: child, commandLine: read('cmdline'), environment, isOfRun }, ...processesBelow(child)]
  })
}
