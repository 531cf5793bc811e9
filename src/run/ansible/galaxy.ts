import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { causeOf } from '../../config/references.ts'
import { credentialsIn } from '../../config/values.ts'
import { quoted } from '../quoted.ts'
import type { CommandStep, Step } from '../steps.ts'
import type { Hindrance } from './playbook.ts'

/** What a playbook needs of Ansible Galaxy. */
export interface Requirements {
  /** Where the roles are, or will be when the steps have succeeded. */
  readonly roles: string
  readonly collections: string
  /** What has to be done before the playbook: nothing, where the same file was installed before. */
  readonly steps: readonly Step[]
  /** The passwords in its addresses. */
  readonly secrets: readonly string[]
}

/**
 * Looks what of a requirements file is to be installed. `home` is kept from one deployment of the environment to
 * the next. Every installation is begun in a folder of its own, called `name`, and counts only when the note of it is
 * written: what broke off is never used. Changes nothing by itself.
 */
export function readRequirements(file: string, home: string, name: string): Requirements | Hindrance {
  const content = readContent(file)
  if (typeof content !== 'string') return content
  const hash = createHash('sha256').update(content).digest('hex')
  const installed = installedIn(home)
  const isThere = installed?.hash === hash && existsSync(join(home, installed.folder))
  const folder = isThere ? installed.folder : name
  const places = { roles: join(home, folder, 'roles'), collections: join(home, folder, 'collections') }
  // Where the note cannot be written, what it would be about is installed again the next time.
  const succeeded = (): Promise<void> => keep(home, { hash, folder }).catch(() => {})
  // Nothing else is being installed there, and what broke off may be what fills the disk.
  const failed = (): Promise<void> => clear(home)
  const steps = isThere ? [] : [installStep(file, places, { succeeded, failed })]
  return { ...places, steps, secrets: credentialsIn(content) }
}

/** Whether what the file names is there already; without a file nothing is missing. */
export function isInstalled(file: string | undefined, home: string): boolean {
  if (file === undefined) return true
  const needed = readRequirements(file, home, '')
  return !('reason' in needed) && needed.steps.length === 0
}

export const installName = (file: string): string => `ansible-galaxy install -r ${quoted(file)}`

/** Removes what broke off, and what something newer has replaced. Nothing may be installing there. */
export async function clear(home: string): Promise<void> {
  const counts = new Set([NOTE, installedIn(home)?.folder])
  const others = (await readdir(home).catch(() => [])).filter((name) => !counts.has(name))
  for (const other of others) await rm(join(home, other), { recursive: true, force: true }).catch(() => {})
}

/** The folder of an environment below that of all of them. */
export const homeOf = (directory: string, repository: string, environment: string): string => {
  const name = `${repository}/${environment}`.toLowerCase()
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 12)
  return join(directory, `${name.replaceAll(/[^a-z0-9]+/g, '-').slice(0, 80)}-${digest}`)
}

function readContent(file: string): string | Hindrance {
  try {
    return readFileSync(file, 'latin1')
  } catch (thrown) {
    return {
      reason: 'config_invalid',
      detail: `ansible.requirements: ${file} cannot be read: ${causeOf(thrown)}.`,
    }
  }
}

/** What is there before is not looked at: another version of a role would be taken for the one that is asked for. */
const installStep = (
  file: string,
  { roles, collections }: Pick<Requirements, 'roles' | 'collections'>,
  told: Required<Pick<CommandStep, 'succeeded' | 'failed'>>,
): Step => ({
  onFailure: 'ends',
  kind: 'command',
  name: installName(file),
  argv: ['ansible-galaxy', 'install', '-r', file],
  environment: {
    ANSIBLE_ROLES_PATH: roles,
    ANSIBLE_COLLECTIONS_PATH: collections,
    ANSIBLE_GALAXY_CACHE_DIR: join(dirname(roles), 'cache'),
  },
  ...told,
})

interface Installed {
  readonly hash: string
  readonly folder: string
}

const NOTE = 'installed.json'

function installedIn(home: string): Installed | undefined {
  try {
    return JSON.parse(readFileSync(join(home, NOTE), 'utf8')) as Installed
  } catch {
    return undefined // nothing was installed, or what is there is no note of ours: it is installed again
  }
}

/** From here on it counts. */
async function keep(home: string, installed: Installed): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 })
  await writeFile(join(home, `${NOTE}.new`), JSON.stringify(installed), { mode: 0o600 })
  await rename(join(home, `${NOTE}.new`), join(home, NOTE))
  await clear(home)
}
