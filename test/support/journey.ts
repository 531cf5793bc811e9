import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { onTestFinished } from 'vitest'

import { startApp, type App } from '../../src/app.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Exchange, GitHubDouble } from '../../src/demo/github-double.ts'
import type { App as GitHubApp, Deployment, Repository } from '../../src/demo/github/state.ts'
import type { SlackDouble } from '../../src/demo/slack-double.ts'
import { createJournal, type Journal } from '../../src/logs/journal.ts'
import { createMasker } from '../../src/logs/redact.ts'
import type { Patience } from '../../src/run/ending.ts'
import { appAtGitHub, keysOfApp } from './apps.ts'
import { COMPILED } from './cli.ts'
import { githubForTest, slackForTest } from './doubles.ts'
import { freePort } from './needs.ts'
import { temporaryFolder } from './running.ts'

export const SECRET = 'a-webhook-secret-for-tests'
export const TOKEN = `ghp_${'0123456789abcdef'.repeat(2)}test`
export const API_TOKEN = 'an-api-token-for-tests'

export interface Given {
  readonly commands?: readonly (readonly string[])[]
  /** Keys of the repository's entry, beside folder and commands. */
  readonly entry?: Readonly<Record<string, unknown>>
  /** Keys of the whole configuration. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly repositories?: Readonly<Record<string, unknown>>
  readonly isPrivate?: boolean
  readonly slack?: boolean
  /** Ferryman is an App, whose hook delivers to it, and has no token. */
  readonly asApp?: boolean
  /** Nobody reaches the server from outside: it has no public address. */
  readonly isHidden?: boolean
  /** Path in front of GitHub's API, as Enterprise Server has one. */
  readonly apiRoot?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly patience?: Patience
  /** Changes the world before the server starts. */
  readonly prepare?: (world: World) => unknown
}

/** A world for one journey: GitHub and Slack on loopback, a folder, a configuration; no server yet. */
export interface World {
  readonly directory: string
  readonly folder: string
  readonly configFile: string
  readonly github: GitHubDouble
  readonly slack: SlackDouble
  /** acme/shop at GitHub. */
  readonly repository: Repository
  readonly sha: string
  /** Who Ferryman is with `asApp`. */
  readonly githubApp: GitHubApp | undefined
  writeConfig(given: Given): void
  /** Lets GitHub send its deliveries to the server's port, which stays the same when it is started again. */
  connect(): void
  /** Makes a deployment on GitHub, whose webhook goes to the server. */
  deploy(body?: object, by?: string): Promise<Deployment>
  /** Resolves when GitHub has taken a status of that state. */
  status(deployment: Deployment, state: string): Promise<Exchange>
  /** `state: description`, oldest first. */
  statuses(deployment: Deployment): string[]
}

/** Lets the token read commits, branches and pull requests as well: `prepare` for a world. */
export const mayReadCode = ({ github }: World): void =>
  github.addToken(TOKEN, { login: 'ferryman-robot', type: 'classic', scopes: ['repo'] })

