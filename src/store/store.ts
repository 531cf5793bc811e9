import type { Deployment, ProcessRecord, StepResult } from '../deployment/deployment.ts'
import type { EndReason } from '../deployment/reasons.ts'
import type { Next, State } from '../deployment/state.ts'

/** Everything that must outlive the process. Every method that writes has written durably when it answers. */
export interface Store {
  /**
   * Records deliveries and the deployments they lead to, all in one transaction. A delivery or a GitHub
   * deployment that is already known leads to nothing and is answered `repeated`; one that was ignored
   * before is decided anew. Answers in the order given.
   */
  accept(intakes: readonly Intake[]): Promise<readonly Accepted[]>
  /**
   * Takes the oldest queued deployment whose lane is free to `running`, unless `limit` are active already.
   * Two claims never get two deployments of one lane, in however many processes they are made.
   */
  claim(options: { limit: number; at: number; reports: ReportsFor }): Promise<Deployment | undefined>
  /** Moves a deployment if it is still in `from`, with the event and the reports owed; undefined when it is not. */
  move<From extends State>(
    id: number,
    from: From,
    to: Next<From>,
    change: Change,
  ): Promise<Deployment | undefined>
  deployment(id: number): Promise<Deployment | undefined>
  /** Every deployment in one of the states, oldest first. */
  inState(...states: readonly State[]): Promise<readonly Deployment[]>
  /** The commit that the last success before this deployment put into its environment. */
  previousSha(id: number): Promise<string | undefined>
  recordProcess(deploymentId: number, process: ProcessRecord): Promise<void>
  processesOf(deploymentId: number): Promise<readonly ProcessRecord[]>
  outbox: Outbox
  /** By GitHub's numeric id: the key under which the configuration knew a repository last. */
  repositoriesKnown(): Promise<ReadonlyMap<number, string>>
  delivery(guid: string): Promise<Delivery | undefined>
  /** A value made once and kept. */
  setting(name: string, make: () => string): Promise<string>
  /** Proves that something can be recorded now; throws when not. */
  probe(): Promise<void>
  close(): Promise<void>
}

/** One webhook as it arrived, and what we answered. */
export interface NewDelivery {
  readonly key: string
  readonly guid: string
  readonly event: string
  readonly action: string | undefined
  readonly receivedAt: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}
interface Delivery extends NewDelivery {
  readonly verdict: Verdict
  readonly reason: string | undefined
}

export type Verdict = 'queued' | 'ignored' | 'repeated'

export interface Intake {
  readonly delivery: NewDelivery
  readonly verdict: Exclude<Verdict, 'repeated'>
  readonly reason: string | undefined
  readonly detail: string | undefined
  readonly deployments: readonly NewDeployment[]
}

export interface Accepted {
  readonly verdict: Verdict
  readonly reason: string | undefined
  readonly detail: string | undefined
  readonly deployments: readonly Deployment[]
}

type Given =
  | 'repository'
  | 'configuredAs'
  | 'environment'
  | 'lane'
  | 'githubId'
  | 'sha'
  | 'ref'
  | 'task'
  | 'actor'
  | 'creator'
  | 'creatorAvatar'
  | 'description'
  | 'payload'
  | 'apiUrl'
  | 'isPrivate'
  | 'recipe'
  | 'publicLogs'
  | 'environmentUrl'

export interface NewDeployment extends Pick<Deployment, Given> {
  readonly repositoryGithubId: number
  /** Ends at once, without ever having been in line: a "no" that is ours to report. */
  readonly failure: { readonly reason: EndReason; readonly detail: string } | undefined
  readonly reports: ReportsFor
}

/** What a transition owes to the outside world, made from the deployment as it is after the move. Pure. */
export type ReportsFor = (deployment: Deployment) => readonly NewReport[]

export interface NewReport {
  readonly channel: string
  /** JSON; secrets already masked. */
  readonly body: unknown
}

export interface Change {
  readonly at: number
  readonly reason?: EndReason | undefined
  readonly detail?: string | undefined
  readonly deployedSha?: string | undefined
  readonly steps?: readonly StepResult[] | undefined
  readonly reports: ReportsFor
}

/** What is owed to GitHub and Slack, kept until it is delivered or refused for good. */
export interface Outbox {
  /** The oldest owed report of each deployment in the channel, where its time has come; oldest first. */
  due(channel: string, at: number, limit: number): Promise<readonly OwedReport[]>
  /** When the next one after that moment falls due, or undefined when there is none. */
  nextDueAfter(at: number): Promise<number | undefined>
  /** Counts the attempt before it is made, so that a crash in between is known afterwards. */
  attempt(id: number): Promise<void>
  /** Ends a report: `delivered`, or `refused` for good with the reason. */
  settle(id: number, state: 'delivered' | 'refused', at: number, error?: string): Promise<void>
  /** Keeps it for later; an older one gives way (`dropped`) when a newer one of its deployment and channel is owed. */
  postpone(id: number, dueAt: number, error: string): Promise<void>
  /** Reports that are still owed, all of them. */
  owed(): Promise<number>
  /** Everything ever owed about a deployment, oldest first. */
  of(deploymentId: number): Promise<readonly SettledReport[]>
}

export interface OwedReport {
  readonly id: number
  readonly channel: string
  readonly body: unknown
  readonly attempts: number
  readonly createdAt: number
  readonly deployment: Pick<Deployment, 'id' | 'repository' | 'environment' | 'number' | 'githubId'>
}

export interface SettledReport {
  readonly id: number
  readonly channel: string
  readonly body: unknown
  readonly state: 'owed' | 'delivered' | 'dropped' | 'refused'
  readonly attempts: number
  readonly lastError: string | undefined
}
