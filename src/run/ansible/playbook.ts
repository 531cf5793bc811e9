import { existsSync, statSync } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

import type { FailedReason } from '../../deployment/reasons.ts'
import type { PlaybookRecipe } from '../../deployment/recipe.ts'
import { lookUp } from '../program.ts'
import { quoted } from '../quoted.ts'
import type { Step } from '../steps.ts'
import { recapFile } from './recap.ts'

type Variables = Readonly<Record<string, string>>

/** The playbook as one step. Its private folder is where `layOut` put what it needs. Pure. */
export function playbookStep(
  { inventory, playbook }: Pick<PlaybookRecipe, 'inventory' | 'playbook'>,
  folder: string,
  options: readonly string[] = [],
): Step {
  const name = ['ansible-playbook', '-i', inventory, playbook].map(quoted).join(' ')
  const files = [`--inventory=${inventory}`, `--extra-vars=@${join(folder, VARIABLES)}`]
  return { name, argv: ['ansible-playbook', ...options, ...files, '--', playbook] }
}

export interface Hindrance {
  readonly reason: FailedReason
  readonly detail: string
}

/**
 * Looks whether the playbook can be tried, and writes what it needs into its private folder. Answers its whole
 * environment, and perhaps something that people should know; or why it cannot be tried.
 */
export async function preparePlaybook(
  recipe: PlaybookRecipe,
  folder: string,
  { variables, extra }: { readonly variables: Variables; readonly extra: string },
): Promise<{ readonly variables: Variables; readonly note: string | undefined } | Hindrance> {
  const hindrance = hindranceOf(recipe, variables)
  if (hindrance !== undefined) return hindrance
  for (const name of ['', PLUGINS, SOCKETS]) await mkdir(join(folder, name), { recursive: true, mode: 0o700 })
  await writeFile(join(folder, VARIABLES), extra, { mode: 0o600 })
  await writeFile(join(folder, SETTINGS), '[defaults]\n', { mode: 0o600 })
  await copyFile(join(import.meta.dirname, PLUGIN), join(folder, PLUGINS, PLUGIN))
  const unused = variables['ANSIBLE_CONFIG'] === undefined ? usualSettings(recipe, variables) : undefined
  return {
    variables: playbookEnvironment(variables, recipe, folder),
    note: unused === undefined ? undefined : unusedNote(unused),
  }
}

/** Says that settings are not used, and how they would be. */
const unusedNote = (file: string): string =>
  `Not used: ${file}. To use it, name it: env: {ANSIBLE_CONFIG: ${file}}`

/**
 * The environment of a playbook. What is about its looks and its settings may be said in `env:`; where it
 * writes, and that an inventory nobody can read is a failure, may not. Pure.
 */
function playbookEnvironment(given: Variables, recipe: PlaybookRecipe, folder: string): Variables {
  const { ANSIBLE_CONFIG: settings, ANSIBLE_CALLBACK_PLUGINS: plugins } = given
  const sockets = join(folder, SOCKETS)
  return {
    ANSIBLE_FORCE_COLOR: '1',
    ANSIBLE_NOCOWS: '1',
    ANSIBLE_RETRY_FILES_ENABLED: '0',
    ...(Buffer.byteLength(sockets) > LONGEST_SOCKETS ? { ANSIBLE_SSH_ARGS: '-C -o ControlMaster=no' } : {}),
    ...given,
    ANSIBLE_CONFIG: settings === undefined ? join(folder, SETTINGS) : resolve(recipe.folder, settings),
    ANSIBLE_CALLBACK_PLUGINS: [join(folder, PLUGINS), plugins ?? USUAL_PLUGINS].join(':'),
    ANSIBLE_INVENTORY_UNPARSED_FAILED: '1',
    ANSIBLE_LOCAL_TEMP: join(folder, 'tmp'),
    ANSIBLE_SSH_CONTROL_PATH_DIR: sockets,
    FERRYMAN_RECAP_FILE: recapFile(folder),
  }
}

/** What is missing before a playbook can be tried, each thing with its own sentence. */
function hindranceOf(recipe: PlaybookRecipe, environment: Variables): Hindrance | undefined {
  const { folder, inventory, playbook } = recipe
  const found = lookUp('ansible-playbook', folder, environment['PATH'] ?? '')
  if ('reason' in found)
    return found.reason === 'folder_missing'
      ? found
      : {
          ...found,
          detail: `${found.detail.replace(/\.$/, '')}. Install Ansible on this machine, or add its folder to PATH.`,
        }
  if (!isFile(playbook)) return { reason: 'playbook_missing', detail: `There is no playbook ${playbook}.` }
  if (!inventory.includes(',') && !existsSync(inventory))
    return { reason: 'inventory_missing', detail: `There is no inventory ${inventory}.` }
  const settings = environment['ANSIBLE_CONFIG']
  // Where the file that it names is missing, Ansible quietly goes on to the one in the folder.
  if (settings !== undefined && !existsSync(resolve(folder, settings)))
    return { reason: 'config_invalid', detail: `ANSIBLE_CONFIG names ${settings}, which does not exist.` }
  return undefined
}

/** The settings that Ansible would have taken by itself, where there are any. */
const usualSettings = ({ folder }: PlaybookRecipe, { HOME: home = '/' }: Variables): string | undefined =>
  [join(folder, 'ansible.cfg'), join(home, '.ansible.cfg'), '/etc/ansible/ansible.cfg'].find((path) =>
    existsSync(path),
  )

const VARIABLES = 'variables.yml'
const SETTINGS = 'ferryman-ansible.cfg'
const PLUGINS = 'callbacks'
const PLUGIN = 'ferryman_recap.py'
const SOCKETS = 'ssh'
/** Ansible's own default: what it would look through, were ours not there. */
const USUAL_PLUGINS = '~/.ansible/plugins/callback:/usr/share/ansible/plugins/callback'
/** ssh adds 28 bytes to the folder of its sockets, and the whole must be shorter than 108: unix(7). */
const LONGEST_SOCKETS = 79

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
