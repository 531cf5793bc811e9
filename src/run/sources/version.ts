import type { EnvironmentConfig } from '../../config/config.ts'
import type { Value } from '../../deployment/recipe.ts'
import type { SourceVersion } from '../../deployment/source.ts'
import { problem } from '../../errors.ts'
import { fullNamesOf, isRefName } from '../../github/refs.ts'
import type { Masker } from '../../logs/redact.ts'
import { baseEnvironment, type ServerSide } from '../environment.ts'
import { askRefs } from '../workspace/reach.ts'
import { sourceOf } from '../workspace/source.ts'
import { locate } from './archive.ts'
import { ReleaseFailure } from './failure.ts'
import { HTTP_LIMITS } from './http.ts'

export interface VersionParts {
  readonly server: ServerSide
  /** Told what must not be shown. */
  readonly hide: Masker['add']
  resolve(value: Value): string
  readonly signal: AbortSignal
  /** For the whole of it, but for a store that has to be asked in another region. */
  readonly timeoutMs?: number
}

type Asked = Pick<EnvironmentConfig, 'repository' | 'name' | 'branch' | 'recipe'>

const TIMEOUT_MS = 30_000
const FULL_SHA = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i
const SHORT_SHA = /^[0-9a-f]{4,39}$/i

/**
 * What the source of an environment that is not at GitHub holds now: of git the head of its branch, or what a branch, a
 * tag or a commit in full means. Nothing is fetched. Throws `ReleaseFailure` where the source does not tell, `ref_wrong`,
 * `ref_unknown`, `ref_ambiguous`, `commit_in_full` or `source_has_no_refs`.
 */
export async function askSource(
  environment: Asked,
  ref: string | undefined,
  parts: VersionParts,
): Promise<SourceVersion> {
  const { repository, name, recipe } = environment
  const zip = recipe.releases?.source
  if (zip === undefined) return askGitSource(environment, ref, parts)
  if (ref !== undefined) throw problem('source_has_no_refs', { place: `${repository} ${name}`, ref })
  const { server, timeoutMs = TIMEOUT_MS } = parts
  const { environment: variables, user } = server
  const archive = locate({ sha: '', environment: name }, zip, {
    ...parts,
    environment: variables,
    home: variables['HOME'] ?? user.home,
    limits: { ...HTTP_LIMITS, answerMs: timeoutMs },
  })
  return archive.ask()
}

async function askGitSource(
  { repository, branch, recipe: { workspace, env } }: Asked,
  ref: string | undefined,
  { server, resolve, signal, timeoutMs = TIMEOUT_MS }: VersionParts,
): Promise<SourceVersion> {
  if (workspace === undefined)
    throw new ReleaseFailure('source_unavailable', `${repository} has no source that can be asked.`)
  if (ref !== undefined && FULL_SHA.test(ref)) {
    const sha = ref.toLowerCase()
    return { sha, ref: sha, branch: undefined } // whether it is there, the fetch will tell
  }
  if (ref !== undefined && !isRefName(ref)) throw problem('ref_wrong', { ref: ref.slice(0, 250) })
  const source = sourceOf(workspace, repository, 'https://github.com')
  const resolved = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, resolve(value)]))
  const wanted =
    ref === undefined ? (branch === undefined ? ['HEAD'] : [`refs/heads/${branch}`]) : fullNamesOf(ref)
  const answer = await askRefs(source, [...wanted, ...wanted.map(peeled)], {
    variables: baseEnvironment(server, resolved),
    token: () => Promise.reject(new Error('Nobody is shown a token.')),
    timeoutMs,
    signal,
  })
  if ('why' in answer)
    throw new ReleaseFailure('source_unavailable', `${source.url} does not answer: ${answer.why}`)
  const found = wanted.flatMap((name) => {
    const sha = answer.refs.get(peeled(name)) ?? answer.refs.get(name)
    return sha === undefined ? [] : [{ name, sha }]
  })
  const [first] = found
  if (first === undefined && ref === undefined) {
    const what = branch === undefined ? 'commit yet' : `branch ${JSON.stringify(branch)}`
    throw new ReleaseFailure('source_unavailable', `${source.url} has no ${what}.`)
  }
  const said = ref ?? branch ?? 'HEAD'
  if (first === undefined)
    throw problem(SHORT_SHA.test(said) ? 'commit_in_full' : 'ref_unknown', { repository, ref: said })
  if (found.some(({ sha }) => sha !== first.sha))
    throw problem('ref_ambiguous', {
      ref: said,
      meanings: found.map(({ name, sha }) => `${name} (${sha.slice(0, 7)})`).join(' and '),
      ways: found.map(({ name }) => name).join(' or '),
    })
  // What a stranger's server calls its branch is shown, and handed to commands.
  const head = answer.head !== undefined && isRefName(answer.head) ? answer.head : 'HEAD'
  const full = first.name === 'HEAD' ? head : first.name
  const bare = full.replace(/^refs\/(?:heads|tags)\//, '')
  return { sha: first.sha, ref: bare, branch: full.startsWith('refs/heads/') ? bare : undefined }
}

/** The commit that a tag with a message stands for. */
const peeled = (name: string): string => `${name}^{}`
