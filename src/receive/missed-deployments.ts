import type { RepositoryConfig } from '../config/config.ts'
import type { DeploymentSignal } from '../deployment/signal.ts'
import { messageOf } from '../errors.ts'
import type { GitHub, ListedDeployment, RepositoryFacts } from '../github/github.ts'
import { wholeSeconds } from '../github/times.ts'
import type { Journal } from '../logs/journal.ts'
import type { NewDelivery, Store } from '../store/store.ts'
import { fetchedDelivery, type Fetched } from './fetched.ts'
import { readSignal } from './signals.ts'

export interface MissedDeploymentsParts {
  github(): GitHub
  readonly store: Pick<Store, 'known'>
  /** Since when a place, `owner/name/environment` in lower case, is configured: what was made before is not ours. */
  configuredSince(place: string): number | undefined
  /** What is older is left alone. */
  maxAgeMs(): number
  /** Whether it would be taken, or refused with a report, if its webhook came now. */
  concerns(signal: DeploymentSignal): boolean
  /** Records it as its webhook would have been. */
  take(delivery: NewDelivery, body: unknown, missed: { overtaken: string | undefined }): Promise<unknown>
  /** GitHub's id of a repository, by its name in the configuration, where it has been heard of. */
  githubIdOf(configuredAs: string): number | undefined
  readonly clock: () => number
  readonly journal: Journal
}

export interface MissedDeployments {
  /** Takes up what waits at GitHub, oldest first; answers when to look again at the latest, where it is soon. */
  lookAt(repository: RepositoryConfig): Promise<number | undefined>
  /** Everything may be different now: looks at all of it anew. */
  forget(): void
}

interface Memory {
  /** Of the last answer of which nothing was left to do. */
  readonly tag: string | undefined
  /** What need not be asked about again, by GitHub's id. */
  readonly closed: ReadonlyMap<number, Closed>
}

/** `ended` without us; or `aside`: withdrawn, or a job's of GitHub Actions. */
type Closed = 'ended' | 'aside'

/** For that long the webhook of something that was just made may still be on its way. */
const ON_ITS_WAY_MS = 2 * 60_000

const OVERTAKEN = 'Not deployed: it was missed, and GitHub has a newer one that has ended since.'

/**
 * Finds the deployments that GitHub holds without a final status and that never came here. They are decided and
 * recorded just like their webhooks; those that are here already cost nothing but the list.
 */
