import { isDeepStrictEqual } from 'node:util'

import type { Wish } from './cancel.ts'
import { cancelledByPeople, staysCancelled } from './cancelled.ts'
import type { JournalLine } from './journal.ts'
import type { Living } from './living.ts'
import type { RecordedDeployment, Records } from './records.ts'

/** Everything that can be seen of a world from the outside when the dust has settled and the server has ended. */
export interface Observation {
  /** What was sent to the server, with its answer; 0: none came. */
  readonly sent: readonly Sent[]
  /** What was acknowledged and sent once more when everything had its end. */
  readonly repeats: readonly Sent[]
  readonly records: Records
  readonly github: readonly GitHubDeployment[]
  /** GitHub's ids of the deployments that were made last, one for each environment. */
  readonly probes: readonly number[]
  readonly journal: readonly JournalLine[]
  /** What came to Slack, answered or not, and when. */
  readonly messages: readonly { readonly body: string; readonly at: number }[]
  /** When the server wrote into its log that a report was delivered. */
  readonly deliveredAt: ReadonlyMap<number, number>
  /** What was refused for good in the last life, before anybody had it sent again. */
  readonly refused: Refused
  /** GUIDs of what could not be delivered and was left to the server, when some of it was never fetched. */
  readonly unfetched: readonly string[]
  /** What people wanted to be cancelled, and what they were answered. */
  readonly wishes: readonly Wish[]
  /** What earlier lives had started, and the last one did not end. */
  readonly survivors: readonly Living[]
  /** Who lives when the last life has ended. */
  readonly living: readonly Living[]
  /** Files in the data directory that should not be there. */
  readonly leftovers: readonly string[]
}

interface Sent {
  readonly guid: string
  readonly status: number
}

interface Refused {
  /** So many reports were sent and refused; what is asked before they are sent may be refused as well. */
  readonly atLeast: number
  readonly atMost: number
  /** So many were given up. */
  readonly givenUp: number
  /** Which `ferryman outbox` shows, and which are recorded, of this and of earlier lives. */
  readonly shown: readonly number[]
  readonly recorded: readonly number[]
}

interface GitHubDeployment {
  readonly id: number
  /** What Ferryman gave it to know it again, where Ferryman asked for it. */
  readonly nonce?: string | undefined
  readonly statuses: readonly Status[]
}

interface Status {
  readonly state: string
  readonly description: string
}

type Invariant = (seen: Observation) => readonly string[]

export interface Violation {
  readonly invariant: string
  readonly what: string
}

/** What must be true of every observation. Pure; each answers with a sentence for everything that breaks it. */
export const INVARIANTS = {
  'the database can be read': readable,
  'every delivery answered 2xx is recorded once': recordedOnce,
  'what was forged is not recorded': nothingForged,
  'what comes again is known': knownAgain,
  'every recorded delivery has its outcome': hasOutcome,
  'no command runs twice': runsOnce,
  'no two deployments of a lane overlap': neverOverlaps,
  'every deployment of GitHub is known, and final there once and in legal order': finalOnGitHub,
  'nothing is made at GitHub twice': madeOnce,
  'nothing is told again that was delivered': toldOnce,
  'what GitHub was told is what happened': truthful,
  'what was cancelled never runs afterwards': staysCancelled,
  'nothing is cancelled that nobody cancelled': cancelledByPeople,
  'lanes are free at the end': lanesAreFree,
  'what is refused for good is given up and shown, and nothing else': givesUp,
  'what was refused is delivered when it is sent again': deliveredAgain,
  'what could not be delivered is fetched': fetched,
  'nothing is owed at the end': nothingOwed,
  'no process of an earlier life exists': nobodyLives,
  'nothing is left in the data directory': nothingLeft,
} as const satisfies Readonly<Record<string, Invariant>>

/** Holds every invariant against the observation. */
export const violationsOf = (seen: Observation): readonly Violation[] =>
  Object.entries(INVARIANTS).flatMap(([invariant, broken]) =>
    broken(seen).map((what) => ({ invariant, what })),
  )

function readable({ records: { unreadable } }: Observation): string[] {
  return unreadable === undefined ? [] : [`it says: ${unreadable}`]
}

