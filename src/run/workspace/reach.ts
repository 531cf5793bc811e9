import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { usefulLine } from '../useful-line.ts'
import { gitEnvironment, gitSettings, type Source } from './source.ts'

export interface ReachParts {
  readonly variables: Readonly<Record<string, string>>
  readonly token: () => Promise<string>
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** Asks a source for nothing but an answer, as a deployment would; answers what git says when there is none. */
export async function whyUnreachable(source: Source, parts: ReachParts): Promise<string | undefined> {
  const answer = await askRefs(source, ['HEAD'], parts)
  return 'why' in answer ? answer.why : undefined
}

/** Where refs of a source point, by their full names. */
export interface Refs {
  readonly refs: ReadonlyMap<string, string>
  /** The branch that a clone would have: `refs/heads/main`. */
  readonly head: string | undefined
}

/** Asks a source where these refs point, as a deployment would; of those that are not there nothing is said. */
export async function askRefs(
  source: Source,
  names: readonly string[],
  { variables, token, timeoutMs, signal }: ReachParts,
): Promise<Refs | { readonly why: string }> {
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
    const words = ['ls-remote', '--quiet', '--symref', '--end-of-options', source.url, ...names]
    const { failed, timedOut, stdout, stderr, shortMessage } = await execa('git', words, {
      cwd: folder,
      extendEnv: false,
      env: gitEnvironment(variables, source, places, [source.protocol]),
      stdin: 'ignore',
      maxBuffer: 100_000,
      timeout: timeoutMs,
      killDescendants: true,
      reject: false,
      ...(signal === undefined ? {} : { cancelSignal: signal }),
    })
    if (!failed) return refsIn(stdout, names)
    if (timedOut) return { why: `no answer within ${timeoutMs / 1000} s` }
    return { why: usefulLine(stderr.split('\n')) || (shortMessage ?? '') }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Git answers with whatever ends like a name; only the names themselves count. */
function refsIn(text: string, names: readonly string[]): Refs {
  const lines = text.split('\n').map((line): readonly (string | undefined)[] => line.split('\t'))
  const found = lines.flatMap(([what = '', name = '']): [string, string][] =>
    names.includes(name) && /^[0-9a-f]{40,64}$/.test(what) ? [[name, what]] : [],
  )
  const [symbolic] = lines.find(([what = '', name]) => name === 'HEAD' && what.startsWith('ref: ')) ?? []
  return { refs: new Map(found), head: symbolic?.slice('ref: '.length) }
}
