import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { BROKEN_CHANGE, SAMPLE_CHANGES, type SampleChange } from './sample-files.ts'

interface SampleCommit {
  readonly sha: string
  readonly message: string
  readonly author: { readonly name: string; readonly email: string }
  /** Milliseconds since 1970. */
  readonly at: number
}

/** A small real repository with history. Its commit ids are the same every time. */
export interface SampleRepository {
  /** The bare repository that stands for the one at GitHub; its branch is `main`. */
  readonly origin: string
  /** A clone of it that still stands at the first commit of `main`. */
  readonly folder: string
  /** Oldest first; `deploy.sh` works in all but `broken`. */
  readonly commits: readonly SampleCommit[]
  /** The newest commit; `deploy.sh` ends with 0. */
  readonly working: SampleCommit
  /** The commit in which `deploy.sh` prints an error and ends with 1. */
  readonly broken: SampleCommit
  /** Adds one more commit to `main` of the origin. */
  readonly push: (change: SampleChange) => Promise<SampleCommit>
}

const AUTHOR = { name: 'Shop team', email: 'team@example.org' }
const FIRST_AT = Date.UTC(2026, 0, 12, 9, 0)
const DAY_MS = 24 * 3_600_000

/** Makes the sample repository below an existing directory, with the git found on `path`. */
export async function createSampleRepository(
  directory: string,
  path = process.env['PATH'] ?? '/usr/bin:/bin',
): Promise<SampleRepository> {
  const origin = join(directory, 'shop.git')
  const folder = join(directory, 'shop')
  const desk = join(directory, 'desk') // where the commits are made
  const git = createGit(directory, path)
  await git(directory, ['init', '--quiet', '--bare', '--template=', '--initial-branch=main', origin])
  await git(directory, ['init', '--quiet', '--template=', '--initial-branch=main', desk])
  await git(desk, ['remote', 'add', 'origin', origin])
  const commits: SampleCommit[] = []

  async function push(change: SampleChange): Promise<SampleCommit> {
    const commit = await commitChange(git, desk, change, FIRST_AT + commits.length * DAY_MS)
    await git(desk, ['push', '--quiet', 'origin', 'main'])
    commits.push(commit)
    return commit
  }

  for (const change of SAMPLE_CHANGES) await push(change)
  await git(directory, ['clone', '--quiet', '--template=', origin, folder])
  const made = [...commits]
  const named = (at: number) => made.at(at) as SampleCommit // one for each change
  await git(folder, ['reset', '--quiet', '--hard', named(0).sha])
  return { origin, folder, commits: made, working: named(-1), broken: named(BROKEN_CHANGE), push }
}

type Git = (
  folder: string,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
) => Promise<string>

/** Git without the settings of this machine or of its user. */
function createGit(home: string, path: string): Git {
  const clean = {
    PATH: path,
    HOME: home,
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: AUTHOR.name,
    GIT_AUTHOR_EMAIL: AUTHOR.email,
    GIT_COMMITTER_NAME: AUTHOR.name,
    GIT_COMMITTER_EMAIL: AUTHOR.email,
  }
  return async (folder, args, env = {}) => {
    const { stdout } = await promisify(execFile)('git', [...args], { cwd: folder, env: { ...clean, ...env } })
    return stdout.trim()
  }
}

async function commitChange(
  git: Git,
  desk: string,
  { message, files }: SampleChange,
  at: number,
): Promise<SampleCommit> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(desk, name)), { recursive: true })
    await writeFile(join(desk, name), content, { mode: content.startsWith('#!') ? 0o755 : 0o644 })
  }
  const date = new Date(at).toISOString()
  await git(desk, ['add', '--all'])
  await git(desk, ['commit', '--quiet', '--message', message], {
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_DATE: date,
  })
  return { sha: await git(desk, ['rev-parse', 'HEAD']), message, author: AUTHOR, at }
}