function recordedOnce({ sent, records }: Pick<Observation, 'sent' | 'records'>): string[] {
  const rows = Map.groupBy(records.deliveries, ({ guid }) => guid)
  const acknowledged = sent.filter(({ status }) => status >= 200 && status < 300)
  return [...new Set(acknowledged.map(({ guid }) => guid))].flatMap((guid) => {
    const count = rows.get(guid)?.length ?? 0
    return count === 1 ? [] : [`delivery ${guid} was acknowledged and is recorded ${count} times`]
  })
}

function nothingForged({ sent, records }: Observation): string[] {
  const forged = new Set(sent.filter(({ status }) => status === 401).map(({ guid }) => guid))
  return records.deliveries
    .filter(({ guid }) => forged.has(guid))
    .map(({ guid }) => `delivery ${guid} was refused and is recorded`)
}

function knownAgain({ repeats }: Observation): string[] {
  return repeats
    .filter(({ status }) => status !== 200)
    .map(
      ({ guid, status }) => `delivery ${guid} had been taken, and was answered ${status} when it came again`,
    )
}

function hasOutcome({ records }: Observation): string[] {
  const led = new Set(records.deployments.map(({ deliveryId }) => deliveryId))
  const without = records.deliveries
    .filter(({ verdict, id }) => verdict === 'queued' && !led.has(id))
    .map(({ guid }) => `delivery ${guid} was queued, and there is no deployment of it`)
  const unfinished = records.deployments
    .filter(({ state }) => !FINAL.has(state))
    .map(({ name, state }) => `${name} is still ${state}`)
  return [...without, ...unfinished]
}

const FINAL: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled'])

function runsOnce({ journal }: Observation): string[] {
  const starts = Map.groupBy(
    journal.filter(({ what }) => what === 'start'),
    ({ deployment, step }) => `step ${step} of deployment ${deployment}`,
  )
  return [...starts]
    .filter(([, lines]) => lines.length > 1)
    .map(([what, lines]) => `${what} was started ${lines.length} times`)
}

function neverOverlaps({ journal }: Observation): string[] {
  return journal
    .filter(({ what }) => what === 'overlap')
    .map(({ deployment, rest }) => `deployment ${deployment} found somebody else in lane ${rest}`)
}

const ORDER = ['held', 'queued', 'in_progress', 'cancelling', 'final']
const phaseOf = ({ state, description }: Status): string => {
  if (['success', 'failure', 'error', 'inactive'].includes(state)) return 'final'
  if (state === 'queued' && description.startsWith('Held as ')) return 'held' // GitHub did not say whether it may
  return state === 'in_progress' && description.startsWith('Cancelling') ? 'cancelling' : state
}

function finalOnGitHub({ github, records }: Observation): string[] {
  const known = new Set(records.deployments.map(({ githubId }) => githubId))
  return github.flatMap(({ id, statuses }) => {
    if (!known.has(id)) return [`deployment ${id} is not known`]
    const places = statuses.map((status) => ORDER.indexOf(phaseOf(status)))
    const isNews = (at: number): boolean =>
      places[at] === 0 && statuses[at]?.description !== statuses[at - 1]?.description // held by something else
    const rises = places.every((place, at) => {
      const before = places[at - 1] ?? -1
      return place > before || (place === before && isNews(at))
    })
    if (rises && places.at(-1) === ORDER.length - 1) return []
    const told = statuses.map(({ state, description }) => `${state} "${description}"`)
    return [`deployment ${id} has the statuses ${told.join(', ') || 'none'}`]
  })
}

function madeOnce({ github }: Observation): string[] {
  const ours = Map.groupBy(
    github.filter(({ nonce }) => nonce !== undefined),
    ({ nonce }) => nonce,
  )
  return [...ours.values()]
    .filter((same) => same.length > 1)
    .map(
      (same) => `deployments ${same.map(({ id }) => id).join(' and ')} were made for the same merge or push`,
    )
}

function toldOnce({ messages, records, deliveredAt }: Observation): string[] {
  const reports = new Map(records.messages.map(({ id, body }) => [body, id]))
  return messages.flatMap(({ body, at }) => {
    const report = reports.get(body)
    const settledAt = report === undefined ? undefined : deliveredAt.get(report)
    return settledAt === undefined || at <= settledAt
      ? []
      : [`report ${report} came to Slack ${at - settledAt} ms after it had been delivered`]
  })
}

