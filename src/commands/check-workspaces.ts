import { accessSync, constants, statSync } from 'node:fs'

import { webUrlOf } from '../app.ts'
import type { Config, RepositoryConfig } from '../config/config.ts'
import { causeOf } from '../config/references.ts'
import type { Workspace } from '../deployment/recipe.ts'
import { messageOf } from '../errors.ts'
import { createGitHub } from '../github/client.ts'
import { NOBODY } from '../github/requests.ts'
import { findProgram } from '../run/command.ts'
import { baseEnvironment, type ServerSide } from '../run/environment.ts'
import { askGit } from '../run/git-question.ts'
import { whyUnreachable } from '../run/workspace/reach.ts'
import { sourceOf } from '../run/workspace/source.ts'
import type { ServicesOptions } from './check-services.ts'
import { doubtful, fine, wrong, type Finding } from './findings.ts'

const TIMEOUT_MS = 20_000
/** Which knows how to fetch without a note of it that others would read. */
const LEAST_GIT = [2, 29] as const

export interface WorkspacesOptions extends ServicesOptions {
  readonly server: ServerSide
  /** Nobody else is asked. */
  readonly offline: boolean
}

/** What fresh checkouts need: git, keys that it takes, and a source that answers. Nothing is fetched. */
export async function* checkWorkspaces(config: Config, options: WorkspacesOptions): AsyncGenerator<Finding> {
  const wanted = [...config.repositories.values()].flatMap((repository) =>
    workspacesOf(repository).map((workspace) => ({ repository: repository.name, workspace })),
  )
  if (wanted.length === 0) return
  const variables = baseEnvironment(options.server, {})
  const path = variables['PATH'] ?? ''
  const git = await checkGit(path)
  yield git
  if (wanted.some(({ workspace }) => workspace.lfs)) yield checkLfs(path)
  if (git.mark === 'wrong') return
  const { apiUrl, credentials } = config.github
  const { version, masker } = options
  const github = createGitHub({
    ...(credentials ?? NOBODY),
    apiUrl,
    version,
    mask: masker.mask,
    learn: masker.lend,
  })
  for (const { repository, workspace } of wanted) {
    const files = checkFiles(repository, workspace)
    yield* files
    if (options.offline || files.some(({ mark }) => mark === 'wrong')) continue
    const source = sourceOf(workspace, repository, webUrlOf(apiUrl))
    const token = () => github.readingToken(repository, { others: workspace.submodules })
    const why = await whyUnreachable(source, { variables, token, timeoutMs: TIMEOUT_MS }).catch(messageOf)
    yield why === undefined
      ? fine(`${repository}: ${source.url} can be fetched`)
      : wrong(`${repository}: ${source.url} cannot be fetched: ${why}`, hintFor(source))
  }
}

/** Those that differ. */
function workspacesOf({ environments }: RepositoryConfig): Workspace[] {
  const all = [...environments.values()]
    .flatMap(({ recipe, tasks, anyTask }) => [recipe, ...tasks.values(), ...(anyTask ? [anyTask] : [])])
    .flatMap(({ workspace }) => (workspace === undefined ? [] : [workspace]))
  return [...new Map(all.map((workspace) => [JSON.stringify(workspace), workspace])).values()]
}

async function checkGit(path: string): Promise<Finding> {
  const said = await askGit('/', path, ['--version'])
  if (said === undefined)
    return wrong('there is no git, which `workspace` needs', 'On Debian and Ubuntu: apt-get install git.')
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(said) ?? []
  const isOld =
    Number(major) < LEAST_GIT[0] || (Number(major) === LEAST_GIT[0] && Number(minor) < LEAST_GIT[1])
  return isOld
    ? wrong(`${said} is too old for \`workspace\``, `Install ${LEAST_GIT.join('.')} or newer.`)
    : fine(said)
}

const checkLfs = (path: string): Finding =>
  findProgram('git-lfs', '/', path) === undefined
    ? wrong(
        'there is no git-lfs, which `workspace.lfs` needs',
        'On Debian and Ubuntu: apt-get install git-lfs.',
      )
    : fine('git-lfs is there')

/** Ssh takes no key that others may read, and says so only when it is used. */
function checkFiles(repository: string, { sshKeyFile, knownHostsFile }: Workspace): Finding[] {
  const findings: Finding[] = []
  for (const [key, file] of [
    ['ssh_key_file', sshKeyFile],
    ['known_hosts_file', knownHostsFile],
  ] as const) {
    if (file === undefined) continue
    const why = whyUnreadable(file)
    if (why !== undefined)
      findings.push(
        wrong(`${repository}: ${key} ${file} cannot be read: ${why}`, 'Correct it under `workspace`.'),
      )
    else if (key === 'ssh_key_file' && (statSync(file).mode & 0o077) !== 0)
      findings.push(
        wrong(`${repository}: others may read the key ${file}, so that ssh refuses it`, `chmod 600 ${file}`),
      )
    else if (key === 'known_hosts_file' && statSync(file).size === 0)
      findings.push(
        doubtful(`${repository}: ${file} knows no host`, 'Fill it: ssh-keyscan HOST, and compare.'),
      )
  }
  return findings
}

function whyUnreadable(file: string): string | undefined {
  try {
    accessSync(file, constants.R_OK)
    return statSync(file).isFile() ? undefined : 'it is no regular file'
  } catch (thrown) {
    return causeOf(thrown)
  }
}

function hintFor({ protocol, tokenFor }: ReturnType<typeof sourceOf>): string {
  if (tokenFor !== undefined) return 'Is it reachable from here, and has the token "Contents: read" for it?'
  return protocol === 'ssh'
    ? 'Is the key one that the repository knows, and does known_hosts have this server? ssh-keyscan prints its keys.'
    : 'Correct `workspace.url`.'
}
