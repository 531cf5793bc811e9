import { MOST_LISTED, pullRequestIn, type Changes, type PullRequest } from '../deployment/changes.ts'
import { ComparedCommits, read } from './answers.ts'
import type { Comparison, GitHub } from './github.ts'
import { compare } from './places.ts'
import { placeOf, type Requests } from './requests.ts'

const PER_PAGE = 100

/** `GitHub.changes`. */
export async function changes(
  requests: Requests,
  repository: string,
  from: string,
  to: string,
): Promise<Changes | undefined> {
  const found = await compare(requests, repository, from, to)
  if (found === undefined) return undefined
  const isBack = found.status === 'behind'
  const [base, head, commitCount] = isBack ? [to, from, found.behindBy] : [from, to, found.aheadBy]
  const basehead = `${base}...${head}`
  const listed = await newest(requests, repository, { basehead, count: commitCount, most: MOST_LISTED })
  return {
    from,
    to,
    direction: DIRECTIONS[found.status],
    commitCount,
    lostCount: isBack ? 0 : found.behindBy,
    commits: listed
      .slice(0, MOST_LISTED)
      .map(({ sha, message, author }) => ({ sha, title: firstLine(message), author })),
    pullRequests: pullRequestsOf(listed.map(({ message }) => message)).slice(0, MOST_LISTED),
    authors: [...new Set(listed.map(({ author }) => author))].slice(0, MOST_LISTED),
  }
}

const DIRECTIONS = {
  ahead: 'forward',
  behind: 'back',
  diverged: 'aside',
  identical: 'none',
} as const satisfies Record<Comparison['status'], Changes['direction']>

/** `GitHub.came`. */
export async function came(
  requests: Requests,
  repository: string,
  { from, to, most }: Parameters<GitHub['came']>[1],
): ReturnType<GitHub['came']> {
  const found = await compare(requests, repository, from, to)
  if (found?.status !== 'ahead') return undefined
  const listed = await newest(requests, repository, {
    basehead: `${from}...${to}`,
    count: found.aheadBy,
    most,
  })
  return { shas: listed.slice(0, most).map(({ sha }) => sha), count: found.aheadBy }
}

interface Listing {
  readonly basehead: string
  /** How many commits there are. */
  readonly count: number
  /** How many of them are wanted at least. */
  readonly most: number
}

/** The newest commits of a comparison, newest first: GitHub lists the oldest on its first page. */
async function newest({ rest, ask }: Requests, repository: string, { basehead, count, most }: Listing) {
  const pages = []
  let listed = 0
  for (let page = Math.ceil(count / PER_PAGE); page > 0 && listed < most; page -= 1) {
    const wanted = { ...placeOf(repository), basehead, per_page: PER_PAGE, page }
    const answer = await ask((common) => rest.repos.compareCommitsWithBasehead({ ...wanted, ...common }))
    const commits = read(answer, ComparedCommits, { what: 'the commits of a comparison' })
    pages.push(commits.toReversed())
    listed += commits.length
  }
  return pages.flat()
}

const firstLine = (message: string): string => message.split('\n', 1)[0]?.trim() ?? ''

/** Each once; what one message says of it first counts. */
function pullRequestsOf(messages: readonly string[]): readonly PullRequest[] {
  const found = messages.flatMap((message) => pullRequestIn(message) ?? [])
  return found.filter(({ number }, at) => found.findIndex((one) => one.number === number) === at)
}
