import { accessSync, constants, existsSync, statSync, type Stats } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

import { causeOf } from '../../config/references.ts'
import type { FailedReason } from '../../deployment/reasons.ts'
import type { PlaybookRecipe } from '../../deployment/recipe.ts'
import { lookUp } from '../program.ts'
import { quoted } from '../quoted.ts'
import type { CommandStep, Step } from '../steps.ts'
import { readRequirements } from './galaxy.ts'
import { recapFile } from './recap.ts'
import { callbackPaths, searchPaths } from './settings.ts'
import { readVaultPassword } from './vault.ts'

type Variables = Readonly<Record<string, string>>

/** Options with which Ansible says what it would change. */
export const TRIAL = ['--check', '--diff'] as const

/** The playbook as one step. Its private folder is where `layOut` put what it needs. Pure. */
export function playbookStep(
  { inventory, playbook, options }: Pick<PlaybookRecipe, 'inventory' | 'playbook' | 'options'>,
  folder: string,
  asking: readonly string[] = [],
): CommandStep {
  const { limit, tags, skipTags, extraVars, vaultPasswordFile } = options
  const chosen = [
    ['--limit', limit] as const,
    ['--tags', tags.length === 0 ? undefined : tags.join(',')] as const,
    ['--skip-tags', skipTags.length === 0 ? undefined : skipTags.join(',')] as const,
  ].flatMap(([option, value]) => (value === undefined ? [] : [{ option, value }]))
  const vault = vaultPasswordFile === undefined ? [] : [`--vault-password-file=${join(folder, VAULT)}`]
  const name = [
    'ansible-playbook',
    ...asking,
    `-i ${quoted(inventory)}`,
    ...chosen.map(({ option, value }) => `${option} ${quoted(value)}`),
    ...(vaultPasswordFile === undefined ? [] : [`--vault-password-file ${quoted(vaultPasswordFile)}`]),
    ...Object.keys(extraVars).map((variable) => `-e ${variable}=…`),
    quoted(playbook),
  ].join(' ')
  const files = [`--inventory=${inventory}`, `--extra-vars=@${join(folder, VARIABLES)}`, ...vault]
  const choice = chosen.map(({ option, value }) => `${option}=${value}`)
  const argv = ['ansible-playbook', ...asking, ...files, ...choice, '--', playbook]
  return { kind: 'playbook', name, argv, onFailure: 'ends' }
}

export interface Hindrance {
  readonly reason: FailedReason
  readonly detail: string
}

export interface Prepared {
  /** The whole environment of the playbook. */
  readonly variables: Variables
  /** What has to be done before it. */
  readonly before: readonly Step[]
  /** What people should know. */
  readonly notes: readonly string[]
  readonly secrets: readonly string[]
}

export interface PrepareOptions {
  readonly variables: Variables
  /** The content of the file of its variables. */
  readonly extra: string
  /** Where what it needs is installed, and kept for the next deployment. */
  readonly home: string
}

/** Looks whether the playbook can be tried, and writes what it needs into its private folder; or why it cannot be. */
export async function preparePlaybook(
  recipe: PlaybookRecipe,
  folder: string,
  { variables, extra, home }: PrepareOptions,
): Promise<Prepared | Hindrance> {
  const { vaultPasswordFile, requirements } = recipe.options
  const settings = settingsOf(recipe, variables)
  const hindrance = hindranceOf(recipe, variables, settings)
  if (hindrance !== undefined) return hindrance
  const vault = vaultPasswordFile === undefined ? undefined : readVaultPassword(vaultPasswordFile)
  if (vault !== undefined && 'reason' in vault) return vault
  const needed =
    requirements === undefined ? undefined : readRequirements(requirements, home, basename(folder))
  if (needed !== undefined && 'reason' in needed) return needed
  for (const name of ['', PLUGINS, SOCKETS, PYTHON])
    await mkdir(join(folder, name), { recursive: true, mode: 0o700 })
  await writeFile(join(folder, VARIABLES), extra, { mode: 0o600 })
  await writeFile(join(folder, SETTINGS), '[defaults]\n', { mode: 0o600 })
  await copyFile(join(import.meta.dirname, PLUGIN), join(folder, PLUGINS, PLUGIN))
  await copyFile(join(import.meta.dirname, UNBROKEN), join(folder, PYTHON, UNBROKEN))
  if (vault !== undefined) await writeFile(join(folder, VAULT), vault.bytes, { mode: 0o600 })
  const unused = settings === undefined ? usualSettings(recipe, variables) : undefined
  const notes = [
    unused === undefined ? undefined : unusedNote(unused),
    settings === undefined ? undefined : openNote(settings),
    vault?.note,
  ]
  return {
    variables: {
      ...playbookEnvironment(variables, settings, folder),
      ...(needed === undefined ? {} : searchPaths(needed, variables, settings)),
    },
    before: needed?.steps ?? [],
    notes: notes.filter((note) => note !== undefined),
    secrets: [...(vault === undefined ? [] : [vault.bytes.toString().trim()]), ...(needed?.secrets ?? [])],
  }
}

/** Says that settings are not used, and how they would be. */
const unusedNote = (file: string): string =>
  `Not used: ${file}. To use it, name it: ansible: {config: ${file}}`

