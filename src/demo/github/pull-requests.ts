import { refusal } from './answers.ts'
import { pullRequestShape } from './pull-request-shape.ts'
import { existing, paged, type AskedThere, type Outcome, type Route } from './routes.ts'

const REPOSITORY = '/repos/{owner}/{repo}'
const READING = { permission: 'pull_requests', level: 'read', scopes: ['repo'] } as const

/** These come before those of commits, whose names may hold slashes. */
export const pullRequestRoutes: readonly Route[] = [
  { method: 'GET', template: `${REPOSITORY}/commits/{commit_sha}/pulls`, right: READING, answer: ofCommit },
  { method: 'GET', template: `${REPOSITORY}/pulls/{pull_number}`, right: READING, answer: one },
]

/** Those that brought the commit, or hold it. */
function ofCommit(asked: AskedThere): Outcome {
  const { state, repository, param } = asked
  const sha = param('commit_sha')
  if (!repository.commits.has(sha)) throw refusal(422, `No commit found for SHA: ${sha}`)
  const found = repository.pullRequests.filter(({ shas }) => shas.includes(sha))
  return paged(asked, found, (page) => page.map((request) => pullRequestShape(state, repository, request)))
}

function one({ state, repository, param }: AskedThere): Outcome {
  const found = repository.pullRequests.find(({ number }) => String(number) === param('pull_number'))
  return { status: 200, body: pullRequestShape(state, repository, existing(found)) }
}
