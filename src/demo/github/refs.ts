import { existing, paged, type AskedThere, type Outcome, type Route } from './routes.ts'
import { branchSummary, nodeId, repositoryUrl, tagShape, timeText, UNSIGNED } from './shapes.ts'
import type { GitHubState, Repository } from './state.ts'

const REPOSITORY = '/repos/{owner}/{repo}'
const right = { permission: 'contents', level: 'read', scopes: ['repo'] } as const

/** Branches and tags, as they are listed and as git knows them. */
export const refRoutes: readonly Route[] = [
  { method: 'GET', template: `${REPOSITORY}/branches`, right, answer: branches },
  { method: 'GET', template: `${REPOSITORY}/tags`, right, answer: tags },
  { method: 'GET', template: `${REPOSITORY}/git/ref/{ref}`, right, answer: gitRef },
  { method: 'GET', template: `${REPOSITORY}/git/tags/{tag_sha}`, right, answer: gitTag },
]

function branches(asked: AskedThere): Outcome {
  const { state, repository } = asked
  const all = [...repository.branches].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return paged(asked, all, (page) =>
    page.map(([name, { sha }]) => branchSummary(state, repository, name, sha)),
  )
}

function tags(asked: AskedThere): Outcome {
  const { state, repository } = asked
  const all = [...repository.tags.keys()].toSorted((a, b) => (a < b ? 1 : -1))
  return paged(asked, all, (page) => page.map((name) => tagShape(state, repository, name)))
}

/** The very ref and no other: those that merely begin so are another list at GitHub. */
function gitRef({ state, repository, param }: AskedThere): Outcome {
  const [kind, ...parts] = param('ref').split('/')
  const name = parts.join('/')
  const heads = { heads: repository.branches.get(name)?.sha, tags: repository.tags.get(name) }
  const sha = existing(kind === 'heads' || kind === 'tags' ? heads[kind] : undefined)
  const ref = `refs/${kind}/${name}`
  const url = `${repositoryUrl(state, repository)}/git/${ref}`
  const body = { ref, node_id: nodeId('REF', ref), url, object: objectShape(state, repository, sha) }
  return { status: 200, body }
}

/** The object of an annotated tag. */
function gitTag({ state, repository, param }: AskedThere): Outcome {
  const tag = existing(repository.tagObjects.get(param('tag_sha')))
  const body = {
    node_id: nodeId('TA', tag.sha),
    sha: tag.sha,
    url: `${repositoryUrl(state, repository)}/git/tags/${tag.sha}`,
    tagger: { name: 'Shop team', email: 'team@example.org', date: timeText(tag.at) },
    object: objectShape(state, repository, tag.target),
    tag: tag.name,
    message: tag.message,
    verification: UNSIGNED,
  }
  return { status: 200, body }
}

function objectShape(state: GitHubState, repository: Repository, sha: string) {
  const type = repository.tagObjects.has(sha) ? 'tag' : 'commit'
  return { type, sha, url: `${repositoryUrl(state, repository)}/git/${type}s/${sha}` }
}
