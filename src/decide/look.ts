import type { EnvironmentConfig } from '../config/config.ts'
import { nameOf, type Deployment } from '../deployment/deployment.ts'
import type { GateFacts } from '../deployment/gates.ts'
import { GitHubError } from '../github/github.ts'
import { limitOf, unlessForbidden } from '../github/limits.ts'
import type { Journal } from '../logs/journal.ts'
import type { Gate, Landmarks, ReportsFor, Store } from '../store/store.ts'
import type { Elapsed } from './elapsed.ts'
import { learnAuthors, NO_AUTHORS } from './authors.ts'
import { atGate, passGate, type GateParts, type Outcome, type Waiting } from './gate.ts'
import { isOfGate } from './gates.ts'
import { OF_ARRIVAL, type History } from './history.ts'
import { bindLoose } from './loose.ts'
import { overtaken, overtakenByPoll, overtakenMeanwhile } from './overtaken.ts'
import { judgeOwnership, mayBeForeign } from './ownership.ts'
import { waitedTooLong } from './too-long.ts'
import { short } from './words.ts'

export interface LookParts extends Omit<GateParts, 'asking' | 'checked' | 'closed'> {
  readonly store: Pick<
    Store,
    | 'asking'
    | 'bind'
    | 'checked'
    | 'gateFacts'
    | 'heldBefore'
    | 'hold'
    | 'landmarks'
    | 'meanwhile'
    | 'move'
    | 'noteAuthors'
    | 'release'
    | 'supersedeOlder'
  >
  readonly gate: Gate
  readonly history: History
  /** What the configuration says now of where a deployment goes; undefined when it is not there any more. */
  environmentOf(deployment: Deployment): EnvironmentConfig | undefined
  /** Whether where its branch stands is still to be looked up for the first time. */
  isSightOwed(deployment: Deployment): boolean
  readonly reports: ReportsFor
  /** Why something waits or ends may name checks and branches, and is kept. */
  mask(text: string): string
  readonly journal: Journal
  /** It was let through, is held for another reason, or has ended. */
  moved(deployment: Deployment): void
}

export interface Looked {
  /** After how many milliseconds to look again; undefined: when something happens. */
  readonly lookAgainMs: number | undefined
  /** GitHub was asked in vain; `limited`: it asks for patience, from everybody who holds this token. */
  readonly vain?: 'failed' | 'limited'
}

/** What a look is about. */
export interface Looking {
  /** What waits to go to one environment, oldest first. */
  readonly waiting: readonly Deployment[]
  /** Nothing has happened: what was closed by what is known here is asked about at no other place. */
  readonly isQuiet: boolean
  /** Of which commits the checks have moved; undefined: look at all. */
  readonly moved: ReadonlySet<string> | undefined
  /** How many looks failed before this one. */
  readonly failures: number
}

/** How long GitHub is asked in vain before a deployment ends. */
const PATIENCE_MS = 24 * 60 * 60_000
/** GitHub's answers may be a little behind its own webhooks. */
const BEHIND_MS = 2 * 60_000
const LOOK_AT_BRANCH_MS = 10_000

/**
 * One look. Of what goes there by itself the newest commit that may go is let through, and what is older gives way
 * to it; of what was asked for each is let through that may go.
 */
export async function look(looking: Looking, parts: LookParts): Promise<Looked> {
  const factsOf = (one: Deployment): Promise<GateFacts> => factsFrom(one, parts)
  const still = looking.isQuiet ? await stillClosed(looking.waiting, parts, factsOf) : undefined
  if (still !== undefined) return still
  const asked = looking.waiting.filter(isAsked)
  const byThemselves = looking.waiting.filter((one) => !isAsked(one))
  const looks: Looked[] = []
  for (const one of asked) looks.push(await lookAtAsked(one, looking, parts))
  if (byThemselves.length > 0) looks.push(await lookAtBranch({ ...looking, waiting: byThemselves }, parts))
  const lookAgainMs = Math.min(...looks.map((one) => one.lookAgainMs ?? Infinity))
  const vain = looks.find((one) => one.vain === 'limited') ?? looks.find((one) => one.vain !== undefined)
  return {
    lookAgainMs: lookAgainMs === Infinity ? undefined : lookAgainMs,
    ...(vain?.vain === undefined ? {} : { vain: vain.vain }),
  }
}

