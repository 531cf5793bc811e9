import {
  nameOf,
  noteOf,
  recapOf,
  wordsFor,
  type Deployment,
  type HostResult,
} from '../deployment/deployment.ts'
import { errandOf } from '../deployment/errand.ts'
import type { State } from '../deployment/state.ts'
import { changesBlocks } from './changes.ts'
import type { FailureStreak } from '../store/store.ts'
import { code, codeBlock, escape, link, mrkdwn, section } from './mrkdwn.ts'
import { countOf, duration, forceOf, oneLine, short, truncate } from './text.ts'

/** A message as a Slack incoming webhook takes it; `text` is what notifications show. */
export interface SlackMessage {
  readonly text: string
  readonly blocks: readonly object[]
}

/** A message of one paragraph of mrkdwn; `text` is what notifications show. */
export const slackMessageOf = (paragraph: string, text: string): SlackMessage => ({
  text,
  blocks: [section(paragraph)],
})

const MARKS = {
  queued: ':hourglass:',
  running: ':rocket:',
  cancelling: ':hourglass:',
  succeeded: ':white_check_mark:',
  failed: ':x:',
  cancelled: ':no_entry_sign:',
} as const satisfies Record<State, string>

export interface Surroundings {
  readonly logUrl: string | undefined
  /** The last lines of the step that failed, secrets masked; empty where nothing failed. */
  readonly lastLines: readonly string[]
  /** Where people read its repository: `https://github.com`; undefined: nowhere that we know of. */
  readonly githubUrl: string | undefined
  /** That somebody has just forced it is what is told. */
  readonly isForceNews?: boolean
  /** The failures that it has put an end to. */
  readonly streak?: FailureStreak | undefined
  /** It failed, and nothing more is said of the environment until it works again. */
  readonly silenceFollows?: boolean
}

/** Says in Slack where a deployment is. Pure; every word from outside is escaped. */
export function slackMessage(
  deployment: Deployment,
  { logUrl, lastLines, githubUrl, isForceNews = false, streak, silenceFollows = false }: Surroundings,
): SlackMessage {
  const { repository, environment, sha, ref, detail, hold } = deployment
  const verb = isForceNews ? 'Forced' : recoveredOr(verbOf(deployment), streak)
  const after = afterOf(streak)
  const force = escape(forceOf(deployment) ?? '', MOST_WORDS)
  const commit =
    githubUrl === undefined ? short(sha) : link(`${githubUrl}/${repository}/commit/${sha}`, short(sha))
  const where = `*${escape(repository, 200)}* to *${escape(environment, 100)}*`
  const doubt = doubtOf(deployment)
  const headline = `${MARKS[deployment.state]} ${verb} ${where}${doubt}`
  const facts = [
    `${commit} (${code(ref, 200)})`,
    whoOf(deployment),
    saidOf(deployment),
    force,
    tookOf(deployment),
    after,
    silenceFollows ? 'further failures are told when it works again' : '',
    environmentOf(deployment),
    logOf(logUrl),
  ]
  const reason = detail ?? hold?.detail
  const [why, because] =
    reason === undefined ? ['', ''] : [`\n${escape(reason, MOST_DETAIL)}`, `: ${escape(reason, MOST_DETAIL)}`]
  return {
    text: `${verb} ${escape(nameOf(deployment), 300)} at ${short(sha)}${doubt}, by ${escape(deployment.actor, 100)}${after === '' ? '' : `, ${after}`}${because}${force === '' ? '' : ` (${force})`}`,
    blocks: [
      section(`${headline}${why}`),
      {
        type: 'context',
        elements: facts.filter((fact) => fact !== '').map(mrkdwn),
      },
      ...(githubUrl === undefined ? [] : changesBlocks(deployment, githubUrl)),
      ...hostsOf(deployment),
      ...(lastLines.length === 0 ? [] : [section(quoted(lastLines))]),
    ],
  }
}

const ERRAND_VERBS = {
  lock: { succeeded: 'Locked', failed: 'Could not lock' },
  unlock: { succeeded: 'Unlocked', failed: 'Could not unlock' },
} as const

function verbOf({ state, hold, task, sha, deployedSha }: Deployment): string {
  const errand = errandOf(task)
  if (errand !== undefined && (state === 'succeeded' || state === 'failed'))
    return ERRAND_VERBS[errand][state]
  if (errand === undefined && task !== 'deploy') return TASK_VERBS[state](task, hold)
  switch (state) {
    case 'queued':
      return hold === undefined ? 'Queued' : 'Held'
    case 'running':
      return 'Deploying'
    case 'cancelling':
      return 'Cancelling'
    case 'succeeded':
      return deployedSha === undefined
        ? 'Deployed'
        : `Deployed ${short(deployedSha)}, asked for ${short(sha)}:`
    case 'failed':
      return 'Could not deploy'
    case 'cancelled':
      return 'Cancelled'
    default:
      return state satisfies never
  }
}

