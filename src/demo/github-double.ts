import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'

import { createChronicle } from './chronicle.ts'
import { createFaults, type Faults } from './faults.ts'
import { createActivity, type Activity } from './github/activity.ts'
import { accountRoutes } from './github/account.ts'
import type { Answer } from './github/answers.ts'
import { appRoutes } from './github/apps.ts'
import { commitRoutes } from './github/commits.ts'
import { compareRoutes } from './github/compare.ts'
import { createDeliverer, type Delivered, type Envelope } from './github/delivery.ts'
import { deploymentStatusRoutes } from './github/deployment-statuses.ts'
import { create, deploymentRoutes } from './github/deployments.ts'
import { createEvents, type Events } from './github/events.ts'
import {
  describeExchange,
  incomingOf,
  openExchange,
  send,
  type Exchange,
  type Open,
} from './github/exchange.ts'
import { gistRoutes } from './github/gists.ts'
import { hookRoutes } from './github/hooks.ts'
import { pullRequestRoutes } from './github/pull-requests.ts'
import { refRoutes } from './github/refs.ts'
import { createRateLimits } from './github/rate-limits.ts'
import { respond } from './github/respond.ts'
import { findRoute, type Announcement, type Outcome } from './github/routes.ts'
import {
  userCalled,
  type Deployment,
  type DeploymentStatus,
  type Gist,
  type Hook,
  type HookDelivery,
  type Repository,
} from './github/state.ts'
import { createState, createWorld, known, type World } from './github/world.ts'
import { bodyOf, listenOnLoopback } from './loopback.ts'

export type { Exchange } from './github/exchange.ts'

export interface GitHubDoubleOptions {
  /** 0 takes a free one. */
  readonly port?: number
  /** Path in front of the API: `/api/v3` makes it look like GitHub Enterprise Server. */
  readonly root?: string
  readonly clock?: () => number
  readonly newGuid?: () => string
}

/** When a new deployment's webhook is sent, seen from the answer to who made it. */
type Timing = 'before' | 'after' | 'without'

/** A GitHub on this machine: strict where GitHub is, and scriptable where GitHub is unreliable. */
export interface GitHubDouble extends World, Activity, Pick<Faults<Exchange>, 'fail' | 'hold' | 'mend'> {
  /** The API's address, without a slash at the end. */
  readonly url: string
  /** Builders of webhook payloads. */
  readonly events: Events
  /** Every request, in the order of arrival. */
  readonly requests: readonly Exchange[]
  /** Requests for which there is no route. */
  readonly unexpected: readonly Exchange[]
  /** Resolves with the first request that fits and has been dealt with, past or future. */
  waitFor(fits: (exchange: Exchange) => boolean, withinMs?: number): Promise<Exchange>
  /** Hears of every request once it has been dealt with, before the client does. */
  onExchange(listener: (exchange: Exchange) => void): () => void
  /** Oldest first. */
  statusesOf(deploymentId: number): readonly DeploymentStatus[]
  /** All of them, oldest first. */
  readonly gists: readonly Gist[]
  /** What is left of a user's hourly budget. */
  setRateLimit(login: string, left: { readonly remaining: number; readonly resetAt: number }): void
  /** `after` the answer until it is said otherwise. */
  setWebhookTiming(timing: Timing): void
  /** Makes a deployment as the API would, and waits until the hooks have heard of it. */
  createDeployment(repository: string, body: object, by?: string): Promise<Made>
  /** Sends a signed event to the hook, or to the only one there is. */
  deliver(event: string, payload: unknown, to?: Envelope & { readonly hook?: Hook }): Promise<Delivered>
  /** Everything that was sent to hooks, oldest first. */
  readonly deliveries: readonly HookDelivery[]
  /** Sends the last delivery of that GUID once more, byte for byte. */
  redeliver(guid: string): Promise<Delivered>
  /** Resolves when no webhook is under way. */
  idle(): Promise<void>
  readonly close: () => Promise<void>
}

interface Made {
  readonly deployment: Deployment
  readonly deliveries: readonly Delivered[]
}

