import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { askGit } from '../git-question.ts'
import { quoted } from '../quoted.ts'
import type { StepFailure } from '../step.ts'
import type { Doing } from '../steps.ts'
import { gitEnvironment, gitSettings, type Source } from './source.ts'

type Variables = Readonly<Record<string, string>>

/** Git for the source of one deployment: work as steps of its run, and questions in between. */
export interface Git {
  readonly source: Source
  /** Where programs are looked for. */
  readonly path: string
  /** Whether a checkout fetches what Git LFS keeps elsewhere. */
  readonly lfs: boolean
  run(words: readonly string[], how: GitRun): Promise<StepFailure | undefined>
  /** Lets the head of a bare repository be the commit, which is what a clone of it checks out. */
  pointTo(repository: string, sha: string): Promise<void>
  /** Whether the commit is in a repository. */
  knows(repository: string, sha: string): Promise<boolean>
  /** Whether there is one, be it damaged: git itself may have no time to say so, or not be started at all. */
  isRepository(path: string): Promise<boolean>
  /** Looks through a repository; that is told, and may take its time. */
  isSound(repository: string): Promise<boolean>
  /** Whether git itself has failed: nobody has ended it, and no limit was reached. */
  isItsOwn(failure: StepFailure): boolean
  say(line: string): Promise<void>
}

interface GitRun {
  readonly folder: string
  /** Whether it asks the source. */
  readonly asks?: boolean
  /** Transports that it may use beside that of the source. */
  readonly also?: readonly string[]
}

export interface GitParts {
  readonly source: Source
  /** `owner/name`, for people. */
  readonly repository: string
  readonly variables: Variables
  readonly ceilings: readonly string[]
  /** Whether a checkout fetches what Git LFS keeps elsewhere. */
  readonly lfs: boolean
  /** The token that may read the repository; asked for only where it is needed. */
  readonly token: () => Promise<string>
}

/** Does work with git, which is told where its settings and the token are; the token is gone when the work is done. */
export async function withGit(
  { source, repository, variables, ceilings, lfs, token }: GitParts,
  doing: Doing,
  work: (git: Git) => Promise<StepFailure | undefined>,
): Promise<StepFailure | undefined> {
  const settings = join(doing.folder, 'gitconfig')
  const credentials = join(doing.folder, 'git-credentials')
  const path = variables['PATH'] ?? ''
  await mkdir(doing.folder, { recursive: true, mode: 0o700 })
  await writeFile(settings, gitSettings({ ...source, lfs }), { mode: 0o600 })
  let isOpen = source.tokenFor === undefined
  /** Only what asks GitHub needs the token, and most of the time nothing is asked. */
  const open = async (): Promise<StepFailure | undefined> => {
    if (isOpen) return undefined
    try {
      const given = await token()
      await writeFile(credentials, `username=x-access-token\npassword=${given}\n`, { mode: 0o600 })
      isOpen = true
      return undefined
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : String(thrown)
      return {
        reason: 'source_unavailable',
        detail: `${repository} cannot be fetched, since GitHub gives no token for it: ${why}`,
      }
    }
  }
  const isItsOwn = ({ reason }: StepFailure): boolean =>
    reason === 'command_failed' || reason === 'source_unavailable'
  const git: Git = {
    source,
    path,
    lfs,
    async run(words, { folder, asks = false, also = [] }) {
      const refused = asks ? await open() : undefined
      if (refused !== undefined) return refused
      const argv = ['git', ...words]
      const protocols = [...new Set([source.protocol, ...also])]
      const failure = await doing.run(
        {
          kind: 'command',
          name: argv.map(quoted).join(' '),
          argv,
          folder,
          leaveProcesses: false,
          mayBeSilent: true,
          onFailure: 'ends',
        },
        gitEnvironment(variables, source, { settings, credentials, ceilings }, protocols),
      )
      if (failure?.reason !== 'command_failed') return failure
      const said = doing.lastLine()
      const what = asks
        ? `${repository} cannot be fetched from ${source.url}`
        : `git ${words[0] ?? ''} failed`
      return { reason: 'source_unavailable', detail: `${what}: ${said === '' ? failure.detail : said}` }
    },
    async pointTo(folder, sha) {
      await askGit(folder, path, ['--git-dir=.', 'update-ref', '--no-deref', 'HEAD', sha])
    },
    knows: async (folder, sha) =>
      (await askGit(folder, path, ['--git-dir=.', 'cat-file', '-e', `${sha}^{commit}`])) !== undefined,
    isRepository: async (folder) => {
      const needed = ['HEAD', 'objects', 'refs'].map((name) => stat(join(folder, name)))
      return (await Promise.allSettled(needed)).every(({ status }) => status === 'fulfilled')
    },
    async isSound(folder) {
      const words = ['fsck', '--no-dangling', '--no-progress']
      return (await git.run(words, { folder })) === undefined
    },
    isItsOwn,
    say: (line) => doing.log.line(line),
  }
  try {
    return await work(git)
  } finally {
    await rm(credentials, { force: true })
  }
}
