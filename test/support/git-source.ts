import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { temporaryFolder } from './running.ts'

/** A repository that others fetch from. */
export interface GitSource {
  readonly folder: string
  /** Commits these files on the current branch; answers the id. */
  commit(files: Readonly<Record<string, string>>, message?: string): string
  git(...words: readonly string[]): string
}

/** Runs git as nobody in particular, with nobody's settings. */
function gitIn(folder: string, ...words: readonly string[]): string {
  const who = { name: 'Mona', email: 'mona@example.org' }
  return execFileSync('git', ['-c', 'protocol.file.allow=always', ...words], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_NAME: who.name,
      GIT_AUTHOR_EMAIL: who.email,
      GIT_COMMITTER_NAME: who.name,
      GIT_COMMITTER_EMAIL: who.email,
    },
  }).trim()
}

/** Makes a repository, in a temporary folder if none is said; it has no commit yet. */
export function gitSource(folder = temporaryFolder(), format: 'sha1' | 'sha256' = 'sha1'): GitSource {
  mkdirSync(folder, { recursive: true })
  gitIn(folder, 'init', '--quiet', `--object-format=${format}`, '--initial-branch=main', '.')
  const git = (...words: readonly string[]): string => gitIn(folder, ...words)
  return {
    folder,
    git,
    commit(files, message = 'A change') {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, name)), { recursive: true })
        writeFileSync(join(folder, name), text)
      }
      git('add', '--all')
      git('commit', '--quiet', '--allow-empty', '-m', message)
      return git('rev-parse', 'HEAD')
    },
  }
}
