import type { Changes } from '../deployment/changes.ts'
import type {
  Blocked,
  Deployment,
  Forced,
  Hold,
  ProcessRecord,
  StepResult,
  Origin,
} from '../deployment/deployment.ts'
import type { Errand } from '../deployment/errand.ts'
import type { Approval, Closed, GateFacts, Lock, Pin } from '../deployment/gates.ts'
import type { EndReason, HoldReason } from '../deployment/reasons.ts'
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
   * The same, and claims what is next in the same transaction. Undefined where a claim that comes too late would take the
   * deliveries with it, as in PostgreSQL.
   */
  readonly acceptAndClaim:
    | ((intakes: readonly Intake[], claiming: Claiming) => Promise<AcceptedAndClaimed>)
    | undefined
  /**
   * Records a deployment that somebody asks Ferryman itself for, in one transaction. Where one with its nonce is there
   * already it is answered, and nothing is recorded: the same wish came twice.
   */
  ask(wanted: NewDeployment & { readonly nonce: string }, at: number): Promise<Asked>
  /**
   * Records the deployment of what a source was seen to hold, and that it was, in one transaction. Undefined, and
   * nothing is recorded, where the source held it before, or where it is what was deployed or asked for last. What left with
   * the configuration before it had begun is recorded once more, and what could not be fetched up to three times.
   */
  takeUp(wanted: NewDeployment, at: number): Promise<Deployment | undefined>
  /** The deployment of our own that was made with this nonce. */
  byNonce(nonce: string): Promise<Deployment | undefined>
  /**
   * Takes the oldest queued deployment without a hold whose lane is free to `running`, unless `limit` are active already.
   * Two claims never get two deployments of one lane, in however many processes they are made. What a gate stops
   * is held, in the same transaction in which the facts were read: nothing passes a lock that was there before it.
   * The process that waits to become its first command is written down with it.
   */
  claim(options: Claiming): Promise<Claimed>
  /** Moves a deployment if it is still in `from`, with the event and the reports owed; undefined when it is not. */
  move<From extends State>(
    id: number,
    from: From,
    to: Next<From>,
    change: Change,
  ): Promise<Deployment | undefined>
  /**
   * Writes down how the work of an active deployment has ended, where something is waited for before the deployment ends
   * itself: should the server not live to hear it, that is what the next one says.
   */
  conclude(id: number, conclusion: Conclusion): Promise<void>
  /** What `conclude` has written of it. */
  conclusionOf(id: number): Promise<Conclusion | undefined>
  /** `move` for many, each with its own change, in one transaction; answers those that were still in `from`. */
  moveAll<From extends State>(
    from: From,
    to: Next<From>,
    changes: ReadonlyMap<number, Change>,
  ): Promise<readonly Deployment[]>
  /**
   * Puts what waits or runs into another lane, by id. What runs stays where it is while something else runs in the other
   * one. Answers which of them have moved.
   */
  changeLanes(lanes: ReadonlyMap<number, string>): Promise<readonly number[]>
  /**
   * Back in line goes what was running, with the event and the reports owed: a hook has said that its work may not begin
   * before that moment. Undefined when it is not running any more.
   */
  putBack(
    id: number,
    blocked: PutBack,
    change: Pick<Change, 'at' | 'reports'>,
  ): Promise<Deployment | undefined>
  /** Its hooks let the work of a running deployment begin; undefined when they had not blocked it. */
  unblock(id: number, change: Pick<Change, 'at' | 'reports'>): Promise<Deployment | undefined>
  /**
   * Writes why a queued deployment waits; it must carry a hold already. Another reason than before is an event, with
   * the reports owed. Answers whether it still waits.
   */
  hold(id: number, hold: Hold, change: Pick<Change, 'at' | 'reports'>): Promise<boolean>
  /**
   * Takes the hold of a queued deployment away; undefined when it carries none any more, or when what there was `beside`
   * it, by which it was judged, is another: a newer one may have begun.
   */
  release(id: number, change: LetThrough): Promise<Deployment | undefined>
  /**
   * Lets a queued deployment pass its gates, which is an event, with the reports owed; undefined when it is not queued
   * any more, or was forced before.
   */
  force(id: number, forced: Forced, change: Pick<Change, 'at' | 'reports'>): Promise<Deployment | undefined>
  /** What the gates of a deployment are judged by now. */
  gateFacts(deployment: Judged, wanted: FactsWanted): Promise<GateFacts>
  /** The same of many at once, by their ids. */
  gateFactsOf(asked: readonly FactsAsked[], at: number): Promise<ReadonlyMap<number, GateFacts>>
  /** Adds these to whose change a deployment is, in GitHub's own words: from now on the authors of its commit are known. */
  noteAuthors(id: number, logins: readonly string[]): Promise<void>
  /**
   * For how many milliseconds a deployment was held for that reason, all times together but for one that lasts. What it
   * waited for between does not count.
   */
  heldBefore(id: number, reason: HoldReason): Promise<number>
  locks: Locks
  pins: Pins
  approvals: Approvals
  /** Writes down that GitHub is about to be asked for a deployment of our own; answers whether it still waits. */
  asking(id: number): Promise<boolean>
  /** Writes down that the checks of a queued deployment were seen to pass at that moment. */
  checked(id: number, at: number): Promise<void>
  /** The checks of a commit have moved: that they were seen to pass counts no longer for what is queued of it. */
  checksMoved(configuredAs: string, sha: string): Promise<void>
  /**
   * Binds GitHub's deployment to a queued one of our own and takes its hold away, with the reports owed; of one
   * that has ended meanwhile, those to GitHub. Of several that know of the binding the first does it. The hold stays where what there
   * was `beside` it, by which it was judged, is another; where nobody has judged it, where another one has begun there since it came.
   * Answers the deployment as it is then; undefined when it is bound to another.
   */
  bind(id: number, made: Bound, change: LetThrough): Promise<Deployment | undefined>
  /** What is queued and held, and merges and pushes that are not, oldest first; undefined `among`: all of it. */
  waiting(among?: readonly number[]): Promise<readonly Deployment[]>
  /** What is known of the place that a deployment goes to. */
  landmarks(id: number): Promise<Landmarks>
  /** What has happened in its environment since a deployment came. */
  meanwhile(id: number): Promise<Meanwhile>
  /** Notes where the branch of an environment stood when it was first seen; makes the environment where it is new. */
  see(place: FirstSight): Promise<void>
  /** The branch of every environment that has been seen, by `repository/environment` in lower case. */
  seen(): Promise<ReadonlyMap<string, string>>
  /**
   * Notes that these places, `owner/name/environment` in lower case, are the ones that are configured now, and
   * forgets the others. Answers since when each of them has been.
   */
  configured(places: readonly string[], at: number): Promise<ReadonlyMap<string, number>>
  /** Which of these deployments of GitHub's are here already, or were. */
  known(githubIds: readonly number[]): Promise<ReadonlySet<number>>
  deployment(id: number): Promise<Deployment | undefined>
  /** What runs and what waits, and how long the successes since that moment have taken. */
  line(averagesSince: number): Promise<Line>
  /**
   * Takes back what was asked for in the environment of this one before it and has not begun; answers what that was.
   */
  supersedeOlder(newer: Deployment, change: Pick<Change, 'at' | 'reports'>): Promise<readonly Deployment[]>
  /** Everything that says why an environment stands as it does. */
  situation(wanted: SituationWanted): Promise<Situation>
  /** The deployment of that name, in whichever case; where a repository of that name came after another, the newer one. */
  named(name: Pick<Deployment, 'repository' | 'environment' | 'number'>): Promise<Deployment | undefined>
  /** Every deployment in one of the states, oldest first. */
  inState(...states: readonly State[]): Promise<readonly Deployment[]>
  /** The commit that the last success put into the environment of a deployment that has not ended itself. */
  previousSha(id: number): Promise<string | undefined>
  /**
   * `:current`: the commit that the last success put into an environment; `:previous`: that of the last success with
   * another one that is not marked bad in any deployment of the environment. Undefined where there is none.
   */
  refFor(
    place: Pick<Deployment, 'configuredAs' | 'environment'>,
    which: DeployedRef,
  ): Promise<Landmarks['live']>
  /**
   * Marks what a deployment put in place as nothing to go back to; undefined `mark` takes that back, in every deployment of
   * the same commit in the environment. Undefined where it has not ended.
   */
  markBad(id: number, mark: Deployment['markedBad']): Promise<Deployment | undefined>
  /** No deployment that is made from now on gets this id or a smaller one. */
  beginAfter(id: number): Promise<void>
  recordProcess(deploymentId: number, process: ProcessRecord): Promise<void>
  processesOf(deploymentId: number): Promise<readonly ProcessRecord[]>
  hooks: Hooks
  heads: Heads
  outbox: Outbox
  /** By GitHub's numeric id: the key under which the configuration knew a repository last. */
  repositoriesKnown(): Promise<ReadonlyMap<number, string>>
  inbox: Inbox
  retaining: Retaining
  /** A value made once and kept. */
  setting(name: string, make: () => string): Promise<string>
  /** What was noted under the name; undefined when nothing was. */
  noted(name: string): Promise<string | undefined>
  /** Notes a value under the name, in place of an earlier one. */
  note(name: string, value: string): Promise<void>
  /** Proves that something can be recorded now; throws when not. */
  probe(): Promise<void>
  close(): Promise<void>
}