/** Sets a world up; it is gone after the test. */
export async function createWorld(given: Given = {}): Promise<World> {
  const directory = temporaryFolder()
  const folder = join(directory, 'work')
  mkdirSync(folder)
  const github = await githubForTest({ root: given.apiRoot ?? '' })
  const slack = await slackForTest()
  github.addToken(TOKEN, { login: 'ferryman-robot', type: 'classic', scopes: ['repo_deployment'] })
  const repository = github.addRepository('acme/shop', { id: 17, isPrivate: given.isPrivate ?? true })
  const app = given.asApp === true ? appAtGitHub(github) : undefined
  if (app !== undefined) writeFileSync(join(directory, 'app.pem'), keysOfApp().privateKey, { mode: 0o600 })
  const credentials =
    app === undefined ? { token: TOKEN } : { app: { id: app.id, private_key_file: './app.pem' } }
  const configFile = join(directory, 'config.yml')
  const port = await freePort()
  const writeConfig = (wanted: Given): void => {
    const content = {
      server: {
        port,
        ...(wanted.isHidden === true ? {} : { public_url: 'https://deploy.example.org' }),
        api_token: API_TOKEN,
      },
      data_dir: './data',
      github: { webhook_secret: SECRET, ...credentials, api_url: github.url },
      ...(wanted.slack === false ? {} : { slack: { webhook_url: slack.url } }),
      repositories: wanted.repositories ?? {
        'acme/shop': { folder, commands: wanted.commands ?? [['true']], ...wanted.entry },
      },
      ...wanted.config,
    }
    writeFileSync(configFile, JSON.stringify(content), { mode: 0o600 }) // JSON is YAML
  }
  writeConfig(given)
  return {
    directory,
    folder,
    configFile,
    github,
    slack,
    repository,
    sha: repository.branches.get('main')?.sha ?? '',
    githubApp: app,
    writeConfig,
    connect() {
      if (repository.hooks.length > 0) return
      const url = `http://127.0.0.1:${port}/webhooks/github`
      const hook = { url, secret: SECRET, events: ['*'], contentType: 'json' } as const
      github.addHook('acme/shop', app === undefined ? hook : { ...hook, app })
    },
    async deploy(body = {}, by = 'mona') {
      const { deployment } = await github.createDeployment(
        'acme/shop',
        { ref: 'main', auto_merge: false, required_contexts: [], ...body },
        by,
      )
      return deployment
    },
    status: ({ id }, state) =>
      github.waitFor(
        ({ method, path, body, answer }) =>
          method === 'POST' &&
          path.endsWith(`/deployments/${id}/statuses`) &&
          answer?.status === 201 &&
          Reflect.get(Object(body), 'state') === state,
        45_000, // a playbook over ssh takes its time on a busy machine
      ),
    statuses: ({ id }) => github.statusesOf(id).map(({ state, description }) => `${state}: ${description}`),
  }
}

export interface Served extends World {
  readonly app: App
  readonly address: string
  /** What the server's own log says. */
  readonly journal: readonly string[]
  /** The same, as a terminal shows it. */
  readonly terminal: readonly string[]
  /** Resolves with the first line of it that fits, past or future. */
  waitForJournal(fits: (line: string) => boolean): Promise<string>
  /** Takes the configuration as it is written now. */
  reload(): Promise<void>
  /** Stops the server and starts it again on the same data; its clock may have gone on further than ours. */
  restart(given?: { readonly laterMs?: number }): Promise<void>
  /** Sets the server's clock so far ahead of ours, or behind. */
  setClock(leadMs: number): void
  stop(): Promise<void>
  log(id: number, query?: string): Promise<string>
}

/** A world with the whole server in it, in this process. */
export async function serve(given: Given = {}): Promise<Served> {
  const world = await createWorld(given)
  await given.prepare?.(world)
  const journal: string[] = []
  const terminal: string[] = []
  const listeners = new Set<() => void>()
  let lead = 0
  const clock = (): number => Date.now() + lead
  const environment = { PATH: process.env['PATH'] ?? '', ...given.environment }
  const start = async (): Promise<App> => {
    const config = loadConfig(world.configFile, { environment })
    const masker = createMasker(config.secrets)
    const write = (line: string): void => {
      journal.push(line)
      for (const listener of listeners) listener()
    }
    const parts = { masker, clock, colour: false }
    const forMachines = createJournal({ ...parts, write, pretty: false })
    const forPeople = createJournal({ ...parts, write: (line) => terminal.push(line), pretty: true })
    const both =
      (level: keyof Journal): Journal['info'] =>
      (...said) => {
        forPeople[level](...said)
        forMachines[level](...said)
      }
    return startApp(config, {
      environment,
      clock,
      journal: { info: both('info'), warn: both('warn'), error: both('error') },
      masker,
      version: 'test',
      ...(given.patience === undefined ? {} : { patience: given.patience }),
    })
  }
  let app: App | undefined = await start()
  world.connect()
  const stop = async (): Promise<void> => {
    const running = app
    app = undefined
    await running?.stop(0)
  }
  onTestFinished(stop)
  const current = (): App => {
    if (app === undefined) throw new Error('The server is stopped.')
    return app
  }
  return {
    ...world,
    journal,
    terminal,
    waitForJournal: (fits) => firstIn(journal, listeners, fits),
    stop,
    get app() {
      return current()
    },
    get address() {
      return current().address
    },
    setClock(leadMs) {
      lead = leadMs
    },
    reload: () => current().reload(loadConfig(world.configFile, { environment })),
    async restart({ laterMs = 0 } = {}) {
      await stop()
      lead += laterMs
      app = await start()
    },
    async log(id, query = '') {
      const response = await fetch(`${current().address}/deployments/${id}/log${query}`, {
        headers: { authorization: `Bearer ${API_TOKEN}` },
      })
      return response.text()
    },
  }
}

