import type { EnvironmentConfig, RepositoryConfig } from '../config/config.ts'
import { messageOf } from '../errors.ts'
import { GitHubError, type GitHub, type GivenPullRequest, type RepositoryFacts } from '../github/github.ts'
import type { Journal } from '../logs/journal.ts'
import type { NewDelivery, Store } from '../store/store.ts'
import { fetchedDelivery, type Fetched } from './fetched.ts'
import { readSignal } from './signals.ts'

export interface MissedCommitsParts {
  github(): GitHub
  readonly store: Pick<Store, 'heads'>
  /** Records it as its webhook would have been. */
  take(delivery: NewDelivery, body: unknown): Promise<unknown>
  readonly clock: () => number
  readonly journal: Journal
}

export interface MissedCommits {
  /** Takes up what has come to the branches that deploy by themselves; answers when to look again at the latest. */
  lookAt(repository: RepositoryConfig): Promise<number | undefined>
}

/** A branch, and what deploys from it by itself. */
interface Line {
  /** `owner/name` in lower case. */
  readonly configuredAs: string
  readonly branch: string
  readonly facts: RepositoryFacts
  readonly environments: readonly EnvironmentConfig[]
}

/** An environment that has heard nothing of the newest commit of its branch. */
interface Unaware {
  readonly environment: EnvironmentConfig
  /** Where the branch stood when that was noted last. */
  readonly before: string
}

/** For that long the webhook of a commit that was just seen may still be on its way. */
const ON_ITS_WAY_MS = 2 * 60_000
/** A branch that never stands still is not waited for. */
const RESTLESS_MS = 10 * 60_000
/** How far back a merge is looked for; each commit costs a question. */
const MOST_COMMITS = 200

/**
 * Looks where the branches stand that deploy by themselves, so that a merge or push of which nobody told is deployed
 * all the same. What is found is decided and recorded just like its webhook. What was noted last is noted anew only when
 * that is done: a crash in between leads to the same once more, and that is known by its commit.
 */