/** What a person may say in place of a ref. */
/** `#12`: what that deployment put in place, if it has succeeded. */
type DeployedRef = ':current' | ':previous' | `#${number}`

/** Says whether a deployment may begin now; asked within the transaction that lets it begin. */
export interface Gate {
  /** What has to be known of it. */
  wanted(deployment: Deployment): Omit<FactsWanted, 'at'>
  /** Why it may not begin; undefined: it may. Pure. */
  judge(deployment: Deployment, facts: GateFacts): Closed | undefined
  /** Who has agreed to it, where somebody has to; for one that may begin. Pure. */
  approver(deployment: Deployment, facts: GateFacts): string | undefined
}

/** What gates are asked about: a deployment, or with the id 0 the place alone. */
export type Judged = Pick<Deployment, 'id' | 'sha' | 'configuredAs' | 'environment'>

/** Which facts about a deployment are looked up, beside the locks. */
export interface FactsWanted {
  readonly at: number
  /** The environment that has to take the commit first. */
  readonly after: string | undefined
  readonly approval: boolean
}

/** Of which deployment facts are wanted, and which. */
export interface FactsAsked extends Omit<FactsWanted, 'at'> {
  readonly deployment: Judged
}

/** What goes back in line. */
export interface PutBack extends Pick<Blocked, 'until' | 'detail' | 'logBytes'> {
  /** It ends as superseded where something newer was asked for meanwhile (`order: latest`). */
  readonly givesWay: boolean
}