/** Which last status fits how a deployment ended. */
const SAID: Readonly<Record<string, readonly string[]>> = {
  succeeded: ['success'],
  failed: ['failure', 'error'],
  cancelled: ['inactive', 'error'],
}

function truthful(seen: Observation): string[] {
  const statuses = new Map(seen.github.map(({ id, statuses }) => [id, statuses.at(-1)]))
  const lines = Map.groupBy(seen.journal, ({ deployment }) => deployment)
  return seen.records.deployments.flatMap((deployment) => {
    const { githubId, name, state, reason } = deployment
    const said = githubId === null ? undefined : statuses.get(githubId)
    const wrong = untrue(deployment, lines.get(deployment.id) ?? [])
    if (said === undefined || phaseOf(said) !== 'final') return wrong // told by another invariant
    if (SAID[state]?.includes(said.state) !== true)
      return [...wrong, `${name} ended as ${state}, and GitHub was told ${said.state}`]
    if (TELLING.every(([why, words]) => (reason === why) === said.description.startsWith(words))) return wrong
    return [...wrong, `${name} ended by ${reason}, and GitHub was told "${said.description}"`]
  })
}

/** Reasons that are told in words which nothing else is told in. */
const TELLING = [
  ['interrupted', 'Interrupted'],
  ['by_person', 'Cancelled by '],
] as const

/** Whether the end that was written down fits what the commands saw. */
function untrue({ name, state, reason }: RecordedDeployment, lines: readonly JournalLine[]): string[] {
  const started = lines.filter(({ what }) => what === 'start').length
  const ends = lines.filter(({ what }) => what === 'end')
  const isDone = started > 0 && ends.length === started && ends.every(({ rest }) => rest === '0')
  if (state === 'succeeded' && !isDone)
    return [`${name} succeeded, but of ${started} steps ${ends.length} ended`]
  if (reason === 'command_failed' && ends.at(-1)?.rest === '0')
    return [`${name} failed, but its last command succeeded`]
  if (state === 'cancelled' && reason !== 'by_person' && started > 0)
    return [`${name} was taken back, but it ran`]
  return []
}

function lanesAreFree({ github, probes }: Observation): string[] {
  const last = new Map(github.map(({ id, statuses }) => [id, statuses.at(-1)]))
  return probes
    .filter((id) => last.get(id)?.state !== 'success')
    .map(
      (id) =>
        `the last deployment, ${id}, is ${last.get(id)?.state ?? 'not there'}: ${last.get(id)?.description ?? ''}`,
    )
}

function nothingOwed({ records }: Observation): string[] {
  return records.owed === 0 ? [] : [`${records.owed} reports are still owed`]
}

function givesUp({ refused: { atLeast, atMost, givenUp, shown, recorded } }: Observation): string[] {
  return [
    ...(givenUp < atLeast ? [`${atLeast} reports were refused for good, and ${givenUp} given up`] : []),
    ...(givenUp > atMost ? [`${givenUp} reports were given up, and ${atMost} refused for good`] : []),
    ...(isDeepStrictEqual(shown, recorded)
      ? []
      : [`${recorded.join(', ') || 'nothing'} was refused, and ${shown.join(', ') || 'nothing'} is shown`]),
  ]
}

function deliveredAgain({ records }: Observation): string[] {
  return records.refused
    .filter(({ isNewest }) => isNewest)
    .map(({ id, channel }) => `report ${id} to ${channel} is still refused`)
}

function fetched({ unfetched }: Observation): string[] {
  return unfetched.length === 0 ? [] : [`of ${unfetched.join(', ')} not all was fetched`]
}

function nobodyLives({ survivors, living, records }: Observation): string[] {
  const recorded = records.deployments.filter(({ processes }) => processes > 0)
  return [
    ...survivors.map(({ pid, command }) => `process ${pid} outlived the start that followed: ${command}`),
    ...living.map(({ pid, command }) => `process ${pid} lives: ${command}`),
    ...recorded.map(({ name }) => `${name} has ended, and its processes are still written down`),
  ]
}

function nothingLeft({ leftovers }: Observation): string[] {
  return leftovers.map((name) => `${name} is still there`)
}