/** Ansible passes over settings in a folder that everybody may write, unless they are named, as they are here. */
function openNote(file: string): string | undefined {
  const open = [file, dirname(file)].find((path) => {
    const { mode } = statSync(path)
    return (mode & WRITABLE_BY_ALL) !== 0 && (mode & STICKY) === 0
  })
  return open === undefined
    ? undefined
    : `Everybody on this machine may write ${open}, and settings may load programs: chmod o-w ${open}`
}

const WRITABLE_BY_ALL = 0o002
/** Of a folder: only who has made a file may replace it. */
const STICKY = 0o1000

/**
 * The environment of a playbook. What is about its looks and its settings may be said in `env:`; where it
 * writes, and that an inventory nobody can read is a failure, may not. Pure.
 */
function playbookEnvironment(given: Variables, settings: string | undefined, folder: string): Variables {
  const { PYTHONPATH: modules = '' } = given
  const sockets = join(folder, SOCKETS)
  return {
    ANSIBLE_FORCE_COLOR: '1',
    ANSIBLE_NOCOWS: '1',
    ANSIBLE_RETRY_FILES_ENABLED: '0',
    ...(Buffer.byteLength(sockets) > LONGEST_SOCKETS ? { ANSIBLE_SSH_CONTROL_PATH: 'none' } : {}),
    ...given,
    ANSIBLE_CONFIG: settings ?? join(folder, SETTINGS),
    ANSIBLE_CALLBACK_PLUGINS: callbackPaths(join(folder, PLUGINS), given, settings),
    ANSIBLE_INVENTORY_UNPARSED_FAILED: '1',
    ANSIBLE_LOCAL_TEMP: join(folder, 'tmp'),
    ANSIBLE_SSH_CONTROL_PATH_DIR: sockets,
    PYTHONPATH: [join(folder, PYTHON), ...modules.split(':').filter((path) => path !== '')].join(':'),
    FERRYMAN_RECAP_FILE: recapFile(folder),
  }
}

/** What is missing before a playbook can be tried, each thing with its own sentence. */
function hindranceOf(
  recipe: PlaybookRecipe,
  environment: Variables,
  settings: string | undefined,
): Hindrance | undefined {
  const { folder, inventory, playbook } = recipe
  const found = lookUp('ansible-playbook', folder, environment['PATH'] ?? '')
  if ('reason' in found)
    return found.reason === 'folder_missing'
      ? found
      : {
          ...found,
          detail: `${found.detail.replace(/\.$/, '')}. Install Ansible on this machine, or add its folder to PATH.`,
        }
  const noPlaybook = whyGone('playbook', playbook)
  if (noPlaybook !== undefined) return { reason: 'playbook_missing', detail: noPlaybook }
  if (!isFile(playbook)) return { reason: 'playbook_missing', detail: `There is no playbook ${playbook}.` }
  const noInventory = inventory.includes(',') ? undefined : whyGone('inventory', inventory)
  if (noInventory !== undefined) return { reason: 'inventory_missing', detail: noInventory }
  // Where the file that it names cannot be read, Ansible quietly goes on to the one in the folder.
  const wrong = settings === undefined ? undefined : whyUnreadable(settings)
  if (wrong !== undefined) {
    const key = recipe.options.config === undefined ? 'ANSIBLE_CONFIG' : 'ansible.config'
    return { reason: 'config_invalid', detail: `${key} names ${settings}: ${wrong}.` }
  }
  return undefined
}

/** The absolute path of the settings that were named, if any were; Ansible takes a folder for the file in it. */
function settingsOf({ folder, options }: PlaybookRecipe, environment: Variables): string | undefined {
  const named = options.config ?? environment['ANSIBLE_CONFIG']
  if (named === undefined) return undefined
  const path = resolve(folder, named)
  return isFolder(path) ? join(path, 'ansible.cfg') : path
}

function whyUnreadable(file: string): string | undefined {
  try {
    accessSync(file, constants.R_OK)
    return isFile(file) ? undefined : 'it is no regular file'
  } catch (thrown) {
    return causeOf(thrown)
  }
}

/** The settings that Ansible would have taken by itself, where there are any. */
const usualSettings = ({ folder }: PlaybookRecipe, { HOME: home = '/' }: Variables): string | undefined =>
  [join(folder, 'ansible.cfg'), join(home, '.ansible.cfg'), '/etc/ansible/ansible.cfg'].find((path) =>
    existsSync(path),
  )

const VARIABLES = 'variables.yml'
const SETTINGS = 'ferryman-ansible.cfg'
const VAULT = 'vault-password'
const PLUGINS = 'callbacks'
const PLUGIN = 'ferryman_recap.py'
const PYTHON = 'python'
const UNBROKEN = 'sitecustomize.py'
const SOCKETS = 'ssh'
/** ssh adds 28 bytes to the folder of its sockets, and the whole must be shorter than 108, or it shares none: unix(7). */
const LONGEST_SOCKETS = 79

/** Why nothing is found there, in a sentence: it may be behind a folder that this user may not enter. */
function whyGone(what: 'playbook' | 'inventory', path: string): string | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false }) === undefined
      ? `There is no ${what} ${path}.`
      : undefined
  } catch (thrown) {
    return `The ${what} ${path} cannot be read: ${causeOf(thrown)}.`
  }
}

const isFile = (path: string): boolean => look(path)?.isFile() ?? false
const isFolder = (path: string): boolean => look(path)?.isDirectory() ?? false

function look(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}
