import { readFileSync, statSync } from 'node:fs'

import { causeOf } from '../../config/references.ts'
import type { Hindrance } from './playbook.ts'

export interface VaultPassword {
  readonly bytes: Buffer
  readonly note: string | undefined
}

/**
 * Reads the password of a vault; or why it cannot be used. Ansible runs a file that is executable and takes what it
 * prints, so that nobody is to find a program there by surprise.
 */
export function readVaultPassword(file: string): VaultPassword | Hindrance {
  try {
    const about = statSync(file)
    if (!about.isFile()) return refused(`${file} is no regular file`)
    if ((about.mode & EXECUTABLE) !== 0)
      return refused(
        `${file} is a program, and Ansible would run it. If it holds the password, run chmod -x ${file}; ` +
          `if it prints it, write env: {ANSIBLE_VAULT_PASSWORD_FILE: ${file}} instead`,
      )
    if (about.size > LARGEST) return refused(`${file} is larger than ${LARGEST} bytes`)
    const bytes = readFileSync(file)
    if (bytes.toString().trim() === '') return refused(`${file} is empty`)
    const isOpen = (about.mode & READABLE_BY_ALL) !== 0
    return {
      bytes,
      note: isOpen ? `Everybody on this machine may read ${file}: chmod 600 ${file}` : undefined,
    }
  } catch (thrown) {
    return refused(`${file} cannot be read: ${causeOf(thrown)}`)
  }
}

const EXECUTABLE = 0o111
const READABLE_BY_ALL = 0o004
const LARGEST = 65_536

const refused = (why: string): Hindrance => ({
  reason: 'config_invalid',
  detail: `ansible.vault_password_file: ${why}.`,
})
