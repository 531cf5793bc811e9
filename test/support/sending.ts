import { setImmediate } from 'node:timers/promises'

import { onTestFinished } from 'vitest'

import type { Config, SlackNotices } from '../../src/config/config.ts'
import type { Deployment } from '../../src/deployment/deployment.ts'
import type { GitHubDouble } from '../../src/demo/github-double.ts'
import { createGitHub } from '../../src/github/client.ts'
import { createGitHubPace, resumedGitHubPace } from '../../src/github/pace.ts'
import { createMasker } from '../../src/logs/redact.ts'
import { githubChannel } from '../../src/report/github-channel.ts'
import { startOutbox, type OutboxParts, type OutboxSender, type Recipient } from '../../src/report/outbox.ts'
import { reportsFor } from '../../src/report/reports.ts'
import { createSlackRecipients, noticesOn } from '../../src/report/slack-recipients.ts'
import type { SlackDouble } from '../../src/demo/slack-double.ts'
import { openStore } from '../../src/store/sql-store.ts'
import type { ReportsFor, Store } from '../../src/store/store.ts'
import { githubForTest, slackForTest } from './doubles.ts'
import { environmentConfig, newDeployment, queuedIntake, slackNotices } from './samples.ts'
import { emptyDatabase } from './stores.ts'
import { claimFrom } from './claiming.ts'

const TOKEN = 'mona-token'

export interface Sending {
  readonly github: GitHubDouble
  readonly slack: SlackDouble
  readonly store: Store
  readonly journal: readonly string[]
  /** What a move owes. */
  readonly reports: ReportsFor
  /** Owes what a new deployment of the repository owes; `name` is `acme/shop`. */
  queue(name: string, count?: number): Promise<readonly Deployment[]>
  /** From now on Slack is told so of the production of these repositories; undefined: nothing. */
  tellOf(repositories: Readonly<Record<string, SlackNotices | undefined>>): void
  /** Takes it to its end, with what that owes. */
  finish(deployment: Deployment): Promise<void>
  /** `time`: the simulation that it lives in. */
  start(given?: Partial<OutboxParts> & { readonly time?: Time }): OutboxSender
  /** Forgets what GitHub was given, but for what the store knows, as a restart does. */
  resume(): Promise<void>
  /** The states that GitHub was told, oldest first. */
  told(deployment: Deployment): readonly string[]
}

export interface SendingOptions {
  readonly clock?: () => number
  readonly timeoutMs?: number
  /** Whether Slack is told of everything, at the double's first address. */
  readonly slack?: boolean
}

