import { z } from 'zod'

import { read } from './answers.ts'
import { GitHubError, type HookPlace, type ListedDelivery, type RecentDeliveries } from './github.ts'
import type { Answer, Common, Requests } from './requests.ts'

const PER_PAGE = 100
const MOST_PAGES = 30

// The ids have outgrown numbers: octokit reads the large ones as BigInt.
const Delivery = z
  .object({
    id: z.union([z.int().positive(), z.bigint().positive()]),
    guid: z.string().max(100),
    delivered_at: z.iso.datetime({ offset: true }),
    status: z.string(),
    event: z.string(),
    action: z.string().nullish(),
    repository_id: z.union([z.int(), z.bigint()]).nullish(),
  })
  .transform((given): ListedDelivery => ({
    id: String(given.id),
    guid: given.guid,
    at: Date.parse(given.delivered_at),
    isTaken: given.status === 'OK',
    event: given.event,
    action: given.action ?? undefined,
    repositoryGithubId: Number(given.repository_id ?? 0) || undefined,
  }))

/** One of a shape that we do not know is none that we could ask for again. */
const Deliveries = z
  .array(z.unknown())
  .transform((all) => all.flatMap((one) => Delivery.safeParse(one).data ?? []))

/** `GitHub.recentDeliveries`. The pages of this list are named by a cursor. */
export async function recentDeliveries(
  { ask, request }: Pick<Requests, 'ask' | 'request'>,
  hook: HookPlace,
  { since, upTo, tag }: Parameters<typeof isEnough>[1] & { readonly tag: string | undefined },
): Promise<RecentDeliveries | undefined> {
  const deliveries: ListedDelivery[] = []
  let first: Answer | undefined
  let cursor: string | undefined
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const headers = first === undefined && tag !== undefined ? { 'if-none-match': tag } : {}
    const answer = await unlessUnchanged(
      ask((common) =>
        request(`GET ${addressOf(hook)}/deliveries`, {
          ...parametersOf(hook),
          ...(cursor === undefined ? {} : { cursor }),
          per_page: PER_PAGE,
          ...common,
          headers: { ...common.headers, ...headers },
        }),
      ),
    )
    if (answer === undefined) return undefined
    first ??= answer
    const page = read(answer, Deliveries, { what: 'deliveries' })
    deliveries.push(...page)
    cursor = nextIn(answer)
    if (cursor === undefined || isEnough(page, { since, upTo }))
      return { tag: tagOf(first), deliveries, isCut: false }
  }
  return { tag: tagOf(first), deliveries, isCut: true }
}

/** `GitHub.redeliver`. */
export async function redeliver(
  { ask, request }: Pick<Requests, 'ask' | 'request'>,
  hook: HookPlace,
  deliveryId: string,
): Promise<void> {
  const { status } = await ask((common: Common) =>
    request(`POST ${addressOf(hook)}/deliveries/{delivery_id}/attempts`, {
      ...parametersOf(hook),
      delivery_id: deliveryId,
      ...common,
    }),
  )
  // A page of a proxy, say, has asked for nothing.
  if (status !== 202)
    throw new GitHubError(`GitHub answered ${status}, but not that it delivers again`, status, {}, undefined)
}

const isEnough = (
  page: readonly ListedDelivery[],
  { since, upTo }: { readonly since: number; readonly upTo: string | undefined },
): boolean => page.some(({ id, at }) => id === upTo || at < since)

const ADDRESSES = {
  repository: '/repos/{owner}/{repo}/hooks/{hook_id}',
  organization: '/orgs/{org}/hooks/{hook_id}',
  app: '/app/hook',
} as const satisfies Record<HookPlace['kind'], string>

const addressOf = ({ kind }: HookPlace): string => ADDRESSES[kind]

function parametersOf({ id, kind, place }: HookPlace): Readonly<Record<string, unknown>> {
  if (kind === 'app') return {} // it has one hook only
  const [owner, repo] = place.split('/')
  return { hook_id: id, ...(kind === 'repository' ? { owner, repo } : { org: owner }) }
}

const nextIn = ({ headers }: Answer): string | undefined => {
  const [, address = ''] = /<([^>]*)>; rel="next"/.exec(String(headers['link'])) ?? []
  return URL.parse(address)?.searchParams.get('cursor') || undefined
}

const tagOf = (answer: Answer | undefined): string | undefined => {
  const tag = answer?.headers['etag']
  return tag === undefined ? undefined : String(tag)
}

async function unlessUnchanged(asking: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await asking
  } catch (thrown) {
    if (thrown instanceof GitHubError && thrown.status === 304) return undefined
    throw thrown
  }
}
