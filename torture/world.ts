import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { freePort } from '../bench/place.ts'
import { startGitHubDouble, type GitHubDouble } from '../src/demo/github-double.ts'
import type { Repository } from '../src/demo/github/state.ts'
import { startSlackDouble, type SlackDouble } from '../src/demo/slack-double.ts'
import type { Wish } from './cancel.ts'
import { openLine, type Line } from './line.ts'
import { killAll } from './living.ts'
import { powerOf, type Power } from './power-loss/power-loss.ts'

/** Where a Ferryman is tortured: GitHub and Slack in this process, a folder, a configuration; no server yet. */
export interface World {
  readonly directory: string
  readonly dataDirectory: string
  /** Of the machine; undefined where it cannot be made to fail. */
  readonly power: Power | undefined
  readonly configFile: string
  readonly github: GitHubDouble
  /** As GitHub knows them. */
  readonly repositories: readonly Repository[]
  readonly slack: SlackDouble
  /** From GitHub to the server. */
  readonly line: Line
  /** What the commands wrote. */
  readonly journalFile: string
  /** In the environment of every command, and of nothing else on this machine. */
  readonly marker: string
  /** Whether the lives that begin from now on tell Slack. */
  setSlack(isTold: boolean): void
  /** Writes another token into the configuration. */
  changeToken(): void
  /** Lets the commands that wait to be interrupted go on, or makes them wait. */
  setHold(isHeld: boolean): void
  /** `bin/ferryman`, of whichever version. */
  readonly program: string
  /** What people wanted to be cancelled. */
  readonly wishes: Wish[]
  /**
   * By the steady clock: when the server that runs was started, when one was last asked to stop, and when one first
   * took connections.
   */
  readonly times: { begun: number; stopAsked: number; firstSeen: number }
  /** Adds what runs; once the world has ended nothing begins in it any more. */
  enter<One extends Runs>(start: () => One): One
  /** Ends everything in it; the folder stays. */
  end(): Promise<void>
}

/** Something that can be ended. */
interface Runs {
  readonly ended: Promise<unknown>
  send(signal: NodeJS.Signals): void
}

export interface Environment {
  readonly repository: string
  readonly name: string
  readonly lane: string
}

const SECRET = 'a-webhook-secret-for-the-torture'
/** Who Ferryman is at GitHub. */
export const ROBOT = 'ferryman-robot'
const TOKENS = ['tort', 'ture'].map((end) => `ghp_${'0123456789abcdef'.repeat(2)}${end}`)

/** Several repositories and environments; two of them share a lane. */
export const ENVIRONMENTS: readonly [Environment, ...Environment[]] = [
  { repository: 'acme/shop', name: 'production', lane: 'shop' },
  { repository: 'acme/shop', name: 'staging', lane: 'shop-staging' },
  { repository: 'acme/api', name: 'production', lane: 'shared' },
  { repository: 'acme/site', name: 'production', lane: 'shared' },
  { repository: 'acme/web', name: 'production', lane: 'web' },
]

/** Branches say how their command behaves: see commands/deploy.sh. */
export const BRANCHES = ['main', 'slow', 'fails', 'holds', 'deaf', 'parent', 'daemon', 'loud'] as const
export type Branch = (typeof BRANCHES)[number]

/** What every deployment does, in order. */
const STEPS = 2

export const REPOSITORIES = ['acme/shop', 'acme/api', 'acme/site', 'acme/web'] as const

interface Machine {
  /** `bin/ferryman`, of whichever version. */
  readonly program: string
  /** By which its power can fail; undefined where that cannot be made. */
  readonly shim: string | undefined
}

/** Makes a world in the folder. */
export async function createWorld(directory: string, { program, shim }: Machine): Promise<World> {
  for (const { lane } of ENVIRONMENTS) mkdirSync(join(directory, 'work', lane), { recursive: true })
  const disk = join(directory, 'disk')
  mkdirSync(disk)
  const dataDirectory = join(disk, 'data')
  const [github, slack, port] = await Promise.all([startGitHubDouble(), startSlackDouble(), freePort()])
  const line = await openLine(port)
  for (const token of TOKENS) github.addToken(token, { login: ROBOT, type: 'classic', scopes: ['repo'] })
  const repositories = REPOSITORIES.map((name) => {
    const repository = github.addRepository(name)
    const head = repository.branches.get('main')?.sha ?? ''
    for (const branch of BRANCHES) github.setBranch(name, branch, head)
    github.addHook(name, {
      url: `http://127.0.0.1:${line.port}/webhooks/github`,
      secret: SECRET,
      events: ['*'],
      contentType: 'json',
    })
    return repository
  })
  const marker = randomBytes(8).toString('hex')
  const journalFile = join(directory, 'journal')
  writeFileSync(journalFile, '')
  const configFile = join(directory, 'config.yml')
  const content = {
    server: { port, public_url: 'https://deploy.example.org' },
    data_dir: dataDirectory,
    max_concurrent: 3,
    repositories: Object.fromEntries(
      REPOSITORIES.map((name) => [name, entryOf(name, { directory, journalFile, marker })]),
    ),
  }
  const ours = { webhook_secret: SECRET, api_url: github.url, creations_per_hour: 1_000_000 }
  let slackPart = {}
  let changes = 0
  const configure = (): void => {
    const withToken = { github: { ...ours, token: TOKENS[changes % TOKENS.length] } }
    const all = { ...content, ...withToken, ...slackPart }
    writeFileSync(configFile, JSON.stringify(all), { mode: 0o600 }) // JSON is YAML
  }
  configure()
  const lives = new Set<Runs>()
  let hasEnded = false
  const holdFile = `${journalFile}.hold`
  return {
    directory,
    program,
    wishes: [],
    times: { begun: 0, stopAsked: -Infinity, firstSeen: Infinity },
    dataDirectory,
    power: shim === undefined ? undefined : powerOf(disk, { shim, folder: directory }),
    configFile,
    github,
    repositories,
    slack,
    line,
    journalFile,
    marker,
    setSlack(isTold) {
      slackPart = isTold ? { slack: { webhook_url: slack.url } } : {}
      configure()
    },
    changeToken() {
      changes += 1
      configure()
    },
    setHold: (isHeld) => (isHeld ? writeFileSync(holdFile, '') : rmSync(holdFile, { force: true })),
    enter(start) {
      if (hasEnded) throw new Error('The world has ended')
      const one = start()
      lives.add(one)
      void one.ended.then(() => lives.delete(one))
      return one
    },
    async end() {
      hasEnded = true
      for (const one of lives) one.send('SIGKILL')
      await Promise.all([...lives].map(({ ended }) => ended))
      await killAll({ marker, dataDirectory })
      await Promise.all([github.close(), slack.close(), line.close()])
    },
  }
}

const COMMAND = resolve(import.meta.dirname, 'commands/deploy.sh')

interface Own {
  readonly directory: string
  readonly journalFile: string
  readonly marker: string
}

function entryOf(repository: string, { directory, journalFile, marker }: Own): object {
  const environments = ENVIRONMENTS.filter((one) => one.repository === repository).map(({ name, lane }) => [
    name,
    {
      lane,
      folder: join(directory, 'work', lane),
      commands: Array.from({ length: STEPS }, (_, step) => [
        'sh',
        COMMAND,
        journalFile,
        String(step + 1),
        lane,
      ]),
    },
  ])
  return {
    deploy_on: repository === 'acme/web' ? 'push' : 'merge',
    env: { TORTURE: marker },
    environments: Object.fromEntries(environments) as object,
  }
}