export interface AcceptedAndClaimed {
  readonly accepted: readonly Accepted[]
  readonly claimed: Claimed
}

export interface Claiming {
  readonly limit: number
  readonly at: number
  readonly reports: ReportsFor
  readonly gate: Gate
  readonly process?: ProcessRecord | undefined
}

/** What a claim came to. */
export interface Claimed {
  readonly deployment: Deployment | undefined
  /** Those that a gate has stopped on the way. */
  readonly held: readonly Deployment[]
}

export interface SituationWanted {
  /** `owner/name` in lower case. */
  readonly configuredAs: string
  readonly environment: string
  readonly lane: string
}

/** What runs and what waits, oldest first. */
export interface Line {
  /** Of very many that wait those that wait for their turn alone come first, so that it can be told when each begins. */
  readonly deployments: readonly Deployment[]
  /** What waits besides. */
  readonly left: readonly LeftOut[]
  /** By `owner/name/environment` as it is configured, in lower case. */
  readonly averageMs: ReadonlyMap<string, number>
}

/** How many of those that wait to go to one environment are not listed. */
export interface LeftOut extends Pick<Deployment, 'configuredAs' | 'environment'> {
  readonly count: number
}

/** How an environment stands. */
export interface Situation {
  /** What is queued there, oldest first; of very many the first, the next one to begin, and the newest. */
  readonly waiting: readonly Deployment[]
  /** How many are queued there in all. */
  readonly waitingCount: number
  /** What runs anywhere, oldest first. */
  readonly active: readonly Deployment[]
  /** What runs in its lane. */
  readonly blocking: Deployment | undefined
  /** The newest that has ended. */
  readonly last: Deployment | undefined
  /** The last success. */
  readonly live: Deployment | undefined
  /** What has happened to the newest that waits, else to the last: the newest first. */
  readonly turns: readonly Turn[]
  /** The last deliveries about the repository, the newest first. */
  readonly deliveries: readonly Pick<
    Delivery,
    'id' | 'event' | 'action' | 'receivedAt' | 'verdict' | 'reason' | 'detail'
  >[]
}

