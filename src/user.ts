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
