import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { usefulLine } from '../useful-line.ts'
import { gitEnvironment, gitSettings, type Source } from './source.ts'

export interface ReachParts {
  readonly variables: Readonly<Record<string, string>>
  readonly token: () => Promise<string>
  readonly timeoutMs: number
}

/** Asks a source for nothing but an answer, as a deployment would; answers what git says when there is none. */
export async function whyUnreachable(
  source: Source,
  { variables, token, timeoutMs }: ReachParts,
): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'ferryman-check-'))
  const places = {
    settings: join(folder, 'gitconfig'),
    credentials: join(folder, 'git-credentials'),
    ceilings: [folder],
  }
  try {
    await writeFile(places.settings, gitSettings({ ...source, lfs: false }), { mode: 0o600 })
    if (source.tokenFor !== undefined)
      await writeFile(places.credentials, `username=x-access-token\npassword=${await token()}\n`, {
        mode: 0o600,
      })
    const { execa } = await import('execa')
    const words = ['ls-remote', '--quiet', '--end-of-options', source.url, 'HEAD']
    const { failed, timedOut, stderr, shortMessage } = await execa('git', words, {
      cwd: folder,
      extendEnv: false,
      env: gitEnvironment(variables, source, places, [source.protocol]),
      stdin: 'ignore',
      maxBuffer: 100_000,
      timeout: timeoutMs,
      killDescendants: true,
      reject: false,
    })
    if (!failed) return undefined
    if (timedOut) return `no answer within ${timeoutMs / 1000} s`
    return usefulLine(stderr.split('\n')) || shortMessage
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