/** A store full of deployments, doubles of GitHub and Slack, and a sender between them, started by the test. */
export async function sending({
  clock = Date.now,
  timeoutMs = 5_000,
  slack: withSlack = false,
}: SendingOptions = {}): Promise<Sending> {
  const github = await githubForTest({ clock })
  github.addToken(TOKEN, { type: 'classic', login: 'mona', scopes: ['repo'] })
  const slack = await slackForTest()
  const database = await emptyDatabase.sqlite()
  const store = await openStore(database.address)
  const senders: OutboxSender[] = []
  onTestFinished(async () => {
    for (const sender of senders) await sender.stop(0)
    await store.close()
    await database.drop()
  })
  const journal: string[] = []
  const write = (event: string, fields: object = {}): void =>
    void journal.push(`${event} ${JSON.stringify(fields)}`)
  const masker = createMasker([])
  const slackEverywhere = withSlack ? slackNotices({ webhookUrl: slack.url }) : undefined
  let config: Pick<Config, 'slack' | 'repositories'> = { slack: slackEverywhere, repositories: new Map() }
  const context = {
    logUrl: () => undefined,
    mask: (text: string) => masker.mask(text),
    slack: (deployment: Deployment) => noticesOn(deployment, config),
    hasCommitStatus: () => false,
    githubUrl: 'https://github.com',
  }
  const reports: ReportsFor = (deployment, streak) => reportsFor(deployment, streak, context)
  let pace = createGitHubPace(480)
  const known = new Map<string, number>()

  return {
    github,
    slack,
    store,
    journal,
    reports,
    async queue(name, count = 1) {
      if (!known.has(name)) {
        known.set(name, 100 + known.size)
        github.addRepository(name, { id: known.get(name) ?? 0 })
      }
      const wanted = { ref: 'main', auto_merge: false, required_contexts: [] }
      const made = []
      for (let index = 0; index < count; index += 1)
        made.push((await github.createDeployment(name, wanted)).deployment.id)
      const answers = await store.accept(
        made.map((githubId, index) => {
          const place = { repository: name, configuredAs: name, repositoryGithubId: known.get(name) ?? 0 }
          const lane = `${name}/${index}-${githubId}`
          const given = newDeployment({ ...place, githubId, lane, reports })
          const intake = queuedIntake(given)
          return { ...intake, delivery: { ...intake.delivery, receivedAt: clock() } }
        }),
      )
      return answers.flatMap(({ deployments }) => deployments)
    },
    tellOf(repositories) {
      const configured = Object.entries(repositories).map(([name, notices]) => {
        const environments = new Map([['production', environmentConfig({ slack: notices })]])
        return [name, { name, environments }] as const
      })
      config = { ...config, repositories: new Map(configured) }
    },
    async finish({ id }) {
      await claimFrom(store, { limit: 1_000_000, at: clock(), reports })
      const ended = await store.move(id, 'running', 'succeeded', { at: clock(), reports })
      if (ended === undefined) throw new Error(`#${id} was not running: it was not its turn`)
    },
    start({ time, ...given } = {}) {
      const calls = new AbortController()
      const client = createGitHub({
        token: TOKEN,
        apiUrl: github.url,
        version: 'test',
        timeoutMs,
        signal: calls.signal,
      })
      const during = (recipient: Recipient): Recipient => ({
        ...recipient,
        get pace() {
          return recipient.pace
        },
        failureOf: recipient.failureOf,
        send: (report, again) => (time ?? REAL_TIME).during(recipient.send(report, again)),
      })
      const means = { timeoutMs, signal: calls.signal }
      const toSlack = createSlackRecipients({ config: () => config, means, clock })
      const toGitHub = githubChannel(() => client, { outbox: store.outbox, pace: () => pace, clock })
      const sender = startOutbox({
        outbox: store.outbox,
        store,
        recipients: () => [toGitHub, ...toSlack()].map(during),
        clock,
        random: () => 0.5,
        after: (time ?? REAL_TIME).after,
        abort: () => calls.abort(new Error('The test is over')),
        journal: { info: write, warn: write, error: write },
        ...given,
      })
      senders.push(sender)
      return sender
    },
    async resume() {
      pace = resumedGitHubPace(480, await store.outbox.givenToGitHub(clock() - 3_600_000))
    },
    told: ({ githubId = 0 }) => github.statusesOf(githubId).map(({ state }) => state),
  }
}

interface Time {
  readonly after: OutboxParts['after']
  /** Counts what is under way: time stands still until it is over. */
  during<T>(work: Promise<T>): Promise<T>
}

const REAL_TIME: Time = {
  after(ms, call) {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  },
  during: (work) => work,
}

export interface Simulation extends Time {
  readonly clock: () => number
  /** Does something at that moment. */
  at(moment: number, work: () => unknown): void
  /** Lets time pass from event to event until that moment. */
  runUntil(moment: number): Promise<void>
}

/** Hours in seconds: time jumps to whatever is to happen next, and stands still while something happens. */
export function simulate(start: number): Simulation {
  let now = start
  let underWay = 0
  const events = new Set<{ readonly at: number; readonly call: () => unknown }>()
  const add = (at: number, call: () => unknown) => {
    const event = { at, call }
    events.add(event)
    return () => void events.delete(event)
  }
  const nextEvent = () => {
    let next: { readonly at: number; readonly call: () => unknown } | undefined
    for (const event of events) if (next === undefined || event.at < next.at) next = event
    return next
  }
  const settle = async (): Promise<void> => {
    for (let calm = 0; calm < 5; calm += 1) {
      await setImmediate()
      if (underWay > 0) calm = 0
    }
  }
  return {
    clock: () => now,
    after: (ms, call) => add(now + ms, call),
    at: (moment, work) => void add(moment, work),
    async during(work) {
      underWay += 1
      return work.finally(() => (underWay -= 1))
    },
    async runUntil(moment) {
      for (;;) {
        await settle()
        const next = nextEvent()
        if (next === undefined || next.at > moment) break
        events.delete(next)
        now = Math.max(now, next.at)
        await next.call()
      }
      now = Math.max(now, moment)
    },
  }
}
