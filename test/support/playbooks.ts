import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { NO_HOOKS, USUAL_OPTIONS, type Hooks, type PlaybookOptions } from '../../src/deployment/recipe.ts'
import type { RunParts } from '../../src/run/parts.ts'
import { playbookRecipe } from './samples.ts'
import { runFor, runningDeployment, temporaryFolder } from './running.ts'

type RunGiven = Partial<Omit<Parameters<typeof runFor>[0], 'deployment'>>

interface Given extends RunGiven {
  /** The plays, as Ansible reads them. JSON is YAML. */
  readonly plays: unknown
  /** The lines of the inventory. */
  readonly hosts?: readonly string[]
  readonly inventory?: string
  readonly playbook?: string
  /** More files beside the playbook. */
  readonly files?: Readonly<Record<string, string>>
  readonly env?: Record<string, string>
  /** How it is run; paths are relative to the playbook. */
  readonly options?: Partial<PlaybookOptions>
  readonly hooks?: Hooks
  /** Variables that the configuration takes from elsewhere: secrets. */
  readonly secrets?: Readonly<Record<string, string>>
  /** Changes the folder of the playbook before it runs. */
  readonly prepare?: (folder: string) => void
  readonly deployment?: Parameters<typeof runningDeployment>[0]
}

/** A host that is this machine; looking for a Python there would take longer than the tasks do. */
export const local = (name: string): string =>
  `${name} ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"`

/** A host where nobody listens. */
export const nobody = (name: string): string => `${name} ansible_host=127.0.0.1 ansible_port=1`

/** One play over hosts, without the slow look at each machine. */
export const play = (hosts: string, ...tasks: readonly object[]): object => ({
  hosts,
  gather_facts: false,
  tasks,
})

const absolute = (options: Partial<PlaybookOptions>, folder: string) =>
  Object.fromEntries(
    (['vaultPasswordFile', 'requirements', 'config'] as const).flatMap((key) =>
      options[key] === undefined ? [] : [[key, join(folder, options[key])]],
    ),
  )

/** A git repository with one role, tagged v1; answers how a requirements.yml names it. */
export function roleRepository(name: string, tasks: readonly object[]): object {
  const folder = repositoryOf({ 'tasks/main.yml': tasks, 'meta/main.yml': { galaxy_info: {} } })
  return { name, src: `git+file://${folder}`, version: 'v1' }
}

/** The same for a collection `acme.<name>` with the role `install`. */
export function collectionRepository(name: string, tasks: readonly object[]): object {
  const about = { namespace: 'acme', name, version: '1.0.0', readme: 'README.md', authors: ['acme'] }
  const folder = repositoryOf({ 'galaxy.yml': about, 'roles/install/tasks/main.yml': tasks, 'README.md': '' })
  return { name: `git+file://${folder}`, type: 'git', version: 'v1' }
}

/** A git repository with these files, as JSON, in one commit, tagged v1. */
function repositoryOf(files: Readonly<Record<string, unknown>>): string {
  const folder = temporaryFolder()
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), JSON.stringify(content))
  }
  const git = (...words: readonly string[]) =>
    execFileSync('git', ['-C', folder, '-c', 'user.name=x', '-c', 'user.email=x@example.org', ...words])
  git('init', '--quiet')
  git('add', '.')
  git('commit', '--quiet', '-m', 'all of it')
  git('tag', 'v1')
  return folder
}

/** The text in the vault that this password opens. */
export function vaulted(text: string, password: string): string {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'password'), password)
  const words = ['encrypt', '--vault-password-file', join(folder, 'password'), '--output', '-', '-']
  return execFileSync('ansible-vault', words, {
    input: text,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'ignore'],
  })
}

/** Runs a playbook for real; answers the result, the log without its time stamps, and the folder of the playbook. */
export async function runPlaybook({
  plays,
  hosts = [local('web1')],
  files = {},
  env = {},
  options = {},
  hooks = NO_HOOKS,
  secrets = {},
  ...given
}: Given) {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'hosts.ini'), `${hosts.join('\n')}\n`)
  writeFileSync(join(folder, 'site.yml'), typeof plays === 'string' ? plays : JSON.stringify(plays))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content, { mode: 0o600 })
    if (content.startsWith('#!')) chmodSync(join(folder, name), 0o755)
  }
  given.prepare?.(folder)
  const recipe = playbookRecipe({
    folder,
    inventory: given.inventory ?? join(folder, 'hosts.ini'),
    playbook: given.playbook ?? join(folder, 'site.yml'),
    timeoutSeconds: given.timeoutSeconds ?? 60,
    hooks,
    options: { ...USUAL_OPTIONS, ...options, ...absolute(options, folder) },
    env: {
      ...Object.fromEntries(Object.entries(env).map(([name, literal]) => [name, { literal }])),
      ...Object.fromEntries(Object.keys(secrets).map((name) => [name, { template: name }])),
    },
  })
  const resolve: RunParts['resolve'] = (value) =>
    'literal' in value ? value.literal : 'template' in value ? (secrets[value.template] ?? '') : ''
  const ran = await runFor({
    ...given,
    commands: [],
    deployment: { recipe, ...given.deployment },
    parts: { resolve, ...given.parts },
  })
  return { ...ran, folder }
}
