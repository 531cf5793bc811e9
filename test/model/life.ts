import { randomUUID } from 'node:crypto'

import type { Config } from '../../src/config/config.ts'
import { approve, type Approved } from '../../src/decide/approve.ts'
import { createElapsed } from '../../src/decide/elapsed.ts'
import { force } from '../../src/decide/force.ts'
import { createGate, withChecks } from '../../src/decide/gates.ts'
import { createHistory } from '../../src/decide/history.ts'
import { look, type LookParts } from '../../src/decide/look.ts'
import { bindLoose } from '../../src/decide/loose.ts'
import { placeOf, type Deployment } from '../../src/deployment/deployment.ts'
import { createGitHub } from '../../src/github/client.ts'
import { createGitHubPace } from '../../src/github/pace.ts'
import { takeDelivery, type Parts } from '../../src/pipeline.ts'
import { cancel } from '../../src/queue/cancel.ts'
import { recover } from '../../src/queue/recovery.ts'
import { startWorker, type Ending, type Interruption } from '../../src/queue/worker.ts'
import { createGroupCommit } from '../../src/store/group-commit.ts'
import type { WebhookAnswer } from '../../src/receive/webhook.ts'
import { forcedReportsFor, reportsFor, type ReportContext } from '../../src/report/reports.ts'
import { isOfOneRow } from '../../src/store/database.ts'
import type { ReportsFor, Store } from '../../src/store/store.ts'
import { takeWish, type Granted, type Wish } from '../../src/wish.ts'
import { newDelivery } from '../support/samples.ts'
import { mortal, type Death } from './mortal.ts'

export interface LifeParts {
  readonly store: Store
  readonly config: Config
  readonly githubUrl: string
  readonly clock: () => number
  /** A run begins. */
  begun(deployment: Deployment): void
}

/** How a run is to end: as its commands did, or as whoever cancelled it wants it. */
type RunEnd = 'well' | 'badly'

/** What looks of the holds know: that something has happened, that only those checks have moved, or nothing. */
type Looking = { readonly moved?: ReadonlySet<string>; readonly isQuiet?: boolean }

/** All parts of one life of the server, each step of which is made when it is asked for. */
export interface Life {
  readonly death: Death
  readonly store: Store
  /** What runs. */
  readonly running: ReadonlyMap<number, unknown>
  take(event: string, payload: object, guid?: string): Promise<WebhookAnswer>
  wish(wish: Wish): Promise<Granted>
  look(looking?: Looking): Promise<void>
  /** Lets the worker take what it can. */
  claim(): Promise<void>
  cancel(id: number): Promise<unknown>
  force(id: number): Promise<unknown>
  approve(id: number, by: string): Promise<Approved>
  end(id: number, how: RunEnd): Promise<void>
}

const journal = { info() {}, warn() {}, error() {} }
const CONTEXT: ReportContext = {
  logUrl: () => undefined,
  mask: (text) => text,
  slack: () => undefined,
  hasCommitStatus: () => false,
  githubUrl: 'https://github.com',
}
const reports: ReportsFor = (deployment, streak) => reportsFor(deployment, streak, CONTEXT)
const forcedReports: ReportsFor = (deployment, streak) => forcedReportsFor(deployment, streak, CONTEXT)

