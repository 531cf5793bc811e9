const TIMEOUT_MS = 10_000

/**
 * What git answers about a folder at once, without asking anybody else and without running anything that the
 * folder's configuration names; undefined when it answers no, not in time, or more than so many bytes. Work for git is a step instead.
 */
export async function askGit(
  folder: string,
  path: string,
  args: readonly string[],
  { mostBytes = 100_000 }: { readonly mostBytes?: number } = {},
): Promise<string | undefined> {
  const safe = ['core.fsmonitor=false', 'core.hooksPath=/dev/null', `safe.directory=${folder}`].flatMap(
    (setting) => ['-c', setting],
  )
  // A server need not have it in memory before it asks git; where no more files may be opened it cannot be had.
  const found = await import('execa').catch(() => undefined)
  if (found === undefined) return undefined
  const { failed, stdout } = await found.execa('git', [...safe, ...args], {
    cwd: folder,
    extendEnv: false,
    env: {
      PATH: path,
      LC_ALL: 'C.UTF-8',
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_OPTIONAL_LOCKS: '0',
      // A partial clone would fetch what it does not have, with the programs that its configuration names.
      GIT_NO_LAZY_FETCH: '1',
      GIT_ALLOW_PROTOCOL: 'none',
    },
    stdin: 'ignore',
    stderr: 'ignore',
    maxBuffer: mostBytes,
    timeout: TIMEOUT_MS,
    killDescendants: true,
    reject: false,
  })
  return failed ? undefined : stdout.trimEnd()
}
