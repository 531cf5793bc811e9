import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

type Variables = Readonly<Record<string, string | undefined>>

/**
 * The environment in which a playbook finds what was installed for it, in front of what it would find anyway: by its
 * own environment, by its settings, or by Ansible's defaults. A variable would hide the last two.
 */
export function searchPaths(
  installed: { readonly roles: string; readonly collections: string },
  given: Variables,
  settings: string | undefined,
): Readonly<Record<string, string>> {
  const said = settings === undefined ? {} : pathsIn(settings)
  const home = homeIn(given)
  const roles = given['ANSIBLE_ROLES_PATH'] ?? said['roles_path'] ?? [`${home}/roles`, ...ROLES].join(':')
  const collections =
    given['ANSIBLE_COLLECTIONS_PATH'] ??
    given['ANSIBLE_COLLECTIONS_PATHS'] ??
    said['collections_path'] ??
    said['collections_paths'] ??
    [`${home}/collections`, ...COLLECTIONS].join(':')
  return {
    ANSIBLE_ROLES_PATH: `${installed.roles}:${roles}`,
    ANSIBLE_COLLECTIONS_PATH: `${installed.collections}:${collections}`,
  }
}

/** Where a playbook finds callbacks: ours in front of what it would find anyway, which a variable would hide. */
export function callbackPaths(ours: string, given: Variables, settings: string | undefined): string {
  const said = settings === undefined ? {} : pathsIn(settings)
  const usual = [`${homeIn(given)}/plugins/callback`, ...CALLBACKS].join(':')
  return [ours, given['ANSIBLE_CALLBACK_PLUGINS'] ?? said['callback_plugins'] ?? usual].join(':')
}

const homeIn = (given: Variables): string => given['ANSIBLE_HOME'] ?? '~/.ansible'

/** https://docs.ansible.com/ansible/latest/reference_appendices/config.html */
const ROLES = ['/usr/share/ansible/roles', '/etc/ansible/roles']
const COLLECTIONS = ['/usr/share/ansible/collections']
const CALLBACKS = ['/usr/share/ansible/plugins/callback']

/** What the settings say of where to look; relative paths begin at their own folder. */
function pathsIn(file: string): Readonly<Record<string, string>> {
  const paths: Record<string, string> = {}
  let section = ''
  for (const line of readFileSync(file, 'utf8').split(/\r?\n/)) {
    section = /^\[(.+)\]/.exec(line)?.[1] ?? section
    const [, key = '', value = ''] = /^(\w+)\s*[=:]\s*(.*?)\s*(?:\s;.*)?$/.exec(line) ?? []
    if (section === 'defaults' && KEYS.has(key.toLowerCase()))
      paths[key.toLowerCase()] = absolute(value, file)
  }
  return paths
}

const KEYS = new Set(['roles_path', 'collections_path', 'collections_paths', 'callback_plugins'])

const absolute = (value: string, file: string): string =>
  value
    .split(':')
    .map((one) => (/^[~$]/.test(one) ? one : resolve(dirname(file), one)))
    .join(':')