/** Whether somebody has asked for it; all else goes there by itself. */
export const isAsked = ({ origin }: Deployment): boolean => origin === 'deployment' || origin === 'person'

/** Where all that waits stands at gates which are still closed, nobody else needs to be asked anything. */
export async function stillClosed(
  waiting: readonly Deployment[],
  parts: LookParts,
  factsOf: (deployment: Deployment) => Promise<GateFacts>,
): Promise<(Looked & { readonly isSame: boolean }) | undefined> {
  const outcomes = new Map<Deployment, Outcome>()
  for (const one of waiting) {
    const outcome =
      one.hold !== undefined && isOfGate(one.hold.reason)
        ? await closedFor(one, await factsOf(one), parts)
        : undefined
    if (outcome === undefined || isToAsk(outcome)) return undefined
    outcomes.set(one, outcome)
  }
  let isSame = true
  for (const [one, outcome] of outcomes) {
    isSame &&= isHeldSo(one, outcome, parts)
    await settle(one, outcome, parts)
  }
  const lookAgainMs = Math.min(...[...outcomes.values()].map((one) => lookAgainOf(one) ?? Infinity))
  return { lookAgainMs: lookAgainMs === Infinity ? undefined : lookAgainMs, isSame }
}

/** Whether it is closed for want of something that GitHub has to be asked. */
const isToAsk = (outcome: Outcome): boolean => outcome.kind === 'wait' && !isOfGate(outcome.reason)

/** Whether just this is written down already. */
const isHeldSo = ({ hold }: Deployment, outcome: Outcome, { mask }: LookParts): boolean =>
  outcome.kind === 'wait' &&
  hold?.reason === outcome.reason &&
  hold.until === outcome.until &&
  hold.detail === mask(outcome.detail)

const factsFrom = (one: Deployment, { store, gate, clock }: LookParts): Promise<GateFacts> =>
  store.gateFacts(one, { ...gate.wanted(one), at: clock() })

/** What a gate makes of a deployment, being closed for it; undefined: all are open. */
async function closedFor(
  deployment: Deployment,
  facts: GateFacts,
  parts: LookParts,
): Promise<Outcome | undefined> {
  const { gate, clock } = parts
  const closed = gate.judge(deployment, facts)
  return closed && ((await waitedTooLong(deployment, closed, parts)) ?? atGate(closed, clock()))
}

const lookAgainOf = (outcome: Outcome): number | undefined =>
  outcome.kind === 'wait' ? outcome.lookAgainMs : undefined

const SOON_MS = 100

/** What may go, and was not let through since something beside it had moved, is looked at again at once. */
const lookAgainAfter = (outcome: Outcome, isThrough: boolean): number | undefined =>
  mayGo(outcome) && !isThrough ? SOON_MS : lookAgainOf(outcome)

const mayGo = ({ kind }: Outcome): boolean => kind === 'made' || kind === 'through'

/** `overtakenNow`: a newer one may begin while GitHub is asked about its checks. */
const gatePartsOf = (
  parts: LookParts,
  overtakenNow: (deployment: Deployment) => Promise<Outcome | undefined>,
): GateParts => ({
  ...parts,
  asking: ({ id }) => parts.store.asking(id),
  checked: ({ id }, at) => parts.store.checked(id, at),
  closed: async (deployment) => (await overtakenNow(deployment)) ?? closedNow(deployment, parts),
})

/** What a gate makes of it now. Whose change the commit is, where that counts, GitHub is asked the first time. */
async function closedNow(deployment: Deployment, parts: LookParts): Promise<Outcome | undefined> {
  const outcome = await closedFor(deployment, await factsFrom(deployment, parts), parts)
  if (outcome?.kind !== 'wait' || outcome.reason !== 'author_unknown') return outcome
  const isElsewhere = parts.environmentOf(deployment)?.via === 'none'
  await learnAuthors(deployment, isElsewhere ? { ...parts, github: () => NO_AUTHORS } : parts)
  return closedFor(deployment, await factsFrom(deployment, parts), parts)
}

