import { z } from 'zod'

import type { RepositoryConfig } from '../config/config.ts'
import { GitHubError, type GitHub, type ListedDelivery } from '../github/github.ts'
import { wholeSeconds } from '../github/times.ts'
import type { Journal } from '../logs/journal.ts'
import type { Hook, NewDelivery, Store } from '../store/store.ts'
import { speaksOfBranch } from './signals.ts'

export interface MissedDeliveriesParts {
  github(): GitHub
  readonly store: { readonly hooks: Store['hooks'] }
  repositories(): Iterable<RepositoryConfig>
  /** Since when a place, `owner/name/environment` in lower case, is configured: what was sent before is not ours. */
  configuredSince(place: string): number | undefined
  /** What is older is left alone. */
  maxAgeMs(): number
  /** GitHub's id of a repository, by its name in the configuration, where it has been heard of. */
  githubIdOf(configuredAs: string): number | undefined
  /** What a repository of GitHub's is called in the configuration; undefined where it is not there. */
  configuredName(repository: { readonly name: string; readonly githubId: number }): string | undefined
  /** Resolves a moment later: GitHub wants writing requests to be a second apart. */
  pause(): Promise<unknown>
  readonly clock: () => number
  readonly journal: Journal
}

export interface MissedDeliveries {
  /** Notes the hook that a signed delivery came from. */
  heard(delivery: Pick<NewDelivery, 'headers'>, body: unknown): Promise<void>
  /** Hooks of what is configured. */
  hooks(): Promise<readonly Hook[]>
  /** Asks GitHub for what it could not deliver; answers when to look again at the latest, where it is soon. */
  lookAt(hook: Hook): Promise<number | undefined>
  /** Everything may be different now: looks at all of it anew. */
  forget(): void
}

interface Memory {
  readonly tag: string | undefined
  /** The newest attempt that was read. */
  readonly upTo: string | undefined
  /** What was sent, by GUID. */
  readonly sent: ReadonlyMap<string, Sent>
}

interface Sent {
  readonly guid: string
  /** When it was tried first. */
  readonly at: number
  /** Of the newest attempt. */
  readonly id: string
  readonly isTaken: boolean
}

/** https://docs.github.com/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks */
const WINDOW_MS = 3 * 24 * 60 * 60_000
const ASK_AGAIN_MS = 6 * 60 * 60_000
const MOST_AT_ONCE = 20
const SOON_MS = 60_000

/**
 * Asks GitHub to send again the merges and pushes that it could not deliver. They come as any delivery does.
 * Deployments are looked for themselves, and checks are asked for by whatever waits for them.
 */
