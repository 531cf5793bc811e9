import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { startApp, type App } from '../app.ts'
import { loadConfig } from '../config/load.ts'
import { watchConfig, type ConfigWatch } from '../config/reload.ts'
import { messageOf, problem } from '../errors.ts'
import { createJournal } from '../logs/journal.ts'
import { createMasker } from '../logs/redact.ts'
import { findProgram } from '../run/command.ts'
import { version } from '../version.ts'
import { startGitHubDouble, type GitHubDouble } from './github-double.ts'
import { createSamplePlaybook } from './sample-playbook.ts'
import { createSampleRepository, type SampleRepository } from './sample-repository.ts'
import { startSlackDouble, type SlackDouble } from './slack-double.ts'

/** Everything that the demonstration plays with. */
export interface Stage {
  readonly directory: string
  readonly configFile: string
  readonly config: string
  readonly address: string
  readonly repository: SampleRepository
  readonly github: GitHubDouble
  readonly slack: SlackDouble
  /** Whether a playbook can be run too. */
  readonly hasAnsible: boolean
  /** Follows the configuration from now on, and is told what became of each edit, with what is wrong in it. */
  followConfig(told: (what: string, problem?: string) => void): void
  /** Ends everything and removes the directory. */
  clear(): Promise<void>
}

export const NAME = 'acme/shop'
/** Is deployed by a playbook. */
export const MACHINES = 'acme/machines'

/** Sets the stage: a repository, GitHub and Slack on loopback, and the real server with a real configuration. */
export async function setStage(): Promise<Stage> {
  if (findProgram('git', tmpdir(), process.env['PATH'] ?? '') === undefined) throw problem('git_missing', {})
  const directory = await mkdtemp(join(tmpdir(), 'ferryman-demo-'))
  // The last git of a demonstration that was broken off may still be writing there.
  const remove = () => rm(directory, { recursive: true, force: true, maxRetries: 10 })
  const ending: (() => Promise<unknown>)[] = [remove]
  const clear = async (): Promise<void> => {
    for (const end of ending.splice(0).toReversed()) await end()
  }
  try {
    const repository = await createSampleRepository(directory)
    const github = await startGitHubDouble()
    ending.push(github.close)
    const slack = await startSlackDouble()
    ending.push(slack.close)
    const secret = randomBytes(20).toString('hex')
    const token = `ghp_${randomBytes(18).toString('hex')}`
    github.addToken(token, { login: 'ferryman-robot', type: 'classic', scopes: ['repo'] })
    github.addRepository(NAME)
    github.addCommits(NAME, repository.commits)

    const hasAnsible = findProgram('ansible-playbook', directory, process.env['PATH'] ?? '') !== undefined
    const playbookFolder = hasAnsible ? await createSamplePlaybook(directory) : undefined
    if (hasAnsible) github.addRepository(MACHINES)

    const port = await freePort()
    const config = configText({
      port,
      github: github.url,
      slack: slack.url,
      folder: repository.folder,
      playbookFolder,
      secret,
      token,
    })
    const configFile = join(directory, 'config.yml')
    await writeFile(configFile, config, { mode: 0o600 })
    const { app, followConfig, stop } = await startServer(configFile, join(directory, 'server.log'))
    ending.push(stop)
    for (const name of hasAnsible ? [NAME, MACHINES] : [NAME])
      github.addHook(name, {
        url: `${app.address}/webhooks/github`,
        secret,
        events: ['deployment', 'pull_request', 'status'],
        contentType: 'json',
      })
    const { address } = app
    return {
      directory,
      configFile,
      config,
      address,
      repository,
      github,
      slack,
      hasAnsible,
      followConfig,
      clear,
    }
  } catch (thrown) {
    await clear()
    throw thrown
  }
}

interface Settings {
  readonly port: number
  readonly github: string
  readonly slack: string
  readonly folder: string
  readonly playbookFolder: string | undefined
  readonly secret: string
  readonly token: string
}

const configText = ({
  port,
  github,
  slack,
  folder,
  playbookFolder,
  secret,
  token,
}: Settings): string => `server:
  port: ${port}
  public_url: http://127.0.0.1:${port}
data_dir: ./data
github:
  webhook_secret: ${secret}
  token: ${token}
  api_url: ${github}
slack:
  webhook_url: ${slack}
repositories:
  ${NAME}:
    folder: ${folder}
    commands:
      - [git, fetch, --quiet, origin]
      - [git, checkout, --quiet, --detach, "{sha}"]
      - [./deploy.sh]
    required_contexts: [ci/test]
${playbookFolder === undefined ? '' : machinesText(playbookFolder)}`

const machinesText = (folder: string): string => `  ${MACHINES}:
    folder: ${folder}
    ansible_hosts: hosts.ini
    ansible_playbook: site.yml
`

/** The server itself, as `ferryman serve` starts it; its own log goes into a file. */
async function startServer(configFile: string, logFile: string): Promise<Server> {
  const environment = process.env
  const given = { environment: { PATH: environment['PATH'] } }
  const config = loadConfig(configFile, given)
  const masker = createMasker(config.secrets)
  const lines: string[] = []
  let writing: Promise<void> | undefined
  const flush = async (): Promise<void> => {
    while (lines.length > 0) await writeFile(logFile, lines.splice(0).join(''), { flag: 'a' }).catch(() => {})
    writing = undefined
  }
  const write = (line: string): void => {
    lines.push(line)
    writing ??= flush()
  }
  const journal = createJournal({ write, masker, clock: Date.now, pretty: true, colour: false })
  const app = await startApp(config, { environment, clock: Date.now, journal, masker, version })
  let watch: ConfigWatch | undefined
  return {
    app,
    followConfig(told) {
      watch = watchConfig({
        ...given,
        file: configFile,
        current: config,
        onConfig: async (next) => {
          await app.reload(next)
          told('taken, for all that comes from now on')
        },
        onSame: () => told('means again what is in force'),
        onProblem: (problem) => told('refused; what was in force stays so', masker.mask(messageOf(problem))),
      })
    },
    async stop() {
      watch?.stop()
      await app.stop(5_000)
    },
  }
}

interface Server extends Pick<Stage, 'followConfig'> {
  readonly app: App
  stop(): Promise<void>
}

async function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address() as AddressInfo
    probe.close(() => resolve(port))
  })
  return promise
}