/** Something that has happened to a deployment: a move, or another reason to wait. */
export interface Turn {
  readonly at: number
  readonly state: State
  readonly reason: string | undefined
  readonly detail: string | undefined
}

/** Who has agreed to what being done where with which commit. */
export interface Approvals {
  /**
   * Writes down that somebody agrees to the task and the commit of a deployment where that goes, in place of what they have
   * said of it before, with an event. Undefined, and nothing is written, where it does not wait any more.
   */
  give(id: number, approval: Approval): Promise<Deployment | undefined>
  /** Takes that back, so that it does not begin on it. Undefined where it does not wait any more. */
  takeBack(
    id: number,
    whose: Pick<Approval, 'by' | 'at'>,
  ): Promise<{ readonly deployment: Deployment; readonly wasGiven: boolean } | undefined>
}

/** Where nothing may begin. Every place has at most one lock. */
export interface Locks {
  /** Takes the lock, unless the place is locked already; answers the lock that is there then. */
  take(wanted: Omit<Lock, 'id'>): Promise<{ readonly isTaken: boolean; readonly lock: Lock }>
  /** Frees this very lock and no other; undefined when it is not there any more. */
  free(id: number): Promise<Lock | undefined>
  /** Those that have not ended, oldest first. */
  all(at: number): Promise<readonly StandingLock[]>
  /** People were reminded of it at that moment. */
  reminded(id: number, at: number): Promise<void>
}

/** Where somebody went back, and nothing goes by itself. Every place has at most one pin. */
export interface Pins {
  /** Ends the pin at a place; undefined where there is none. */
  free(place: string): Promise<Pin | undefined>
  all(): Promise<readonly Pin[]>
}