export function createMissedDeliveries(parts: MissedDeliveriesParts): MissedDeliveries {
  const { store, clock, journal } = parts
  const known = new Map<number, string>()
  let memories = new Map<number, Memory>()

  async function lookAt(hook: Hook): Promise<number | undefined> {
    const kept = memories // and not those of a start over meanwhile
    const memory = await read(hook, kept.get(hook.id) ?? { tag: undefined, upTo: undefined, sent: new Map() })
    kept.set(hook.id, memory)
    const missed = [...memory.sent.values()].filter(({ isTaken }) => !isTaken)
    if (missed.length === 0) return undefined
    const asked = await store.hooks.askedAfter(hook.id, clock() - ASK_AGAIN_MS)
    const due = missed.filter(({ guid }) => !asked.has(guid)).toSorted((one, other) => one.at - other.at)
    for (const [index, one] of due.slice(0, MOST_AT_ONCE).entries()) {
      if (index > 0) await parts.pause()
      await askFor(hook, one)
    }
    return due.length > MOST_AT_ONCE ? clock() + SOON_MS : undefined
  }

  /** What was sent within the time that counts, by what is known already and what is new. */
  async function read(hook: Hook, { tag, upTo, sent }: Memory): Promise<Memory> {
    const isOurs = filterFor(hook)
    const since = clock() - Math.min(WINDOW_MS, parts.maxAgeMs())
    const recent = await parts.github().recentDeliveries(hook, { since, upTo, tag })
    const all = new Map([...sent].filter(([, { at }]) => at >= since))
    if (recent === undefined) return { tag, upTo, sent: all }
    if (recent.isCut) journal.warn('catch-up:too-many-deliveries', { hook: hook.id, place: hook.place })
    for (const one of recent.deliveries.toReversed())
      if (one.at >= since && isOurs(one)) all.set(one.guid, joined(all.get(one.guid), one))
    return { tag: recent.tag, upTo: recent.deliveries[0]?.id ?? upTo, sent: all }
  }

  /** It is written down first: a crash leads to no second time. */
  async function askFor({ id, kind, place }: Hook, { guid, id: deliveryId }: Sent): Promise<void> {
    await store.hooks.asking(id, guid, clock())
    try {
      await parts.github().redeliver({ id, kind, place }, deliveryId)
    } catch (thrown) {
      if (thrown instanceof GitHubError && thrown.status !== undefined && thrown.status < 500)
        await store.hooks.notAsked(id, guid)
      throw thrown
    }
    journal.info('catch-up:asked-again', { delivery: guid, place })
  }

  /** Whether a delivery may deploy something of what is configured, and was not before that. */
  function filterFor({ kind, place }: Hook): (one: ListedDelivery) => boolean {
    const all = [...parts.repositories()].map((repository) => {
      const name = repository.name.toLowerCase()
      const own = [...repository.environments].filter(([, { deployOn }]) => deployOn !== 'none')
      const since = Math.min(...own.map(([key]) => parts.configuredSince(`${name}/${key}`) ?? Infinity))
      return { name, since: wholeSeconds(since), githubId: parts.githubIdOf(name) }
    })
    return ({ event, action, at, repositoryGithubId }) =>
      speaksOfBranch(event, action) &&
      all.some(
        ({ name, since, githubId }) =>
          at >= since &&
          (kind === 'repository'
            ? name === place.toLowerCase()
            : githubId !== undefined && githubId === repositoryGithubId),
      )
  }

  return {
    async heard({ headers }, body) {
      const hook = hookOf(headers, body, parts)
      if (hook === undefined || known.get(hook.id) === hook.place) return
      known.set(hook.id, hook.place)
      await store.hooks.heard(hook)
    },
    async hooks() {
      const names = [...parts.repositories()].map(({ name }) => name.toLowerCase())
      const ours: Readonly<Record<Hook['kind'], readonly (string | undefined)[]>> = {
        repository: names,
        organization: names.map((name) => name.split('/')[0]),
        app: [parts.github().app?.id], // only the App itself may ask
      }
      return (await store.hooks.all()).filter(({ kind, place }) => ours[kind].includes(place.toLowerCase()))
    },
    lookAt,
    forget() {
      memories = new Map()
    },
  }
}

const joined = (before: Sent | undefined, { guid, at, id, isTaken }: ListedDelivery): Sent => ({
  guid,
  at: Math.min(before?.at ?? at, at),
  id,
  isTaken: isTaken || (before?.isTaken ?? false),
})

const Source = z.object({ repository: z.object({ id: z.int(), full_name: z.string() }) })

/** The hook that a delivery says it is from. The body was signed; these headers are GitHub's word only. */
function hookOf(
  headers: NewDelivery['headers'],
  body: unknown,
  { configuredName }: Pick<MissedDeliveriesParts, 'configuredName'>,
): Hook | undefined {
  const id = Number(headers['x-github-hook-id'])
  const { data: source } = Source.safeParse(body)
  if (!Number.isSafeInteger(id) || id <= 0 || source === undefined) return undefined
  const { full_name: fullName, id: githubId } = source.repository
  const name = configuredName({ name: fullName, githubId })
  if (name === undefined) return undefined
  const kind = headers['x-github-hook-installation-target-type']
  const target = String(headers['x-github-hook-installation-target-id'])
  if (kind === 'integration' && /^\d{1,16}$/.test(target)) return { id, kind: 'app', place: target }
  if (kind === 'repository') return { id, kind, place: name }
  if (kind === 'organization') return { id, kind, place: fullName.split('/')[0] ?? '' }
  return undefined
}
