import { createHash } from 'node:crypto'

import { existing, type Asked, type Outcome, type Route } from './routes.ts'
import { notFound, refusal, validationFailed } from './answers.ts'
import { readFields } from './fields.ts'
import { htmlUrl, nodeId, timeText, userShape } from './shapes.ts'
import type { Caller } from './access.ts'
import type { Gist, GitHubState } from './state.ts'

const CREATE_DOCS = 'gists/gists#create-a-gist'
/** So much of each file is shown in an answer. */
const MOST_SHOWN = 1_048_576

export const gistRoutes: readonly Route[] = [
  { method: 'POST', template: '/gists', answer: create },
  { method: 'GET', template: '/gists/{gist_id}', answer: get },
]

function create({ state, caller, body }: Asked): Outcome {
  const owner = ownerFor(caller)
  const fields = readFields(body, CREATE_DOCS)
  const gist: Gist = {
    id: createHash('md5').update(`gist ${state.nextId()}`).digest('hex'),
    owner,
    description: fields.text('description', null),
    isPublic: fields.flag('public', false),
    files: filesIn(fields.raw('files')),
    createdAt: state.clock(),
  }
  state.gists.set(gist.id, gist)
  const shape = gistShape(state, gist)
  return { status: 201, headers: { location: shape.url }, body: shape }
}

function get({ state, param }: Asked): Outcome {
  return { status: 200, body: gistShape(state, existing(state.gists.get(param('gist_id')))) }
}

/** Who may write gists. GitHub knows none of an App, and hides what a classic token has no scope for. */
function ownerFor({ user, token }: Caller): Gist['owner'] {
  if (user === undefined) throw refusal(401, 'Requires authentication')
  if (token.type === 'app') throw refusal(403, 'Resource not accessible by integration')
  if (token.type === 'classic' && !token.scopes.includes('gist')) throw notFound()
  if (token.type === 'fine-grained' && token.permissions['gists'] !== 'write')
    throw refusal(403, 'Resource not accessible by personal access token')
  return user
}

/** At least one file, none of them empty. */
function filesIn(given: unknown): ReadonlyMap<string, string> {
  const files = Object.entries(Object(given) as Record<string, unknown>).map(
    ([name, file]) => [name, Reflect.get(Object(file), 'content') as unknown] as const,
  )
  const sound = files.filter(
    (file): file is readonly [string, string] => typeof file[1] === 'string' && file[1].trim() !== '',
  )
  if (files.length === 0 || sound.length < files.length)
    throw validationFailed(CREATE_DOCS, { resource: 'Gist', code: 'missing_field', field: 'files' })
  return new Map(sound)
}

function gistShape(state: GitHubState, gist: Gist) {
  const { id, owner, description, isPublic, files, createdAt } = gist
  const url = `${state.url}/gists/${id}`
  const page = `${htmlUrl(state)}/gist/${owner.login}/${id}`
  return {
    id,
    node_id: nodeId('G', id),
    url,
    forks_url: `${url}/forks`,
    commits_url: `${url}/commits`,
    comments_url: `${url}/comments`,
    git_pull_url: `${page}.git`,
    git_push_url: `${page}.git`,
    html_url: page,
    files: Object.fromEntries([...files].map(([name, content]) => [name, fileShape(page, name, content)])),
    public: isPublic,
    created_at: timeText(createdAt),
    updated_at: timeText(createdAt),
    description,
    comments: 0,
    comments_enabled: true,
    user: null,
    owner: userShape(state, owner),
    forks: [],
    history: [],
    truncated: false,
  }
}

function fileShape(page: string, filename: string, content: string) {
  const bytes = Buffer.from(content)
  const truncated = bytes.length > MOST_SHOWN
  return {
    filename,
    type: 'text/plain',
    language: 'Text',
    raw_url: `${page}/raw/${encodeURIComponent(filename)}`,
    size: bytes.length,
    truncated,
    content: truncated ? bytes.subarray(0, MOST_SHOWN).toString() : content,
    encoding: 'utf-8',
  }
}