/** What somebody has asked for: it waits for its own gates, and is not to take away what came later and is newer. */
async function lookAtAsked(one: Deployment, { failures }: Looking, given: LookParts): Promise<Looked> {
  const environment = given.environmentOf(one)
  const parts = partsFor(environment, given)
  if (one.hold === undefined) return { lookAgainMs: undefined }
  if (environment === undefined) {
    await settle(one, removed(one), parts)
    return { lookAgainMs: undefined }
  }
  try {
    const namesNone = environment.via === 'none' && environment.defaultRef === undefined
    let beside: string | undefined
    const overtakenNow = async (): Promise<Outcome | undefined> => {
      const meanwhile = await parts.store.meanwhile(one.id)
      beside = meanwhile.beside
      return namesNone ? overtakenByPoll(one, meanwhile) : overtakenMeanwhile(one, meanwhile, parts)
    }
    const outcome =
      (await judgeOwnership(one, parts)) ??
      (await overtakenNow()) ??
      (await passGate(one, environment, gatePartsOf(parts, overtakenNow)))
    const isThrough = await settle(one, { ...outcome, beside }, parts)
    return { lookAgainMs: lookAgainAfter(outcome, isThrough) }
  } catch (thrown) {
    return (await letBack(one, thrown, parts)) ?? inVainOf(thrown, [one], failures, parts)
  }
}

/**
 * What goes back to a success of its own environment needs no GitHub: its checks have passed before, and it runs without a
 * deployment there. Its other gates are closed for it as for all, and so are checks that nobody can skip. Undefined: it is none
 * of these.
 */
async function letBack(one: Deployment, thrown: unknown, parts: LookParts): Promise<Looked | undefined> {
  if (!(thrown instanceof GitHubError) || !isGoingBack(one)) return undefined
  if ((parts.environmentOf(one)?.evenWhenForced ?? []).length > 0) return undefined
  const shut = await closedFor(one, await factsFrom(one, parts), parts)
  if (shut === undefined) {
    const at = parts.clock()
    await parts.store.checked(one.id, at)
    parts.journal.warn('deployment:without-github', { deployment: nameOf(one), id: one.id, error: thrown })
  }
  const outcome = shut ?? { kind: 'through' as const }
  await settle(one, outcome, parts)
  return { lookAgainMs: lookAgainOf(outcome) }
}

