import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { oneLine } from '../logs/one-line.ts'
import { asJson } from './as-json.ts'
import { askForJson, dataDirOf, type ServerChoice } from './client.ts'
import { deploymentId } from './deployment-id.ts'
import { lineOf, type Shown } from './follow.ts'
import { moment, table } from './table.ts'

interface ShowOptions {
  readonly server: ServerChoice
  /** A name or an id. */
  readonly deployment: string | undefined
  readonly json: boolean
}

/** A deployment with its history, as the server shows it. */
interface Detailed extends Shown {
  readonly ref: string
  readonly task: string
  readonly actor: string
  readonly creator: string
  readonly asked_because?: string
  readonly approved_by?: string
  readonly marked_bad?: { readonly by: string; readonly reason?: string }
  readonly asked_at: string
  readonly started_at: string | null
  readonly finished_at: string | null
  readonly steps: readonly Step[]
  readonly log_url: string | null
}

interface Step {
  readonly name: string
  readonly label: string | null
  readonly hook: keyof typeof HOOKS | null
  readonly ended: 'succeeded' | 'failed' | 'skipped'
  readonly exit_code: number | null
  readonly signal: string | null
  readonly skipped: string | null
  readonly note: string | null
  readonly seconds: number
  readonly recap: { readonly hosts: readonly Host[]; readonly host_count: number } | null
}

interface Host {
  readonly name: string
  readonly ok: number
  readonly changed: number
  readonly unreachable: number
  readonly failed: number
  readonly problem: string | null
}

export async function runShow({ server, deployment, json }: ShowOptions): Promise<number> {
  const path = `/api/deployments/${await deploymentId(deployment ?? '', server)}`
  const answer = (await askForJson(server, { method: 'GET', path })) as { readonly deployment: Detailed }
  process.stdout.write(
    json
      ? asJson(answer.deployment)
      : deploymentTold(answer.deployment, logBeside(answer.deployment, server)),
  )
  return 0
}

/** The folder of its log, for whoever has no link to it: without `server.public_url`, or of a public repository. */
function logBeside({ id, log_url: link }: Detailed, server: ServerChoice): string | undefined {
  if (link !== null) return undefined
  const folder = join(dataDirOf(server), 'logs', String(id))
  return existsSync(folder) ? folder : undefined
}

/** A deployment for people: how it stands, the facts, its steps, and the hosts of its playbooks. */
export function deploymentTold(shown: Detailed, logFolder?: string): string {
  const facts = factsOf(shown, logFolder)
  const width = Math.max(...facts.map(([about]) => about.length))
  const lines = facts.map(([about, says]) => `  ${about.padEnd(width)}  ${oneLine(says)}\n`)
  const hosts = shown.steps.flatMap(({ recap }) => (recap === null ? [] : [recap]))
  return [
    `${oneLine(`${shown.name}: ${lineOf(shown)}`)}\n\n`,
    ...lines,
    ...(shown.steps.length === 0 ? [] : ['\n', table(['STEP', 'ENDED', 'TOOK'], shown.steps.map(rowOf))]),
    ...hosts.map(hostsTold),
  ].join('')
}

function factsOf(shown: Detailed, logFolder: string | undefined): (readonly [string, string])[] {
  const { sha, ref, task, actor, creator, forced, reason, marked_bad: bad, log_url: log } = shown
  const what = task === 'deploy' ? 'deploy' : `the task ${task} at`
  const through = actor === creator ? '' : ` through ${creator}`
  const because = shown.asked_because === undefined ? '' : `: ${shown.asked_because}`
  const possible: readonly (readonly [string, string | undefined])[] = [
    ['what', `${what} ${sha.slice(0, 7)} (${ref})`],
    ['who', `${actor}${through}${because}`],
    ['when', whenOf(shown)],
    ['why', reason],
    ['approved', shown.approved_by === undefined ? undefined : `by ${shown.approved_by}`],
    ['forced', forced === undefined ? undefined : `by ${forced.by}: ${forced.why}`],
    ['bad', bad && `marked by ${bad.by}${bad.reason === undefined ? '' : `: ${bad.reason}`}`],
    ['log', log ?? logFolder],
  ]
  return possible.flatMap(([about, says]) => (says === undefined ? [] : [[about, says] as const]))
}

const whenOf = ({ asked_at: asked, started_at: began, finished_at: ended }: Detailed): string =>
  [
    `asked ${moment(asked)}`,
    ...(began === null ? [] : [`began ${moment(began)}`]),
    ...(ended === null ? [] : [`ended ${moment(ended)}`]),
  ].join(', ') + ' (UTC)'

const HOOKS = {
  before: 'before',
  verify: 'verify',
  after_success: 'after success',
  after_failure: 'after failure',
} as const

function rowOf({
  name,
  label,
  hook,
  ended,
  exit_code: exit,
  signal,
  skipped,
  note,
  seconds,
}: Step): string[] {
  const words = label === null ? name : `${label}: ${name}`
  const how = exit === null ? (signal === null ? ended : `ended by ${signal}`) : `exit ${exit}`
  return [
    hook === null ? words : `${HOOKS[hook]}: ${words}`,
    skipped === null ? (note === null ? how : `${how}: ${note}`) : `skipped: ${skipped}`,
    skipped === null ? `${seconds.toFixed(1)} s` : '',
  ]
}

function hostsTold({ hosts, host_count: count }: NonNullable<Step['recap']>): string {
  const rows = hosts.map(({ name, ok, changed, unreachable, failed, problem }) => [
    name,
    ...[ok, changed, unreachable, failed].map(String),
    problem ?? '',
  ])
  const more = count > hosts.length ? `… and ${count - hosts.length} more hosts\n` : ''
  return `\n${table(['HOST', 'OK', 'CHANGED', 'UNREACHABLE', 'FAILED', 'PROBLEM'], rows)}${more}`
}