/** Begins a life on what an earlier one has left in the store, as a start does. */
export async function beginLife({ config, clock, begun, ...given }: LifeParts): Promise<Life> {
  const { parts: store, death } = mortal(given.store)
  const client = createGitHub({
    token: 'robot-token',
    apiUrl: given.githubUrl,
    version: 'test',
    clock,
    signal: death.signal,
  })
  const github = () => client
  const environmentOf = ({ configuredAs, environment }: Deployment) =>
    config.repositories.get(configuredAs)?.environments.get(environment.toLowerCase())
  const gate = createGate(environmentOf)
  const pace = createGitHubPace(480)
  const lookParts: LookParts = {
    store,
    gate,
    github,
    environmentOf,
    history: createHistory(github),
    elapsed: createElapsed({ clock, steady: clock }),
    isSightOwed: () => false,
    pace: () => pace,
    reports,
    mask: (text) => text,
    clock,
    journal,
    moved() {},
  }
  const wakes = { wake() {}, lockMoved() {}, checksMoved: () => [] }
  const newNonce = (): string => randomUUID().replaceAll('-', '')
  const pipeline: Parts = {
    ...wakes,
    config: () => config,
    knownAs: new Map(),
    record: createGroupCommit((intakes) => worker.accept(intakes), { isOfOneItem: isOfOneRow }),
    reports,
    mask: (text) => text,
    newNonce,
    logUrl: String,
    journal,
  }

  const { isLeft } = await recover({
    store,
    begun: [],
    logSize: async () => 0,
    noteInLog: async () => {},
    endLeftovers: () => Promise.resolve({ left: undefined }),
    reports,
    reportsWith: () => reports,
    clock,
    journal,
    freed() {},
  })

  const running = new Map<number, (ending: Ending) => void>()
  const cancelled = new Map<number, Interruption>()
  const ended = new Map<number, () => void>()
  let claims = 0
  let wanted: { readonly after: number; readonly resolve: () => void } | undefined
  const watched: Store = new Proxy(store, {
    get(target, key) {
      if (key === 'claim')
        return async (options: Parameters<Store['claim']>[0]) => {
          const claim = (claims += 1)
          const claimed = await target.claim(options)
          if (claimed.deployment === undefined && claim > (wanted?.after ?? claim)) wanted?.resolve()
          return claimed
        }
      if (key === 'move')
        return async (...move: Parameters<Store['move']>) => {
          const moved = await target.move(...move)
          if (moved?.finishedAt !== undefined) ended.get(moved.id)?.()
          return moved
        }
      return Reflect.get(target, key) as unknown
    },
  })
  const worker = startWorker({
    store: watched,
    limit: () => 10,
    reports,
    gate: withChecks(gate, environmentOf),
    isLeft,
    held() {},
    prepare: () => {
      const process = { runId: randomUUID(), group: 1, bootId: 'b', startTicks: '1' }
      let isWritten = true
      return {
        process,
        giveBack: () => void (isWritten = false),
        discard() {},
        async run(deployment, { end }) {
          begun(deployment)
          const ending = Promise.withResolvers<Ending>()
          running.set(deployment.id, ending.resolve)
          const hear = (): void => void cancelled.set(deployment.id, end.reason as Interruption)
          if (end.aborted) hear()
          else end.addEventListener('abort', hear)
          if (!isWritten) await store.recordProcess(deployment.id, process)
          return ending.promise
        },
      }
    },
    clock,
    journal,
    mask: (text) => text,
    moved() {},
  })
  void death.over.then(() => worker.stop(0)) // its timer would go on

  const claim = (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    wanted = { after: claims, resolve }
    worker.wake()
    return promise
  }
  await claim()
  return {
    death,
    store,
    running,
    async take(event, payload, guid = randomUUID()) {
      const body = Buffer.from(JSON.stringify(payload))
      const action: unknown = Reflect.get(payload, 'action')
      const delivery = newDelivery({ event, guid, body, receivedAt: clock() })
      return takeDelivery(
        { ...delivery, action: typeof action === 'string' ? action : undefined },
        JSON.parse(body.toString()),
        pipeline,
      )
    },
    wish: (wish) =>
      takeWish(wish, {
        ...pipeline,
        store,
        github,
        askSource: () => Promise.reject(new Error('All is at GitHub.')),
        forcedReports,
        clock,
        newNonce,
      }),
    async look({ moved, isQuiet = false } = {}) {
      for (const waiting of Map.groupBy(await store.waiting(), placeOf).values())
        if (waiting.some(({ hold }) => hold !== undefined))
          await look({ waiting, failures: 0, moved, isQuiet }, lookParts)
    },
    claim,
    cancel: (id) =>
      cancel(
        id,
        { by: 'mona' },
        {
          store,
          interrupt: worker.interrupt,
          ended: (deployment) => bindLoose(deployment, { store, github, reports, clock }),
          mask: (text) => text,
          reports,
          clock,
          journal,
          moved() {},
        },
      ),
    force: (id) =>
      force(
        id,
        { by: 'mona', reason: 'urgent' },
        { store, environmentOf, mask: (text) => text, reports: forcedReports, clock, journal, forced() {} },
      ),
    approve: (id, by) =>
      approve(id, by, { store, gate, github, environmentOf, clock, journal, decided() {} }),
    async end(id, how) {
      const { promise, resolve } = Promise.withResolvers<void>()
      ended.set(id, resolve)
      const why = cancelled.get(id)
      running.get(id)?.(
        how === 'well'
          ? { state: 'succeeded', tookMs: 0, reports }
          : why === undefined
            ? { state: 'failed', tookMs: 0, reason: 'command_failed', detail: 'false failed', reports }
            : { state: 'cancelled', tookMs: 0, reason: 'by_person', detail: why.detail, reports },
      )
      running.delete(id)
      await promise
      await claim()
    },
  }
}