/** A lock that is there. */
export interface StandingLock extends Lock {
  /** When people were last reminded of it; undefined: never. */
  readonly remindedAt: number | undefined
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

/** A delivery that was recorded. */
export interface Delivery extends Omit<NewDelivery, 'body'> {
  readonly id: number
  readonly verdict: Verdict
  readonly reason: string | undefined
  readonly detail: string | undefined
  /** What it led to, or what it was about where that was known already; oldest first. */
  readonly deployments: readonly Pick<Deployment, 'id' | 'repository' | 'environment' | 'number' | 'state'>[]
  /** When somebody last let it be decided anew, and who. */
  readonly replayed: { readonly at: number; readonly by: string } | undefined
}

/** Every delivery that was recorded and is still kept. */
export interface Inbox {
  /** Newest first; `before`: only those with a smaller id. */
  list(filter: InboxFilter): Promise<readonly Delivery[]>
  /** By its id, or the newest of a GUID. */
  find(which: { readonly id: number } | { readonly guid: string }): Promise<Delivery | undefined>
  /** The raw body, byte for byte; undefined when the delivery is not kept any more. */
  body(id: number): Promise<Buffer | undefined>
}

/**
 * Removes what nobody waits for any more, a little at a time. What has not ended, what is still owed to the outside
 * world, the newest successes of an environment, and what is marked bad are never removed.
 */
export interface Retaining {
  /** Looks at some deliveries after the id; removes those from before the moment, or with a body up to that one. */
  deliveries(after: number, over: Age & { readonly throughBody: number }): Promise<Removing>
  /** The newest body of those that are too many, where all of them together may have this size; 0 when none is. */
  bodiesBeyond(bytes: number): Promise<number>
  /** Looks at some deployments after the id; removes those that ended before the moment, and the oldest `excess`. */
  deployments(
    after: number,
    over: Age & { readonly excess: number },
  ): Promise<Removing & { readonly ids: readonly number[] }>
  /** Approvals that have ended before that moment; answers how many there were. */
  approvals(over: Pick<Age, 'before'>): Promise<number>
  /** How many deployments there are. */
  count(): Promise<number>
  /** Removes the locks that have ended by themselves before the moment; answers how many. */
  endedLocks(before: number): Promise<number>
  /** Of these deployments those that ended before the moment, or are not kept any more. */
  endedBefore(ids: readonly number[], age: Age): Promise<readonly number[]>
}

/** What is from before that moment; what came after something younger is not, whatever the clock said at its time. */
export interface Age {
  readonly before: number
  readonly now: number
}

export interface Removing {
  readonly removed: number
  /** After which id to go on; undefined when there is nothing more to remove. */
  readonly next: number | undefined
}

interface InboxFilter {
  readonly limit: number
  readonly before?: number | undefined
  readonly verdict?: Verdict | undefined
  readonly event?: string | undefined
}

/** What GitHub said of a deployment that it made for us. */
export interface Bound {
  readonly githubId: number
  readonly apiUrl: string
  readonly creator: string
  readonly creatorAvatar: string
}

export interface Landmarks extends Beside {
  /** What is there now, as far as we know: the commit of the last success, and its name. */
  readonly live: { readonly sha: string; readonly number: number } | undefined
  /** Whether another commit was begun there since that success has ended, or is about to be: it may not be there any more. */
  readonly isDisturbed: boolean
  /** What runs there or waits for its turn, oldest first; held ones and this one left out. */
  readonly ahead: readonly { readonly sha: string; readonly number: number }[]
  /** Whether the environment has been seen, with whichever branch. */
  readonly isSeen: boolean
  /** Where the branch of the deployment stood then; undefined where that was another one, or GitHub did not tell. */
  readonly firstSeenSha: string | undefined
}

interface Beside {
  /** What else is there, runs or is about to, as words to compare: `release` and `bind` take them. */
  readonly beside: string
}

/** What has happened in an environment since a deployment came that has not begun. */
export interface Meanwhile extends Beside {
  /** What was there when it came; others that were made on GitHub after it, as all below, have come later. */
  readonly before: Landmarks['live']
  /** What is there now, where that has begun since. */
  readonly live: PlacedSince | undefined
  /** What runs there, where that has begun since, and what waits for its turn in front of it and was made on GitHub after it. */
  readonly ahead: readonly PlacedSince[]
}

interface PlacedSince extends NonNullable<Landmarks['live']> {
  readonly origin: Origin
}

export interface FirstSight {
  readonly repository: string
  readonly repositoryGithubId: number
  readonly configuredAs: string
  readonly environment: string
  readonly branch: string
  /** Undefined where GitHub did not tell. */
  readonly sha: string | undefined
  readonly at: number
}

/**
 * `deciding`: more has to be asked before it is known whether it may deploy. `refused`: it was signed, and is
 * still not what GitHub sends.
 */
export const VERDICTS = ['queued', 'deciding', 'ignored', 'repeated', 'refused'] as const
export type Verdict = (typeof VERDICTS)[number]

export interface Intake {
  readonly delivery: NewDelivery
  readonly verdict: Exclude<Verdict, 'repeated'>
  readonly reason: string | undefined
  readonly detail: string | undefined
  readonly deployments: readonly NewDeployment[]
  /** The repository that it is about, as it is configured, in lower case; undefined where it is not. */
  readonly repository?: string | undefined
  /** Deployments that are there already and are meant. */
  readonly concerns?: readonly number[]
  /** Somebody wants a delivery that is recorded already to be decided anew: with today's configuration. */
  readonly replay?: { readonly by: string } | undefined
}

export interface Accepted {
  readonly verdict: Verdict
  readonly reason: string | undefined
  readonly detail: string | undefined
  readonly deployments: readonly Deployment[]
}

/** What a wish came to. */
export interface Asked {
  readonly deployment: Deployment
  readonly isNew: boolean
}

type Given =
  | 'repository'
  | 'configuredAs'
  | 'environment'
  | 'lane'
  | 'origin'
  | 'branch'
  | 'nonce'
  | 'githubId'
  | 'hold'
  | 'forced'
  | 'sha'
  | 'ref'
  | 'task'
  | 'actor'
  | 'authors'
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
  /** 0 where GitHub did not tell. */
  readonly repositoryGithubId: number
  /** Ends at once, without ever having been in line: a "no" that is ours to report. */
  readonly failure: { readonly reason: EndReason; readonly detail: string } | undefined
  /** It goes back: nothing goes there by itself from now on, until that is over. */
  readonly pin?:
    | (Pick<Pin, 'by' | 'reason'> & {
        /** What is there, by its number, is marked bad: it is gone away from. */
        readonly leaves: number | undefined
      })
    | undefined
  /** What was asked for in the environment before and has not begun gives way to it. */
  readonly supersedes?: boolean
  /** It runs nothing: it is done when it is accepted. */
  readonly errand?: Errand | undefined
  /**
   * It was asked for a while ago. When a newer one of the environment is here already, or `overtaken` says that
   * GitHub has one, it ends as overtaken: nothing goes backwards.
   */
  readonly late?: { readonly overtaken: string | undefined } | undefined
  readonly reports: ReportsFor
}

