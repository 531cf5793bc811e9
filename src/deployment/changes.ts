/** How the commit of a deployment stands to the one that was there before. */
export interface Changes {
  readonly from: string
  readonly to: string
  /**
   * `forward`: everything that was there still is. `back`: some of it was taken away, and nothing came. `aside`: both.
   * `none`: it is the same commit.
   */
  readonly direction: 'forward' | 'back' | 'aside' | 'none'
  /** How many commits came, or with `back` were taken away. */
  readonly commitCount: number
  /** With `aside`, how many were taken away besides; else 0. */
  readonly lostCount: number
  /** The newest of what `commitCount` counts, newest first; at most `MOST_LISTED`. */
  readonly commits: readonly ChangedCommit[]
  /** Those that the messages of the commits name, newest first; at most `MOST_LISTED`. */
  readonly pullRequests: readonly PullRequest[]
  /** Logins, or names where there is no account, those of the newest commits first; at most `MOST_LISTED`. */
  readonly authors: readonly string[]
}

interface ChangedCommit {
  readonly sha: string
  /** The first line of its message. */
  readonly title: string
  readonly author: string
}

export interface PullRequest {
  readonly number: number
  readonly title: string
}

export const MOST_LISTED = 50
const MOST_TITLE = 200
const MOST_AUTHOR = 100

/** The pull request that a message says its commit came by, as GitHub writes it when it merges or squashes. Pure. */
export function pullRequestIn(message: string): PullRequest | undefined {
  const [title = '', ...body] = message.split('\n').map((line) => line.trim())
  const [, merged] = /^Merge pull request #(\d{1,9}) from /.exec(title) ?? []
  if (merged !== undefined)
    return { number: Number(merged), title: body.find((line) => line !== '') ?? title }
  const [, rest, squashed] = /^(.*\S)\s+\(#(\d{1,9})\)$/.exec(title) ?? []
  return rest === undefined ? undefined : { number: Number(squashed), title: rest }
}

/** The same with every word from outside put through `say`, which makes it at most so long. Pure. */
export const saidBy = (changes: Changes, say: (text: string, most: number) => string): Changes => ({
  ...changes,
  commits: changes.commits.map(({ sha, title, author }) => ({
    sha,
    title: say(title, MOST_TITLE),
    author: say(author, MOST_AUTHOR),
  })),
  pullRequests: changes.pullRequests.map(({ number, title }) => ({ number, title: say(title, MOST_TITLE) })),
  authors: changes.authors.map((author) => say(author, MOST_AUTHOR)),
})
