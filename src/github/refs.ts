import { problem } from '../errors.ts'
import { Commit, GitRef, GitTag, read } from './answers.ts'
import { GitHubError, type GitHub, type ResolvedRef } from './github.ts'
import { isForbidden } from './limits.ts'
import { repositoryFacts } from './places.ts'
import { placeOf, unlessStatus, type Requests } from './requests.ts'

const FULL_SHA = /^([0-9a-f]{40}|[0-9a-f]{64})$/i
const SHORT_SHA = /^[0-9a-f]{7,63}$/i
const MOST_CHARACTERS = 250
// What git allows in the name of a ref, told by what it does not: `git help check-ref-format`.
// eslint-disable-next-line no-control-regex -- these are what is refused
const NO_REF = /[\u0000-\u0020\u007F~^:?*[\\]|\.\.|@\{|\/\/|^\/|[/.]$|(?:^|\/)\.|\.lock(?:\/|$)/

/** `GitHub.resolveRef`. */
export async function resolveRef(
  requests: Requests,
  repository: string,
  ref: string,
): ReturnType<GitHub['resolveRef']> {
  if (!isRefName(ref)) throw problem('ref_wrong', { ref: ref.slice(0, MOST_CHARACTERS) })
  const meanings = FULL_SHA.test(ref)
    ? await namedInFull(requests, repository, ref.toLowerCase())
    : await meaningsOf(requests, repository, ref)
  const [first] = meanings
  if (first === undefined) throw problem('ref_unknown', { repository, ref })
  if (meanings.every(({ sha }) => sha === first.sha)) return first
  throw problem('ref_ambiguous', {
    ref,
    meanings: meanings.map(({ kind, sha }) => `a ${kind} (${sha.slice(0, 7)})`).join(' and '),
    ways: meanings.map(({ name }) => name).join(' or '),
  })
}

/** Whether git would take it for the name of a branch, tag or commit. */
export const isRefName = (ref: string): boolean =>
  ref !== '' && ref !== '@' && ref.length <= MOST_CHARACTERS && !NO_REF.test(ref)

/** A full id means that commit and nothing else. Where the token may not read commits, GitHub looks at it later. */
async function namedInFull(
  requests: Requests,
  repository: string,
  sha: string,
): Promise<readonly ResolvedRef[]> {
  try {
    return ofCommit(await commitCalled(requests, repository, sha))
  } catch (thrown) {
    if (isForbidden(thrown) || (thrown instanceof GitHubError && thrown.status === 404)) return ofCommit(sha)
    throw thrown
  }
}

/** Tags first, then branches, then the commit whose id begins so. */
async function meaningsOf(
  requests: Requests,
  repository: string,
  ref: string,
): Promise<readonly ResolvedRef[]> {
  const unreadable = () => problem('ref_unreadable', { repository, ref })
  const found = await Promise.all([
    ...fullNamesOf(ref).map((name) => refCalled(requests, repository, name)),
    ...(SHORT_SHA.test(ref) ? [commitCalled(requests, repository, ref.toLowerCase()).then(ofCommit)] : []),
  ]).catch((thrown: unknown) => {
    throw isForbidden(thrown) ? unreadable() : thrown
  })
  const meanings = found.flat()
  // GitHub hides from a token what it may not read.
  if (meanings.length === 0 && (await repositoryFacts(requests, repository)) === undefined) throw unreadable()
  return meanings
}

/** Under which names in full a ref may be known: `heads/x` may also be a branch that is called so. */
export function fullNamesOf(ref: string): readonly string[] {
  if (ref.startsWith('refs/')) return /^refs\/(heads|tags)\/./.test(ref) ? [ref] : []
  const bare = [`refs/tags/${ref}`, `refs/heads/${ref}`]
  return /^(heads|tags)\/./.test(ref) ? [`refs/${ref}`, ...bare] : bare
}

/** What a ref points at, `refs/heads/main`; nothing where there is none, or no commit at its end. */
export async function refCalled(
  requests: Requests,
  repository: string,
  name: string,
): Promise<readonly ResolvedRef[]> {
  const { rest, ask } = requests
  const answer = await unlessStatus(
    MISSING,
    ask((common) => rest.git.getRef({ ...placeOf(repository), ref: name.slice('refs/'.length), ...common })),
  )
  if (answer === undefined) return []
  const found = read(answer, GitRef, { what: 'a ref' })
  if (found.ref !== name) return [] // a branch that got another name, say
  const sha = await peel(requests, repository, found.object)
  const kind = name.startsWith('refs/tags/') ? 'tag' : 'branch'
  return sha === undefined ? [] : [{ kind, sha, name }]
}

/** There is none, or the repository is still empty. */
const MISSING = [404, 409]
const MOST_TAGS = 10

/** The commit to which an annotated tag leads, or one of a tag. */
async function peel(
  { rest, ask }: Requests,
  repository: string,
  target: { readonly type: string; readonly sha: string },
): Promise<string | undefined> {
  let at = target
  for (let tags = 0; at.type === 'tag' && tags < MOST_TAGS; tags += 1) {
    const tag_sha = at.sha
    const answer = await ask((common) => rest.git.getTag({ ...placeOf(repository), tag_sha, ...common }))
    at = read(answer, GitTag, { what: 'a tag' }).object
  }
  return at.type === 'commit' ? at.sha : undefined
}

/** The commit whose id begins so; undefined where there is none, or more than one. */
export async function commitCalled(
  { rest, ask }: Requests,
  repository: string,
  start: string,
): Promise<string | undefined> {
  const answer = await unlessStatus(
    [409, 422],
    ask((common) => rest.repos.getCommit({ ...placeOf(repository), ref: start, per_page: 1, ...common })),
  )
  if (answer === undefined) return undefined
  const { sha } = read(answer, Commit, { what: 'a commit' })
  return sha.startsWith(start) ? sha : undefined // it may have been the name of a ref
}

const ofCommit = (sha: string | undefined): readonly ResolvedRef[] =>
  sha === undefined ? [] : [{ kind: 'commit', sha, name: sha }]