/**
 * What a transition owes to the outside world, made from the deployment as it is after the move, and from how its
 * environment fared before it. Pure.
 */
export type ReportsFor = (deployment: Deployment, streak: FailureStreak | undefined) => readonly NewReport[]

/** Deployments of an environment that ran and failed, one after the other, with no success since. */
export interface FailureStreak {
  /** At least 1. */
  readonly failures: number
  /** When the first of them ended. */
  readonly since: number
}

export interface NewReport {
  readonly channel: string
  /** JSON; secrets already masked. */
  readonly body: unknown
  /** What is still owed in the channel of the failures before it in its environment needs no telling any more. */
  readonly endsStreak?: boolean
}

export interface Change {
  /** By the clock as it is now: from that moment on it is told. */
  readonly at: number
  /** When it ended, where the clock would say something else: it may have been set since it began. */
  readonly endedAt?: number | undefined
  readonly reason?: EndReason | undefined
  readonly detail?: string | undefined
  readonly deployedSha?: string | undefined
  readonly changes?: Changes | undefined
  readonly logUrl?: string | undefined
  readonly steps?: readonly StepResult[] | undefined
  /** Who had agreed to it when it began. */
  readonly approvedBy?: string | undefined
  readonly reports: ReportsFor
}

/** How one that was held is let through. */
export interface LetThrough extends Pick<Change, 'at' | 'reports'> {
  /** What there was beside it when it was judged; undefined: nobody has asked. */
  readonly beside?: string | undefined
}

/** How the work of a deployment has ended. */
export interface Conclusion extends Pick<Change, 'reason' | 'detail' | 'deployedSha' | 'steps'> {
  readonly state: 'succeeded' | 'failed' | 'cancelled'
  /** When that was. */
  readonly at: number
  /** Of the step that failed, secrets masked. */
  readonly lastLines: readonly string[]
}

/** A hook of GitHub's that delivers here. */
export interface Hook {
  /** GitHub's own. */
  readonly id: number
  readonly kind: 'repository' | 'organization' | 'app'
  /** `owner/name`, or `owner` for an organization's, as GitHub spells it; the id of an App for its own. */
  readonly place: string
}

/** The hooks that have delivered here, and what GitHub was asked to deliver once more. */
export interface Hooks {
  /** Notes a hook, or that it is at another place now. */
  heard(hook: Hook): Promise<void>
  all(): Promise<readonly Hook[]>
  /** What was asked for after that moment, by GUID; what was asked for earlier is forgotten. */
  askedAfter(hookId: number, at: number): Promise<ReadonlySet<string>>
  asking(hookId: number, guid: string, at: number): Promise<void>
  /** It was not asked for after all. */
  notAsked(hookId: number, guid: string): Promise<void>
}

/** Where a branch stands. */
export interface Head {
  readonly branch: string
  readonly sha: string
}

/** Where the branches that deploy by themselves stood when they were looked at last; `see` is the first look, `takeUp` notes what a source held. */
export interface Heads {
  /** By the environments of a repository that are there, in lower case; undefined where nothing is noted. */
  of(configuredAs: string): Promise<ReadonlyMap<string, Head | undefined>>
  /** Notes it for some environments of a repository, in lower case. */
  note(configuredAs: string, environments: readonly string[], head: Head): Promise<void>
  /**
   * Whether an environment has had a deployment of a commit, or will have one, whoever asked for it and however it
   * ended. One that was taken back for no fault of the commit is none.
   */
  knows(place: Pick<Deployment, 'configuredAs' | 'environment'>, sha: string): Promise<boolean>
}