/** What is said of another task than to deploy. */
const TASK_VERBS: Readonly<Record<Deployment['state'], (task: string, hold: Deployment['hold']) => string>> =
  {
    queued: (task, hold) => `${hold === undefined ? 'Queued' : 'Held'}: ${named(task)} for`,
    running: (task) => `Running ${named(task)} for`,
    cancelling: (task) => `Cancelling ${named(task)} for`,
    succeeded: (task) => `Ran ${named(task)} for`,
    failed: (task) => `Could not run ${named(task)} for`,
    cancelled: (task) => `Cancelled ${named(task)} for`,
  }

const named = (task: string): string => escape(task, MOST_NAME)

/** A playbook works elsewhere: unless it says which commit is there now, nobody knows; and what its steps say. */
function doubtOf(deployment: Deployment): string {
  if (deployment.state !== 'succeeded') return ''
  if (recapOf(deployment)?.hasReportedCommit === false) return ', version not verified'
  const note = noteOf(deployment)
  return note === undefined ? '' : `, ${escape(note, 100)}`
}

/** What a success has put an end to. */
const afterOf = (streak: FailureStreak | undefined): string =>
  streak === undefined
    ? ''
    : `after ${countOf(streak.failures, 'failure')} since ${new Date(streak.since).toISOString().slice(0, 16).replace('T', ' ')} UTC`

const recoveredOr = (verb: string, streak: FailureStreak | undefined): string =>
  streak === undefined ? verb : `Recovered: ${verb.slice(0, 1).toLowerCase()}${verb.slice(1)}`

const whoOf = ({ actor, creator, approvedBy, number }: Deployment): string =>
  `#${number} by ${escape(actor, 100)}${actor === creator ? '' : ` (through ${escape(creator, 100)})`}${
    approvedBy === undefined ? '' : `, approved by ${escape(approvedBy, 100)}`
  }`

/** What they said when they asked for it. */
function saidOf(deployment: Deployment): string {
  const words = wordsFor(deployment)
  return words === undefined ? '' : `“${escape(words, MOST_WORDS)}”`
}

const tookOf = ({ startedAt, finishedAt }: Deployment): string =>
  startedAt === undefined || finishedAt === undefined ? '' : `took ${duration(finishedAt - startedAt)}`

/** Where the result can be seen, once there is one. */
const environmentOf = ({ state, task, environmentUrl }: Deployment): string =>
  state === 'succeeded' && task === 'deploy' && environmentUrl !== undefined
    ? link(environmentUrl, 'open')
    : ''

/** A text holds 3,000 characters, and a longer one would cost the whole message. */
const MOST_LINK = 2_500

const logOf = (logUrl: string | undefined): string =>
  logUrl === undefined || logUrl.length > MOST_LINK ? '' : link(logUrl, 'log')

const MOST_HOSTS = 10
const MOST_NAME = 40

/** How the hosts of a playbook fared, as a short table, those in trouble first. */
function hostsOf(deployment: Deployment): object[] {
  const recap = recapOf(deployment)
  if (recap === undefined || recap.hostCount === 0) return []
  const shown = recap.hosts.slice(0, MOST_HOSTS).map(rowOf)
  const width = Math.max(...shown.map(({ name }) => name.length))
  const rows = shown.map(({ name, counts }) => `${name.padEnd(width)}  ${counts}`)
  const more = recap.hostCount - shown.length
  const lines = more > 0 ? [...rows, `… and ${countOf(more, 'more host')}`] : rows
  return [section(codeBlock(lines.join('\n')))]
}

const rowOf = ({ name, ok, changed, unreachable, failed }: HostResult) => ({
  name: truncate(oneLine(name.replaceAll('`', "'")), MOST_NAME),
  counts: `ok=${ok} changed=${changed} unreachable=${unreachable} failed=${failed}`,
})

// A section holds 3,000 characters, and escaping makes a character up to five times as long.
const MOST_DETAIL = 350
const MOST_WORDS = 320
const MOST_QUOTED = 560

function quoted(lines: readonly string[]): string {
  const text = lines.map((line) => line.replaceAll('`', "'").trimEnd()).join('\n')
  const tail = text.length > MOST_QUOTED ? `…${text.slice(-MOST_QUOTED)}`.toWellFormed() : text.toWellFormed()
  return codeBlock(tail)
}
