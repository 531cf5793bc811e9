import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the git of the server in this directory was started with, and all that it started, and what they have in their environments. */
export const seenInProc = (directory: string): string =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => ['cmdline', 'environ'].map((file) => read(`/proc/${pid}/${file}`)).join('\n'))
    .filter((seen) => seen.includes(`GIT_CONFIG_GLOBAL=${directory}`))
    .join('\n')

/** The content of every file below a folder, but for those of these names. */
export const contentOf = (folder: string, ...except: readonly string[]): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile() && !except.includes(one.name))
    .map((one) => read(join(one.parentPath, one.name)))
    .join('\n')

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // it has ended
  }
}