export interface ServerProcess {
  readonly pid: number
  readonly address: string
  readonly lines: readonly string[]
  waitForLine(fits: (line: string) => boolean): Promise<string>
  /** The exit code or the signal, when it has ended. */
  readonly ended: Promise<number | NodeJS.Signals | null>
  /** Sends the signal and waits for the end; answers the exit code or the signal. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>
}

/** The server as people start it: a process of its own. It is ended after the test, however that went. */
export async function startProcess(
  world: World,
  program = resolve('bin/ferryman'),
  args = ['serve'],
  environment: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const child = spawn(program, [...args, ...(program.endsWith('ferryman') ? ['-c', world.configFile] : [])], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: world.directory,
      NODE_COMPILE_CACHE: COMPILED,
      FERRYMAN_CONFIG: world.configFile,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  })
  const ended = endOf(child)
  const lines = linesOf(child)
  const listening = await lines.waitForLine((line) => line.includes('"server:listening"'))
  const { address } = JSON.parse(listening) as { address: string }
  world.connect()
  return {
    pid: child.pid ?? 0,
    address,
    lines: lines.all,
    waitForLine: lines.waitForLine,
    ended,
    end(signal) {
      child.kill(signal)
      return ended
    },
  }
}

async function endOf(child: ChildProcess): Promise<number | NodeJS.Signals | null> {
  const [code, killedBy] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  return code ?? killedBy
}

/** The first line that fits; one that does not come in time rejects with all that did. */
function firstIn(
  lines: readonly string[],
  listeners: Set<() => void>,
  fits: (line: string) => boolean,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const done = (line: string | undefined): void => {
      clearTimeout(timer)
      listeners.delete(look)
      if (line === undefined) reject(new Error(`No such line; these came:\n${lines.join('')}`))
      else resolve(line)
    }
    const look = (): void => {
      const found = lines.find(fits)
      if (found !== undefined) done(found)
    }
    const timer = setTimeout(() => done(undefined), 30_000)
    listeners.add(look)
    look()
  })
}

/** The lines that a process writes to either output, as they come. */
function linesOf(child: ChildProcess) {
  const all: string[] = []
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    let rest = ''
    stream?.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString()).split('\n')
      rest = parts.pop() ?? ''
      all.push(...parts)
      for (const listener of listeners) listener()
    })
  }
  const waitForLine = (fits: (line: string) => boolean): Promise<string> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => done(undefined), 30_000)
      const done = (line: string | undefined): void => {
        clearTimeout(timer)
        listeners.delete(look)
        if (line === undefined) reject(new Error(`No such line; these came:\n${all.join('\n')}`))
        else resolve(line)
      }
      const look = (): void => {
        const found = all.find(fits)
        if (found !== undefined) done(found)
      }
      child.once('exit', () => setImmediate(() => done(all.find(fits))))
      listeners.add(look)
      look()
    })
  return { all, waitForLine }
}
