import { userInfo } from 'node:os'

/** The user that runs this; in a container it may have a number and nothing else. */
export function currentUser(): { readonly name: string; readonly home: string; readonly shell: string } {
  try {
    const { username, homedir, shell } = userInfo()
    return { name: username, home: homedir, shell: shell ?? '/bin/sh' }
  } catch {
    return { name: String(process.getuid?.() ?? 'unknown'), home: '/', shell: '/bin/sh' }
  }
}

/** The login name of whoever calls a command: under sudo that of the person who called sudo. */
export const callingUser = (environment: Readonly<Record<string, string | undefined>>): string =>
  environment['SUDO_USER'] || currentUser().name