export function createMissedCommits(parts: MissedCommitsParts): MissedCommits {
  const { clock, journal } = parts
  const { heads } = parts.store
  /** Newest commits of which nothing has come yet, by repository and branch, and since when. */
  const awaited = new Map<
    string,
    { readonly sha: string; readonly since: number; readonly restless: number }
  >()

  async function lookAt(repository: RepositoryConfig): Promise<number | undefined> {
    const facts = await parts.github().repository(repository.name)
    if (facts === undefined)
      throw new GitHubError(`GitHub shows no repository ${repository.name}`, 404, {}, undefined)
    let againAt = Infinity
    for (const line of linesOf(repository, facts)) againAt = Math.min(againAt, await lookAtLine(line))
    return againAt === Infinity ? undefined : againAt
  }

  /** Answers when to look again; `Infinity`: when it is its turn. */
  async function lookAtLine(line: Line): Promise<number> {
    const { configuredAs, branch, facts } = line
    const key = `${configuredAs} ${branch}`
    const head = await parts.github().branchHead(facts.name, branch)
    const unaware = head === undefined ? [] : await unawareOf(line, head)
    if (head === undefined || unaware.length === 0) {
      awaited.delete(key)
      return Infinity
    }
    const dueAt = arrivalOf(key, head)
    if (dueAt > clock()) return dueAt
    for (const { delivery, body } of await missedOf(line, head, unaware)) {
      journal.info('catch-up:found', { delivery: delivery.guid, repository: facts.name, branch, sha: head })
      await parts.take(delivery, body)
    }
    await note(line, head, unaware)
    awaited.delete(key)
    return Infinity
  }

  /** Those that have heard nothing of the commit. For the others it is noted; an environment that was never seen has none. */
  async function unawareOf(line: Line, head: string): Promise<readonly Unaware[]> {
    const { configuredAs, branch } = line
    const noted = await heads.of(configuredAs)
    const unaware: Unaware[] = []
    const aware: Pick<Unaware, 'environment'>[] = []
    for (const environment of line.environments) {
      const before = noted.get(environment.name.toLowerCase())
      if (before?.branch === branch && before.sha === head) continue
      const isNew = before?.branch !== branch
      if (isNew || (await heads.knows({ configuredAs, environment: environment.name }, head)))
        aware.push({ environment })
      else unaware.push({ environment, before: before.sha })
    }
    if (aware.length > 0) await note(line, head, aware)
    return unaware
  }

  const note = (
    { configuredAs, branch }: Line,
    sha: string,
    those: readonly Pick<Unaware, 'environment'>[],
  ): Promise<void> =>
    heads.note(
      configuredAs,
      those.map(({ environment }) => environment.name.toLowerCase()),
      { branch, sha },
    )

  /** When its webhook should have come. */
  function arrivalOf(key: string, sha: string): number {
    const now = clock()
    const before = awaited.get(key)
    const isFromLater = (before?.since ?? 0) > now // the clock was set back
    const known = isFromLater ? undefined : before
    const since = known?.sha === sha ? known.since : now
    const restless = known?.restless ?? now
    awaited.set(key, { sha, since, restless })
    return Math.min(since + ON_ITS_WAY_MS, restless + RESTLESS_MS)
  }

  /** What should have come. */
  async function missedOf(
    line: Line,
    head: string,
    unaware: readonly Unaware[],
  ): Promise<readonly Fetched[]> {
    const ofPushes = unaware.filter(({ environment }) => environment.deployOn === 'push')
    const ofMerges = unaware.filter(({ environment }) => environment.deployOn === 'merge')
    const [first] = ofPushes
    const push = first && (await pushOf(line, first.before, head))
    const merges = new Map<string, object>()
    for (const [before, those] of Map.groupBy(ofMerges, (one) => one.before)) {
      const found = await newestMerge(line, before, head)
      if (found === undefined || (await isKnown(line, found.sha, those))) continue
      merges.set(found.sha, mergeEvent(line, found.given))
    }
    return [
      ...(push === undefined ? [] : [{ event: 'push', payload: push }]),
      ...[...merges.values()].map((payload) => ({ event: 'pull_request', payload })),
    ].flatMap(({ event, payload }) => readOrSay(event, payload, head) ?? [])
  }

  /** Who pushed it GitHub does not say here; whose it is it does. */
  async function pushOf({ facts, branch }: Line, before: string, head: string): Promise<object> {
    const commit = await parts.github().commit(facts.name, head)
    return {
      ref: `refs/heads/${branch}`,
      before,
      after: head,
      deleted: false,
      head_commit: commit && {
        id: head,
        message: commit.message,
        author: { username: commit.author?.login ?? null },
      },
      pusher: { name: commit?.author?.login ?? null },
      repository: repositoryOf(facts),
      sender: commit?.author ?? null,
    }
  }

  /** The newest merge among what came to the branch; of one that was rewritten nothing is known to have come. */
  async function newestMerge(
    { facts, branch }: Line,
    before: string,
    head: string,
  ): Promise<{ readonly sha: string; readonly given: GivenPullRequest } | undefined> {
    const came = await parts.github().came(facts.name, { from: before, to: head, most: MOST_COMMITS })
    for (const sha of came?.shas ?? []) {
      const given = await parts.github().mergeOf(facts.name, sha, branch)
      if (given !== undefined) return { sha, given }
    }
    if (came !== undefined && came.count > came.shas.length)
      journal.warn('catch-up:too-far-back', {
        repository: facts.name,
        branch,
        commits: came.count,
        looked_at: came.shas.length,
        why: 'None of the newest commits is a merge, and an older one would not be found: deploy it by hand.',
      })
    return undefined
  }

  async function isKnown({ configuredAs }: Line, sha: string, those: readonly Unaware[]): Promise<boolean> {
    for (const { environment } of those)
      if (!(await heads.knows({ configuredAs, environment: environment.name }, sha))) return false
    return true
  }

  function readOrSay(event: string, payload: object, head: string): Fetched | undefined {
    const at = clock()
    const fetched = fetchedDelivery(payload, { id: `${head}-${at}`, event, at })
    try {
      readSignal(event, fetched.body)
      return fetched
    } catch (thrown) {
      journal.warn('catch-up:unreadable', { sha: head, error: messageOf(thrown) })
      return undefined
    }
  }

  return { lookAt }
}

/** Whether anything of it deploys by itself. */
export const deploysByItself = ({ environments }: RepositoryConfig): boolean =>
  [...environments.values()].some(({ deployOn }) => deployOn !== 'none')

function linesOf({ name, environments }: RepositoryConfig, facts: RepositoryFacts): readonly Line[] {
  const own = [...environments.values()].filter(({ deployOn }) => deployOn !== 'none')
  const byBranch = Map.groupBy(own, ({ branch }) => branch ?? facts.defaultBranch)
  return [...byBranch].map(([branch, those]) => ({
    configuredAs: name.toLowerCase(),
    branch,
    facts,
    environments: those,
  }))
}

const repositoryOf = ({ githubId, name, isPrivate, defaultBranch }: RepositoryFacts) => ({
  id: githubId,
  full_name: name,
  private: isPrivate,
  default_branch: defaultBranch,
})

const mergeEvent = ({ facts }: Line, given: GivenPullRequest) => ({
  action: 'closed',
  number: given.number,
  pull_request: given,
  repository: repositoryOf(facts),
  sender: given['merged_by'] ?? null,
})