export function createMissedDeployments(parts: MissedDeploymentsParts): MissedDeployments {
  const { store, clock, journal } = parts
  const startedAt = wholeSeconds(clock())
  let memories = new Map<string, Memory>()

  async function lookAt(repository: RepositoryConfig): Promise<number | undefined> {
    const key = repository.name.toLowerCase()
    const kept = memories // and not those of a start over meanwhile
    const before = kept.get(key)
    const since = Math.min(...[...repository.environments.keys()].map((name) => sinceOf(`${key}/${name}`)))
    const recent = await parts.github().recentDeployments(repository.name, { since, tag: before?.tag })
    if (recent === undefined) return undefined
    const known = await store.known(recent.deployments.map(({ githubId }) => githubId))
    const unknown = recent.deployments.filter(
      ({ githubId, environment, createdAt }) =>
        !known.has(githubId) &&
        repository.environments.has(environment.toLowerCase()) &&
        createdAt >= sinceOf(`${key}/${environment.toLowerCase()}`),
    )
    const young = unknown.filter(({ createdAt }) => isOnItsWay(createdAt))
    const { open, closed } = await sort(
      unknown.filter((one) => !young.includes(one)),
      { repository, closed: before?.closed ?? new Map() },
    )
    for (const { delivery, body, overtaken } of open.toReversed())
      await parts.take(delivery, body, { overtaken })
    kept.set(key, { tag: young.length === 0 ? recent.tag : undefined, closed })
    return young.length === 0
      ? undefined
      : Math.min(...young.map(({ createdAt }) => createdAt + ON_ITS_WAY_MS))
  }

  const sinceOf = (place: string): number =>
    wholeSeconds(Math.max(parts.configuredSince(place) ?? Infinity, clock() - parts.maxAgeMs()))

  const isOnItsWay = (createdAt: number): boolean =>
    createdAt >= startedAt && clock() - createdAt < ON_ITS_WAY_MS

  /** What is to be taken up, newest first, and what is closed. */
  async function sort(
    unknown: readonly ListedDeployment[],
    { repository, closed: before }: Pick<Memory, 'closed'> & { readonly repository: RepositoryConfig },
  ): Promise<{ readonly open: readonly Taking[]; readonly closed: Memory['closed'] }> {
    const open: Taking[] = []
    const closed = new Map<number, Closed>()
    const endedIn = new Set<string>()
    const facts = unknown.length === 0 ? undefined : await factsOf(repository)
    for (const listed of unknown) {
      const missed = facts && readOrSay(listed, facts, listed.byActions)
      if (missed === undefined || !parts.concerns(missed.signal)) continue
      const judged = before.get(listed.githubId) ?? (await judge(listed, missed, repository))
      const line = `${listed.environment.toLowerCase()} ${listed.task}`
      if (judged === 'ended') endedIn.add(line)
      if (judged === 'ended' || judged === 'aside') closed.set(listed.githubId, judged)
      if (judged === 'open') open.push({ ...missed, overtaken: endedIn.has(line) ? OVERTAKEN : undefined })
    }
    return { open, closed }
  }

  async function judge(
    listed: ListedDeployment,
    { facts }: Missed,
    { name }: RepositoryConfig,
  ): Promise<Closed | 'open' | 'unknown'> {
    const { stands, byActions } = await parts.github().progress(name, listed.githubId)
    const asItIs = byActions ? readOrSay(listed, facts, true) : undefined
    if (byActions && (asItIs === undefined || !parts.concerns(asItIs.signal))) return 'aside'
    return stands === 'withdrawn' ? 'aside' : stands
  }

  /** A token for deployments only may not see the repository, which can then be no public one. */
  async function factsOf({ name }: RepositoryConfig): Promise<Facts> {
    const facts = await parts.github().repository(name)
    return facts ?? { name, githubId: parts.githubIdOf(name.toLowerCase()) ?? 0, isPrivate: true }
  }

  function readOrSay(listed: ListedDeployment, facts: Facts, byActions: boolean): Missed | undefined {
    try {
      return readMissed(listed, { facts, byActions, at: clock() })
    } catch (thrown) {
      journal.warn('catch-up:unreadable', { github_id: listed.githubId, error: messageOf(thrown) })
      return undefined
    }
  }

  return {
    lookAt,
    forget() {
      memories = new Map()
    },
  }
}

type Facts = Pick<RepositoryFacts, 'name' | 'githubId' | 'isPrivate'>

interface Missed extends Fetched {
  readonly signal: DeploymentSignal
  readonly facts: Facts
}

interface Taking extends Missed {
  readonly overtaken: string | undefined
}

/** The delivery that should have come; its GUID and a header say that it was fetched. */
function readMissed(
  { githubId, given }: ListedDeployment,
  { facts, byActions, at }: { readonly facts: Facts; readonly byActions: boolean; readonly at: number },
): Missed {
  const event = {
    action: 'created',
    deployment: given,
    repository: { id: facts.githubId, full_name: facts.name, private: facts.isPrivate },
    sender: given['creator'] ?? null,
    workflow_run: byActions ? {} : null,
  }
  const fetched = fetchedDelivery(event, { id: String(githubId), event: 'deployment', at })
  const reading = readSignal('deployment', fetched.body, { isFetched: true })
  if (!('signal' in reading) || reading.signal.kind !== 'deployment') throw new Error('it is no deployment')
  return { ...fetched, signal: reading.signal, facts }
}