/** Starts GitHub's double on loopback. It knows nothing until a repository and a token are added. */
export async function startGitHubDouble(options: GitHubDoubleOptions = {}): Promise<GitHubDouble> {
  const { port = 0, root = '', clock = Date.now, newGuid = randomUUID } = options
  const arrived: Exchange[] = []
  const settled = createChronicle('request to GitHub', describeExchange)
  const faults = createFaults<Exchange>(() => createChronicle('held request', describeExchange))
  const server = await listenOnLoopback(port, exchange)
  const state = createState(`${server.origin}${root}`, clock)
  const deliverer = createDeliverer(state, newGuid)
  const limits = createRateLimits(clock)
  const routes = [
    ...accountRoutes(limits),
    ...appRoutes,
    ...deploymentRoutes,
    ...deploymentStatusRoutes,
    ...hookRoutes(deliverer),
    ...refRoutes,
    ...pullRequestRoutes,
    ...commitRoutes,
    ...compareRoutes,
    ...gistRoutes,
  ]
  const answering = new Set<Promise<void>>()
  let timing: Timing = 'after'

  async function exchange(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const incoming = incomingOf(request, await bodyOf(request), root)
    const open = openExchange(
      incoming,
      clock(),
      findRoute(routes, incoming.method, incoming.path) === undefined,
    )
    arrived.push(open)
    const fault = faults.next(open)
    await faults.gate(open, open, 'doing')
    if (fault === 'hang') return settle(open, { lost: 'hang' })
    if (fault === 'reset') return lose(open, request)
    if (typeof fault === 'object') return reply(open, response, fault, true)
    const outcome = await respond({ state, routes, limits }, incoming)
    const tell = () => (fault === undefined ? reply(open, response, outcome, false) : lose(open, request))
    const done = tellEverybody(open, outcome, tell)
    answering.add(done)
    await done.finally(() => answering.delete(done))
  }

  /** The client and the hooks, in the order that was scripted. */
  async function tellEverybody(
    open: Exchange,
    { announces = [] }: Outcome,
    tell: () => unknown,
  ): Promise<void> {
    const scripted = announces.filter(({ event }) => event === 'deployment')
    const early = timing === 'before' ? scripted : []
    const late = announces.filter((one) => !scripted.includes(one) || timing === 'after')
    await announce(early)
    await faults.gate(open, open, 'answer')
    await tell()
    await announce(late)
  }

  function reply(open: Open, response: ServerResponse, given: Answer, isScripted: boolean): Promise<void> {
    const answer = { status: given.status, headers: given.headers ?? {}, body: given.body }
    settle(open, { answer, isScripted })
    return send(response, answer)
  }

  function lose(open: Open, request: IncomingMessage): void {
    settle(open, { lost: 'reset' })
    request.socket.resetAndDestroy()
  }

  function settle(open: Open, end: Partial<Exchange>): void {
    settled.add(Object.assign(open, end))
  }

  function announce(announcements: readonly Announcement[]): Promise<Delivered[]> {
    const sending = announcements.flatMap(({ event, repository, payload }) =>
      repository.hooks
        .filter(({ events }) => events.includes(event) || events.includes('*'))
        .map((hook) => deliverer.deliver(hook, event, payload)),
    )
    return Promise.all(sending)
  }

  const all = <Key extends 'hooks' | 'deployments'>(key: Key) =>
    [...new Set(state.repositories.values())].flatMap(
      (repository): readonly Repository[Key][number][] => repository[key],
    )

  return {
    ...createWorld(state),
    ...createActivity(state, announce),
    url: state.url,
    events: createEvents(state),
    requests: arrived,
    get unexpected() {
      return arrived.filter(({ isUnexpected }) => isUnexpected)
    },
    waitFor: settled.waitFor,
    onExchange: settled.listen,
    fail: faults.fail,
    hold: faults.hold,
    mend: faults.mend,
    statusesOf: (deploymentId) => all('deployments').find(({ id }) => id === deploymentId)?.statuses ?? [],
    get gists() {
      return [...state.gists.values()]
    },
    setRateLimit(login, { remaining, resetAt }) {
      const user = userCalled(state, login)
      limits.set(user, { remaining, reset: Math.ceil(resetAt / 1000) })
    },
    setWebhookTiming(next) {
      timing = next
    },
    async createDeployment(name, body, by = 'mona') {
      const repository = known(state, name)
      const creator = { user: userCalled(state, by), byApp: false }
      const { announces = [] } = create(state, repository, JSON.stringify(body), creator)
      const deployment = repository.deployments.at(-1)
      if (deployment === undefined) throw new Error(`No deployment of ${name} was made`)
      return { deployment, deliveries: timing === 'without' ? [] : await announce(announces) }
    },
    deliver(event, payload, { hook = only(all('hooks')), ...envelope } = {}) {
      return deliverer.deliver(hook, event, payload, envelope)
    },
    get deliveries() {
      return all('hooks')
        .flatMap(({ deliveries }) => deliveries)
        .toSorted((a, b) => a.id - b.id)
    },
    redeliver(guid) {
      for (const hook of all('hooks')) {
        const earlier = hook.deliveries.findLast((delivery) => delivery.guid === guid)
        if (earlier !== undefined) return deliverer.redeliver(hook, earlier)
      }
      throw new Error(`The double of GitHub sent no delivery ${guid}`)
    },
    async idle() {
      await Promise.allSettled(answering)
      await deliverer.idle()
    },
    async close() {
      settled.close()
      await deliverer.close()
      await server.close()
    },
  }
}

function only(hooks: readonly Hook[]): Hook {
  const [hook] = hooks
  if (hook === undefined || hooks.length > 1)
    throw new Error(`Say which hook: the double has ${hooks.length}`)
  return hook
}
