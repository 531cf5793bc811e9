import type { Changes } from '../deployment/changes.ts'
import type { Deployment } from '../deployment/deployment.ts'
import { escape, link, MOST_SECTION, section } from './mrkdwn.ts'
import { countOf, short } from './text.ts'

/** `3 commits`, `back by 3 commits`, `2 commits came, 4 went`; undefined where it is the same commit. Pure. */
export function brief({ direction, commitCount, lostCount }: Changes): string | undefined {
  switch (direction) {
    case 'forward':
      return countOf(commitCount, 'commit')
    case 'back':
      return `back by ${countOf(commitCount, 'commit')}`
    case 'aside':
      return `${countOf(commitCount, 'commit')} came, ${lostCount} went`
    case 'none':
      return undefined
    default:
      return direction satisfies never
  }
}

const MOST_LINES = 5
const MOST_TITLE = 100
const MOST_NAMES = 5
const MOST_NAME = 40

/** What came with a success, as a block of a Slack message: pull requests, or commits where there are none. Pure. */
export function changesBlocks({ state, changes, repository }: Deployment, githubUrl: string): object[] {
  if (state !== 'succeeded' || changes === undefined || changes.direction === 'none') return []
  const place = `${githubUrl}/${repository}`
  const { pullRequests, commits, commitCount } = changes
  const items =
    pullRequests.length > 0
      ? pullRequests.map(({ number, title }) => item(`${place}/pull/${number}`, `#${number}`, title))
      : commits.map(({ sha, title }) => item(`${place}/commit/${sha}`, short(sha), title))
  const thing = pullRequests.length > 0 ? 'pull request' : 'commit'
  // Of very many commits not all messages were read.
  const isWhole = commitCount === commits.length
  const count = pullRequests.length > 0 ? pullRequests.length : commitCount
  const more = (shown: number): string =>
    isWhole || thing === 'commit' ? `… and ${countOf(count - shown, `more ${thing}`)}` : '… and more'
  const first = summary(changes, place)
  const room = MOST_SECTION - first.length - more(0).length - 2
  const shown = fitting(items.slice(0, MOST_LINES), room)
  const rest = shown.length < items.length || !isWhole ? [more(shown.length)] : []
  return [section([first, ...shown, ...rest].join('\n'))]
}

function summary(changes: Changes, place: string): string {
  const { direction, from, to, commitCount, lostCount } = changes
  const [base, head] = direction === 'back' ? [to, from] : [from, to]
  const before = link(`${place}/compare/${base}...${head}`, short(from))
  const commits = countOf(commitCount, 'commit')
  if (direction === 'back') return `Back by ${commits} from ${before}. Not there any more:`
  const gone =
    direction === 'aside'
      ? `; ${countOf(lostCount, 'commit')} of before ${lostCount === 1 ? 'is' : 'are'} gone`
      : ''
  return `${commits} since ${before} by ${namesOf(changes.authors)}${gone}`
}

function namesOf(authors: readonly string[]): string {
  const shown = authors.slice(0, MOST_NAMES).map((author) => escape(author, MOST_NAME))
  const more = authors.length - shown.length
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ')
}

const item = (url: string, name: string, title: string): string =>
  `• ${link(url, name)} ${escape(title, MOST_TITLE)}`

/** As many of the lines, from the first on, as have room together. */
function fitting(lines: readonly string[], room: number): readonly string[] {
  let length = 0
  return lines.filter((line) => (length += line.length + 1) <= room)
}