/** Whether somebody goes back with it to what was deployed here before. Its payload is our own. */
function isGoingBack({ origin, payload }: Deployment): boolean {
  if (origin !== 'person') return false
  const { goes_back: goesBack, asked_for: to } = Object(JSON.parse(payload)) as Record<string, unknown>
  return goesBack === true && typeof to === 'string' && /^(?::previous|#\d+)$/.test(to)
}

/** What a look needs of the rest, where GitHub knows nothing of the environment. */
const partsFor = (environment: EnvironmentConfig | undefined, parts: LookParts): LookParts =>
  environment?.via === 'none' ? { ...parts, history: OF_ARRIVAL, isSightOwed: () => false } : parts

async function lookAtBranch(looking: Looking, given: LookParts): Promise<Looked> {
  const { waiting, failures } = looking
  const [first] = waiting
  if (first === undefined) return { lookAgainMs: undefined }
  const environment = given.environmentOf(first)
  const parts = partsFor(environment, given)
  let wanted = waiting
  try {
    const branch =
      environment?.via === 'none'
        ? environment.branch
        : (environment?.branch ?? (await defaultBranchOf(waiting, parts)))
    wanted = []
    for (const one of waiting) {
      const end = unwanted(one, environment, branch)
      if (end === undefined) wanted = [...wanted, one]
      else await settle(one, end, parts)
    }
    if (environment === undefined) return { lookAgainMs: undefined }
    return { lookAgainMs: await letThrough({ ...looking, waiting: wanted }, environment, parts) }
  } catch (thrown) {
    return inVainOf(thrown, wanted, failures, parts)
  }
}

/** GitHub was asked in vain: what waits says so, and is looked at again later. */
async function inVainOf(
  thrown: unknown,
  wanted: readonly Deployment[],
  failures: number,
  parts: LookParts,
): Promise<Looked> {
  if (!(thrown instanceof GitHubError)) throw thrown
  const outcome = patience(thrown, failures, parts.clock())
  for (const one of wanted)
    if (one.hold !== undefined) await settle(one, inVain(one, outcome, parts.elapsed), parts)
  const { limited } = limitOf(thrown, parts.clock())
  return { lookAgainMs: outcome.lookAgainMs, vain: limited ? 'limited' : 'failed' }
}

async function letThrough(
  { waiting, moved }: Looking,
  environment: EnvironmentConfig,
  parts: LookParts,
): Promise<number | undefined> {
  if (waiting.length === 0) return undefined
  const { head, onBranch, off, unclear } = await parts.history.newestFirst(waiting)
  let lookAgainMs: number | undefined
  const waits = ({ lookAgainMs: ms }: Waiting): void => {
    lookAgainMs = Math.min(ms ?? Infinity, lookAgainMs ?? Infinity)
  }
  for (const one of off) await settle(one, notOnBranch(one), parts)
  for (const one of unclear) await settle(one, notShown(one, parts.elapsed), parts, waits)
  for (const [place, one] of onBranch.entries()) {
    if (one.hold?.reason === 'checks_pending' && moved?.has(one.sha) === false) continue
    const outcome = one.hold === undefined ? undefined : await decideHeld(one, { environment, head }, parts)
    const isThrough = outcome === undefined || (await settle(one, outcome, parts, waits))
    const older = onBranch.slice(place + 1)
    if (isThrough) {
      for (const each of older) await supersede(each, one, parts)
      return undefined
    }
    // Something else has moved at that very moment: it is looked at again, and before what is older.
    if (mayGo(outcome)) return SOON_MS
    if (!standsBefore(outcome)) continue
    for (const each of older) await settle(each, outcome, parts, waits)
    break
  }
  return lookAgainMs === Infinity ? undefined : lookAgainMs
}

/** What stands in front of a commit stands in front of everything older, too. */
const standsBefore = (outcome: Outcome | undefined): outcome is Outcome =>
  (outcome?.kind === 'wait' && outcome.reason === 'newer_first') ||
  (outcome?.kind === 'end' && outcome.reason === 'overtaken')

interface Circumstances {
  readonly environment: EnvironmentConfig
  /** The newest commit of the branch; undefined where the token may not see it. */
  readonly head: string | undefined
}

async function decideHeld(
  deployment: Deployment,
  { environment, head }: Circumstances,
  parts: LookParts,
): Promise<Outcome & Judged> {
  let landmarks = await parts.store.landmarks(deployment.id)
  const overtakenNow = async (): Promise<Outcome | undefined> => {
    landmarks = await parts.store.landmarks(deployment.id)
    return overtaken(deployment, landmarks, head, parts)
  }
  const outcome =
    (await overtaken(deployment, landmarks, head, parts)) ??
    (await fromBefore(deployment, landmarks, head, parts)) ??
    (await passGate(deployment, environment, gatePartsOf(parts, overtakenNow)))
  return { ...outcome, beside: landmarks.beside }
}

/** By what there was beside it: where that is another by the time it is let through, it is looked at again. */
interface Judged {
  readonly beside?: string | undefined
}

/** Whether it lies before what was there when the environment was first seen. */
async function fromBefore(
  deployment: Deployment,
  { live, isSeen, firstSeenSha }: Landmarks,
  head: string | undefined,
  { history, isSightOwed }: LookParts,
): Promise<Outcome | undefined> {
  if (live !== undefined) return undefined
  if (!isSeen && isSightOwed(deployment)) {
    const detail = `Where ${deployment.branch} stood before is still to be looked up`
    return { kind: 'wait', reason: 'deciding', detail, lookAgainMs: undefined }
  }
  if (firstSeenSha === undefined) return undefined
  const there = await history.compare(deployment.repository, deployment.sha, firstSeenSha)
  if (there?.status !== 'ahead') return undefined
  // The branch may have been set back since, and this is where it stands now.
  const now =
    head === undefined ? undefined : await history.compare(deployment.repository, firstSeenSha, head)
  if (now?.status === 'behind' || now?.status === 'diverged') return undefined
  const detail = `${deployment.branch} was at ${short(firstSeenSha)}, which is newer, when Ferryman first saw it.`
  return { kind: 'end', state: 'cancelled', reason: 'before_first_sight', detail }
}

/** Writes down what a look came to; answers whether the deployment has been let through. */
async function settle(
  deployment: Deployment,
  outcome: Outcome & Judged,
  parts: LookParts,
  waits?: (waiting: Waiting) => void,
): Promise<boolean> {
  const { store, reports, mask, clock, journal, moved } = parts
  const about = { deployment: nameOf(deployment), id: deployment.id }
  switch (outcome.kind) {
    case 'made': {
      const { made, beside } = outcome
      const bound = await store.bind(deployment.id, made, { at: clock(), reports, beside })
      if (bound === undefined) journal.error('deployment:bound-elsewhere', about)
      else if (bound.hold === undefined) {
        journal.info('deployment:released', { ...about, github_id: made.githubId })
        await takeOlderBack(bound, parts)
      }
      moved(deployment)
      // The webhook may have bound it before, and it may run or even have ended by now.
      return bound !== undefined && !['failed', 'cancelled'].includes(bound.state) && bound.hold === undefined
    }
    case 'through': {
      const told = wasAskedInSilence(deployment) ? () => [] : reports
      const { beside } = outcome
      const released = await store.release(deployment.id, { at: clock(), reports: told, beside })
      if (released !== undefined) {
        journal.info('deployment:released', about)
        await takeOlderBack(released, parts)
      }
      moved(deployment)
      return released !== undefined
    }
    case 'wait': {
      const { reason, until } = outcome
      const detail = mask(outcome.detail)
      waits?.(outcome)
      const { hold } = deployment
      if (hold?.reason === reason && hold.detail === detail && hold.until === until) return false
      const isSame = hold?.reason === reason && (reason !== 'deciding' || hold.detail === detail)
      const since = isSame ? hold.since : (outcome.since ?? clock())
      heldFor(deployment.id, since, parts.elapsed) // counts from now on, however the clock is set
      if (await store.hold(deployment.id, { reason, detail, since, until }, { at: clock(), reports })) {
        journal.info('deployment:held', { ...about, reason, detail })
        moved(deployment) // why it waits may be owed to somebody
      }
      return false
    }
    case 'end': {
      const { state, reason } = outcome
      const detail = mask(outcome.detail)
      const ended = await store.move(deployment.id, 'queued', state, { at: clock(), reason, detail, reports })
      if (ended !== undefined) {
        journal.info('deployment:ended', { ...about, state, reason, detail })
        await bindLoose(ended, parts)
      }
      moved(deployment)
      return false
    }
    case 'gone':
      return false
    default:
      return outcome satisfies never
  }
}

/** It was let through before, and nobody has heard that something was asked again: it still waits for its turn. */
const wasAskedInSilence = ({ hold }: Deployment): boolean =>
  hold?.reason === 'checks_stale' || hold?.reason === 'author_unknown'

/**
 * Where the latest counts alone, what goes there by itself takes back what was asked for before, once it is let through.
 * So does what may have been a fork's; all else that is asked for has done so when it came.
 */
async function takeOlderBack(
  newer: Deployment,
  { environmentOf, store, clock, reports, journal }: LookParts,
): Promise<void> {
  const { origin, ref } = newer
  const hasDone = origin === 'person' || (origin === 'deployment' && !mayBeForeign(ref))
  if (hasDone || environmentOf(newer)?.order !== 'latest') return
  for (const one of await store.supersedeOlder(newer, { at: clock(), reports }))
    journal.info('deployment:ended', {
      deployment: nameOf(one),
      id: one.id,
      state: one.state,
      reason: one.reason,
      detail: one.detail,
    })
}

const supersede = (older: Deployment, newer: Deployment, parts: LookParts): Promise<boolean> =>
  settle(
    older,
    { kind: 'end', state: 'cancelled', reason: 'superseded', detail: `Superseded by #${newer.number}.` },
    parts,
  )

const heldFor = (id: number, since: number, elapsed: Elapsed): number =>
  elapsed(`hold of ${id} since ${since}`, since)

const notOnBranch = ({ sha, branch }: Deployment): Outcome => ({
  kind: 'end',
  state: 'cancelled',
  reason: 'not_on_branch',
  detail: `${short(sha)} is not on ${branch} any more.`,
})

const NOT_SHOWN = 'GitHub does not show '

/** Its branch did not show it when that was looked at last: it may have been renamed. */
const isMissing = ({ hold }: Deployment): boolean =>
  hold?.reason === 'deciding' && hold.detail.startsWith(NOT_SHOWN)

function notShown(deployment: Deployment, elapsed: Elapsed): Outcome {
  const what = `${NOT_SHOWN}${short(deployment.sha)} on `
  const detail = `${what}${deployment.branch}`
  const { id, hold } = deployment
  // The name of the branch may have been masked.
  const isSame = hold?.reason === 'deciding' && hold.detail.startsWith(what)
  if (isSame && heldFor(id, hold.since, elapsed) >= BEHIND_MS) return notOnBranch(deployment)
  return { kind: 'wait', reason: 'deciding', detail, lookAgainMs: LOOK_AT_BRANCH_MS }
}

/** The default branch may have another name now, and a delivery may be older than that: in doubt GitHub is asked. */
async function defaultBranchOf(
  waiting: readonly Deployment[],
  { environmentOf, github }: LookParts,
): Promise<string | undefined> {
  const [first] = waiting
  const branches = new Set(waiting.map(({ branch }) => branch))
  const isSeen = branches.size === 1 && !waiting.some(isMissing)
  if (first === undefined || isSeen || environmentOf(first) === undefined) return waiting.at(-1)?.branch
  const facts = await github().repository(first.repository).catch(unlessForbidden)
  return facts?.defaultBranch ?? waiting.at(-1)?.branch
}

/** How it ends where the configuration does not want it any more. */
function unwanted(
  deployment: Deployment,
  environment: EnvironmentConfig | undefined,
  branch: string | undefined,
): Outcome | undefined {
  if (environment === undefined) return removed(deployment)
  const end = configEnds
  if (environment.via === 'none') return unwantedThere(deployment, environment, end)
  if (environment.deployOn !== deployment.origin)
    return end(`It was changed while this waited: deploy_on is ${environment.deployOn} now.`)
  return branch === deployment.branch
    ? undefined
    : end(`It was changed while this waited: the branch is ${branch} now.`)
}

const configEnds = (detail: string): Outcome => ({
  kind: 'end',
  state: 'failed',
  reason: 'config_removed',
  detail,
})

const removed = ({ repository, environment }: Deployment): Outcome =>
  configEnds(`${repository} ${environment} was removed from the configuration.`)

/** The same for what GitHub knows nothing of. */
function unwantedThere(
  { origin, branch }: Deployment,
  environment: EnvironmentConfig,
  end: (detail: string) => Outcome,
): Outcome | undefined {
  const was = 'It was changed while this waited'
  if (origin !== 'poll') return end(`${was}: via is none now.`)
  if (environment.poll === undefined) return end(`${was}: poll is off now.`)
  return environment.branch === undefined || environment.branch === branch
    ? undefined
    : end(`${was}: the branch is ${environment.branch} now.`)
}

const SHORTEST_MS = 2_000
const LONGEST_MS = 5 * 60_000
const FORBIDDEN_MS = 10 * 60_000

/** How long to wait before GitHub is asked again, and what to say meanwhile. */
function patience(thrown: GitHubError, failures: number, now: number): Waiting & { lookAgainMs: number } {
  const { limited, retryAt } = limitOf(thrown, now)
  const backoff = Math.min(SHORTEST_MS * 2 ** Math.min(failures, 10), LONGEST_MS)
  if (limited) {
    const lookAgainMs = Math.max(retryAt === undefined ? 60_000 : retryAt - now, 1_000)
    return { kind: 'wait', reason: 'github_unavailable', detail: thrown.message, lookAgainMs }
  }
  const isForbidden = [401, 403, 404].includes(thrown.status ?? 0)
  return {
    kind: 'wait',
    reason: isForbidden ? 'github_forbids' : 'github_unavailable',
    detail: thrown.message,
    lookAgainMs: isForbidden ? Math.max(backoff, FORBIDDEN_MS) : backoff,
  }
}

/** GitHub is asked for a day; what has waited for it that long should not go anywhere by itself. */
function inVain({ id, hold }: Deployment, waiting: Waiting, elapsed: Elapsed): Outcome {
  const isSame = hold?.reason === 'github_unavailable' || hold?.reason === 'github_forbids'
  if (!isSame || heldFor(id, hold.since, elapsed) < PATIENCE_MS) return waiting
  const detail = `Not deployed within 24 h: ${waiting.detail}`
  return { kind: 'end', state: 'failed', reason: 'wait_expired', detail }
}