/** What is owed to GitHub and Slack, kept until it is delivered or refused for good. */
export interface Outbox {
  /** Reports in the channel whose time has come; counts no further than `most`. */
  countDue(
    channel: string,
    wanted: Pick<DueFilter, 'at' | 'places'> & { readonly most: number },
  ): Promise<number>
  /**
   * Owed reports whose time has come, one of each deployment. First what was not tried yet, then ends before
   * beginnings, then the repositories by turns.
   */
  due(channel: string, wanted: DueFilter): Promise<readonly OwedReport[]>
  /** When the next one after that moment falls due, or undefined when there is none. */
  nextDueAfter(at: number): Promise<number | undefined>
  /**
   * Counts the attempt before it is made, so that a crash in between is known afterwards. What is owed of the
   * same deployment and channel and is older gives way (`dropped`).
   */
  attempt(id: number): Promise<void>
  /** Ends a report: `delivered`, or `refused` for good with the reason. Nothing older follows what was delivered. */
  settle(id: number, state: 'delivered' | 'refused', at: number, error?: string): Promise<void>
  /**
   * Keeps it for later; an older one gives way (`dropped`) when a newer one of its deployment and channel is owed.
   * `barredSince`: since when it has been refused for want of a right.
   */
  postpone(id: number, dueAt: number, error: string, barredSince?: number): Promise<void>
  /** The time has come for all that is owed. */
  hurry(at: number): Promise<void>
  /** When GitHub was given a status, or a deployment of our own, since that moment. */
  givenToGitHub(since: number): Promise<GivenToGitHub>
  /** Reports that are still owed, all of them. */
  owed(): Promise<number>
  /** Everything ever owed about a deployment, oldest first. */
  of(deploymentId: number): Promise<readonly SettledReport[]>
  /** What is owed, oldest first, or what was refused for good, newest first; and how many there are in all. */
  list(
    state: 'owed' | 'refused',
    limit: number,
  ): Promise<{
    readonly count: number
    /** `newest`: the last about the same deployment in the same channel; no other can be sent again. */
    readonly reports: readonly (ListedReport & { readonly newest: number })[]
  }>
  /** Makes one that is owed or was refused due at that moment, unless something newer was said since. */
  sendAgain(id: number, at: number): Promise<SentAgain>
  /** The same for all that were refused; answers how many there were and which of them are due now. */
  sendRefusedAgain(at: number): Promise<{ readonly refused: number; readonly due: readonly SentOn[] }>
}

export interface ListedReport extends OwedReport {
  readonly dueAt: number
  /** When it was refused. */
  readonly settledAt: number | undefined
  readonly lastError: string | undefined
}

/** A report, and what it is about. */
export interface SentOn extends Pick<OwedReport, 'id' | 'channel'> {
  readonly deployment: Pick<Deployment, 'repository' | 'configuredAs' | 'environment'>
}

/** What became of the wish to send a report again. */
type SentAgain =
  | { readonly outcome: 'due'; readonly report: ListedReport }
  | { readonly outcome: 'unknown' }
  | { readonly outcome: 'delivered' }
  /** There is a newer one about the same deployment: after that, this one would be wrong. */
  | { readonly outcome: 'overtaken'; readonly by: Pick<SettledReport, 'id' | 'state'> }

export interface DueFilter {
  readonly at: number
  readonly limit: number
  /** `oldest`: in order, as far as it is due. `newest`: what is older is left out. */
  readonly take: 'oldest' | 'newest'
  /** With `oldest`: what was owed before that moment, or has been tried, is left out where there is a newer one. */
  readonly staleBefore?: number | undefined
  /** Deployments of which something is under way. */
  readonly exceptDeployments: readonly number[]
  readonly exceptRepositories: readonly string[]
  /** Undefined: wherever they go. */
  readonly places?: Places | undefined
}

/** Some of the places that deployments go to, each as `placeOf` names it. */
export type Places = { readonly only: readonly string[] } | { readonly except: readonly string[] }

export interface OwedReport {
  readonly id: number
  readonly channel: string
  readonly body: unknown
  readonly attempts: number
  readonly createdAt: number
  /** Since when the other side has refused it for want of a right, and nothing else since. */
  readonly barredSince: number | undefined
  /** Its deployment has ended. */
  readonly isFinal: boolean
  readonly deployment: Pick<
    Deployment,
    'id' | 'repository' | 'configuredAs' | 'environment' | 'number' | 'githubId' | 'reason'
  >
}

interface GivenToGitHub {
  readonly statuses: readonly number[]
  readonly deployments: readonly number[]
}

export interface SettledReport {
  readonly id: number
  readonly channel: string
  readonly body: unknown
  readonly state: 'owed' | 'delivered' | 'dropped' | 'refused'
  readonly attempts: number
  readonly lastError: string | undefined
}
