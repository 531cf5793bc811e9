import { execFileSync } from 'node:child_process'

const quietly = (program: string, ...args: string[]): void => {
  execFileSync(program, args, { stdio: 'ignore' })
}

/** Makes a user of this machine, perhaps with another group; an earlier one of that name is replaced. Only for root. */
export function makeUser(name: string, group?: string): void {
  removeUser(name, group)
  if (group !== undefined) quietly('groupadd', group)
  const groups = group === undefined ? [] : ['--groups', group]
  quietly('useradd', '--user-group', '--no-create-home', '--shell', '/bin/sh', ...groups, name)
}

/** Removes such a user. */
export function removeUser(name: string, group?: string): void {
  for (const words of [['userdel', '--force', name], ...(group === undefined ? [] : [['groupdel', group]])]) {
    try {
      quietly(words[0] ?? '', ...words.slice(1))
    } catch {
      // There is none.
    }
  }
}

/** The numbers of a user and of its group. */
export const idsOf = (name: string): { readonly uid: number; readonly gid: number } => {
  const id = (flag: string): number => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

/** The words with which root starts a program as somebody else. */
export const startedAs = (name: string): readonly string[] => [
  'setpriv',
  `--reuid=${name}`,
  `--regid=${name}`,
  '--init-groups',
]
