import { nameOf, noteOf, recapOf, type Deployment } from '../deployment/deployment.ts'
import { errandOf } from '../deployment/errand.ts'
import { CANCELLED, FAILED, type CancelledReason, type FailedReason } from '../deployment/reasons.ts'
import type { DeploymentStatus } from '../deployment/status.ts'
import { brief } from './changes.ts'
import { countOf, duration, forceOf, oneLine, short, truncate } from './text.ts'

/** GitHub's limit. It does not say in which unit it counts; code points are what its error text calls characters. */
const MOST_CHARACTERS = 140

/** The status that says on GitHub where a deployment is. Pure. */
export function githubStatus(deployment: Deployment, logUrl: string | undefined): DeploymentStatus {
  const isTask = deployment.task !== 'deploy'
  const environmentUrl = isTask ? undefined : deployment.environmentUrl
  return {
    state: stateOf(deployment),
    description: description(deployment),
    ...(logUrl === undefined ? {} : { logUrl }),
    ...(environmentUrl === undefined ? {} : { environmentUrl }),
    ...(isTask ? { keepsOthers: true } : {}),
  }
}

/** So much of it says who forced the deployment, and why; the rest says what is. */
const MOST_FORCE = 60

function description(deployment: Deployment): string {
  const force = forceOf(deployment)
  const said = force === undefined ? '' : `; ${truncate(force, MOST_FORCE)}`
  return `${truncate(oneLine(sentence(deployment)), MOST_CHARACTERS - said.length)}${said}`
}

function stateOf({ state, reason }: Deployment): DeploymentStatus['state'] {
  switch (state) {
    case 'queued':
      return 'queued'
    case 'running':
    case 'cancelling':
      return 'in_progress'
    case 'succeeded':
      return 'success'
    case 'failed':
      return FAILED[reason as FailedReason] === 'ran' ? 'failure' : 'error'
    case 'cancelled':
      return reason === 'by_person' ? 'error' : 'inactive'
    default:
      return state satisfies never
  }
}

function sentence(deployment: Deployment): string {
  const { state, reason, detail, task, sha, deployedSha, createdAt, startedAt, finishedAt } = deployment
  switch (state) {
    case 'queued':
      return deployment.hold === undefined
        ? `Waiting in line as ${nameOf(deployment)}`
        : `Held as ${nameOf(deployment)}: ${deployment.hold.detail}`
    case 'running':
      return `${task === 'deploy' ? 'Deploying' : `Running ${task} at`} ${short(sha)} as ${nameOf(deployment)}${approvalOf(deployment)}`
    case 'cancelling':
      return `Cancelling ${nameOf(deployment)}`
    case 'succeeded': {
      if (errandOf(deployment.task) !== undefined && detail !== undefined) return detail
      const took = duration((finishedAt ?? 0) - (startedAt ?? createdAt))
      if (task !== 'deploy') return `Ran ${task} at ${short(sha)}, in ${took} (${nameOf(deployment)})`
      const what = deployedSha === undefined ? short(sha) : `${short(deployedSha)}, asked for ${short(sha)}`
      return `Deployed ${what}${broughtBy(deployment)}${whereOf(deployment)}${noted(deployment)}, in ${took} (${nameOf(deployment)})`
    }
    case 'failed':
      return detail ?? `Failed: ${reason}`
    case 'cancelled':
      return detail ?? CANCELLED[reason as CancelledReason]
    default:
      return state satisfies never
  }
}

function broughtBy({ changes }: Deployment): string {
  const words = changes && brief(changes)
  return words === undefined ? '' : ` (${words})`
}

const noted = (deployment: Deployment): string => {
  const note = noteOf(deployment)
  return note === undefined ? '' : `: ${note}`
}

const approvalOf = ({ approvedBy }: Deployment): string =>
  approvedBy === undefined ? '' : `, approved by ${approvedBy}`

/** Of a playbook: on how many hosts, and whether anybody knows what is there now. */
function whereOf(deployment: Deployment): string {
  const recap = recapOf(deployment)
  if (recap === undefined) return ''
  const doubt = recap.hasReportedCommit ? '' : ', version not verified'
  return ` to ${countOf(recap.hostCount, 'host')}${doubt}`
}
