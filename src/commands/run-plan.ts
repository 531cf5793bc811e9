import { problem } from '../errors.ts'
import { oneLine } from '../logs/one-line.ts'
import { asJson } from './as-json.ts'
import { askForJson, type ServerChoice } from './client.ts'
import { DELIVERY, isDelivery } from './run-deliveries.ts'
import { wordsOf } from './run-deploy.ts'

interface PlanOptions {
  readonly server: ServerChoice
  /** The repository, the environment and the ref; the last two may be left out. */
  readonly words: readonly string[]
  readonly task: string | undefined
  readonly delivery: string | undefined
  readonly json: boolean
}

interface Step {
  readonly phase: keyof typeof PHASES
  readonly name: string
  readonly label?: string
  readonly timeout_seconds?: number
  readonly run_as?: string
  readonly only_if_changed?: readonly string[]
  readonly on_failure: keyof typeof ON_FAILURE
}

interface Plan {
  readonly repository: string
  readonly environment: string
  readonly task: string
  readonly sha: string
  readonly ref: string
  readonly previous_sha?: string
  readonly lane: string
  readonly folder: string
  readonly user: string
  readonly timeout_seconds: number
  readonly waits?: { readonly reason: string; readonly detail: string }
  readonly refused?: { readonly reason: string; readonly detail: string }
  readonly steps: readonly Step[]
  readonly variables: Readonly<Record<string, string>>
}

interface OfDelivery {
  readonly verdict: string
  readonly detail?: string
  readonly plans: readonly Plan[]
}

export async function runPlan({ server, words, task, delivery, json }: PlanOptions): Promise<number> {
  if (delivery !== undefined) {
    if (words.length > 0 || task !== undefined)
      throw problem('request_wrong', { list: 'either --delivery or a repository and its task, not both' })
    if (!isDelivery(delivery)) throw problem('request_wrong', { list: DELIVERY })
    const path = `/api/deliveries/${delivery}/plan`
    const answer = (await askForJson(server, { method: 'GET', path })) as OfDelivery
    const detail = answer.detail === undefined ? '' : `: ${answer.detail}`
    show(answer, json, [`${answer.verdict}${detail}`, ...answer.plans.map(told)])
    return answer.plans.some(({ refused }) => refused === undefined) ? 0 : 1
  }
  const wanted = { ...wordsOf(words), ...(task === undefined ? {} : { task }) }
  const path = `/api/plan?${new URLSearchParams(wanted).toString()}`
  const answer = (await askForJson(server, { method: 'GET', path })) as Plan
  show(answer, json, [told(answer)])
  return answer.refused === undefined ? 0 : 1
}

const show = (answer: object, json: boolean, texts: readonly string[]): unknown =>
  process.stdout.write(json ? asJson(answer) : `${texts.join('\n\n')}\n`)

const PHASES = {
  before: 'before',
  work: 'work',
  verify: 'verify',
  after_success: 'after success',
  after_failure: 'after failure',
} as const

const ON_FAILURE = {
  ends: undefined,
  goes_on: 'may fail',
  holds: 'holds it when it fails',
  holds_on_75: 'exit 75 holds it',
} as const

function told(plan: Plan): string {
  const {
    repository,
    environment,
    task,
    sha,
    ref,
    previous_sha: previousSha,
    waits,
    refused,
    steps,
    variables,
  } = plan
  const what = task === 'deploy' ? 'deploy' : `run the task ${task} for`
  const after = previousSha === undefined ? 'nothing is there yet' : `now ${previousSha.slice(0, 7)} is there`
  const facts = [
    ['where', `${plan.folder}, in the lane ${plan.lane}`],
    ['as', `${plan.user}, for at most ${plan.timeout_seconds} s`],
    ...(waits === undefined ? [] : [['waits', `${waits.detail} (${waits.reason})`]]),
    ...(refused === undefined ? [] : [['refused', `${refused.detail} (${refused.reason})`]]),
    ...steps.map((step, index) => [
      step.phase === steps[index - 1]?.phase ? '' : PHASES[step.phase],
      `${step.name}${about(step)}`,
    ]),
    ...Object.entries(variables).map(([name, value], index) => [
      index === 0 ? 'with' : '',
      `${name}=${value}`,
    ]),
  ]
  const width = Math.max(...facts.map(([name = '']) => name.length))
  const lines = facts.map(([name = '', says = '']) => `  ${name.padEnd(width)}  ${oneLine(says)}`)
  const head = `${repository} ${environment}: would ${what} ${sha.slice(0, 7)} (${ref}); ${after}`
  return [oneLine(head), ...lines].join('\n')
}

function about(step: Step): string {
  const {
    label,
    timeout_seconds: timeoutSeconds,
    run_as: runAs,
    only_if_changed: onlyIfChanged,
    phase,
  } = step
  const said = [
    label,
    timeoutSeconds === undefined ? undefined : `at most ${timeoutSeconds} s`,
    runAs === undefined ? undefined : `as ${runAs}`,
    onlyIfChanged === undefined ? undefined : `if ${onlyIfChanged.join(' or ')} has changed`,
    phase.startsWith('after') ? undefined : ON_FAILURE[step.on_failure],
  ].filter((one) => one !== undefined)
  return said.length === 0 ? '' : `  # ${said.join(', ')}`
}
