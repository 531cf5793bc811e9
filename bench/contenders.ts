import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { join, resolve } from 'node:path'

import { REPOSITORY, SECRET } from './deliveries.ts'
import { answered, freePort, type Place, type Program, type ProgramOptions } from './place.ts'

/** A server under load, or beside it. */
export interface Contender {
  readonly name: string
  readonly program: Program
  readonly port: number
  readonly path: string
}

const ROOT = resolve(import.meta.dirname, '..')
export const FERRYMAN = join(ROOT, 'bin/ferryman')
export const PEER_MISSING =
  'adnanh/webhook is not installed, so its rows are missing: apt-get install webhook'

export interface FerrymanOptions extends ProgramOptions {
  readonly name?: string
  /** What it runs for the deliveries; without it their repository is not in its configuration. */
  readonly command?: readonly string[]
  readonly github?: number
  /** Keys of the repository's entry, where it works elsewhere than in its folder. */
  readonly entry?: Readonly<Record<string, unknown>>
  /** With an earlier life's configuration and data. */
  readonly folder?: string
  readonly apiToken?: string
}

/** Starts Ferryman as an operator does, and waits for its first answer. */
export async function startFerryman(place: Place, options: FerrymanOptions = {}): Promise<Contender> {
  const { name = 'Ferryman', folder = place.folder('ferryman') } = options
  const port = await freePort()
  const file = writeConfig(folder, port, options)
  const program = place.start(name, [FERRYMAN, 'serve', '-c', file], options)
  await answered(program, `http://127.0.0.1:${port}/healthz`)
  return { name, program, port, path: '/webhooks/github' }
}

/** Writes a configuration; answers its path. */
export function writeConfig(
  folder: string,
  port: number,
  { command, github = 9, entry = { folder }, apiToken }: FerrymanOptions,
): string {
  const file = join(folder, 'config.yml')
  const environment = {
    ...entry,
    commands: [command],
    lane: 'one',
    accept_actions_deployments: true,
    max_log_bytes: '8GiB',
  }
  const listed = { environments: { production: environment, 'github-pages': environment } }
  const other = { folder, commands: [['true']] }
  const config = {
    server: { host: '127.0.0.1', port, api_token: apiToken },
    data_dir: join(folder, 'data'),
    github: {
      webhook_secret: SECRET,
      token: 'a-token-for-the-benchmark',
      api_url: `http://127.0.0.1:${github}`,
      creations_per_hour: 1_000_000,
    },
    repositories: command === undefined ? { 'acme/shop': other } : { [REPOSITORY]: listed },
  }
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 }) // JSON is YAML
  return file
}

/** Starts adnanh/webhook: it checks the signature and then, without a command, finds that no rule matches. */
export async function startPeer(
  place: Place,
  options: ProgramOptions & { command?: readonly string[] } = {},
): Promise<Contender> {
  const folder = place.folder('peer')
  const port = await freePort()
  const signed = {
    type: 'payload-hmac-sha256',
    secret: SECRET,
    parameter: { source: 'header', name: 'X-Hub-Signature-256' },
  }
  const never = {
    type: 'value',
    value: 'never',
    parameter: { source: 'payload', name: 'deployment.environment' },
  }
  const [program = '/bin/true', ...args] = options.command ?? []
  const hook = {
    id: 'github',
    'execute-command': program,
    'command-working-directory': folder,
    'pass-arguments-to-command': args.map((name) => ({ source: 'string', name })),
    'trigger-rule': {
      and: options.command === undefined ? [{ match: signed }, { match: never }] : [{ match: signed }],
    },
  }
  const file = join(folder, 'hooks.json')
  writeFileSync(file, JSON.stringify([hook]))
  const started = place.start(
    'peer',
    ['webhook', '-hooks', file, '-ip', '127.0.0.1', '-port', String(port)],
    options,
  )
  await answered(started, `http://127.0.0.1:${port}/`)
  return { name: 'adnanh/webhook', program: started, port, path: '/hooks/github' }
}

/** Starts one of baselines.ts. */
export async function startBaseline(
  place: Place,
  kind: 'bare' | 'each' | 'grouped',
  options: ProgramOptions,
): Promise<Contender> {
  const name = {
    bare: 'bare node:http + HMAC',
    each: 'one commit each',
    grouped: 'grouped commits, nothing else',
  }[kind]
  const port = await freePort()
  const file = join(place.folder(kind), 'kept.sqlite')
  const program = place.start(
    kind,
    [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, 'baselines.ts'),
      kind,
      String(port),
      file,
    ],
    options,
  )
  await answered(program, `http://127.0.0.1:${port}/`)
  return { name, program, port, path: '/webhooks/github' }
}

/** Stands in for GitHub's API: takes every status after `delayMs` and tells its state. */
export interface GitHubSink {
  readonly port: number
  /** Resolves when the next status of that state has come. */
  next(state: string): Promise<void>
  stop(): void
}

/** Whoever waits for longer waits in vain. */
const NEXT_MS = 120_000

/** Starts the stand-in for GitHub's API in this process. */
export async function startGitHubSink(delayMs: number): Promise<GitHubSink> {
  const server: Server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text) => (body += String(text)))
    request.on('end', () => {
      const state: unknown = Reflect.get(Object(JSON.parse(body || '{}')), 'state')
      const isRead = request.method === 'GET'
      const text = JSON.stringify(isRead ? [] : { id: 1, state })
      const answer = (): void =>
        void response.writeHead(isRead ? 200 : 201, { 'content-type': 'application/json' }).end(text)
      if (delayMs === 0) answer()
      else setTimeout(answer, delayMs).unref()
      server.emit(`state:${String(state)}`)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    next: async (state) =>
      void (await once(server, `state:${state}`, { signal: AbortSignal.timeout(NEXT_MS) })),
    stop() {
      server.close().closeAllConnections()
    },
  }
}
