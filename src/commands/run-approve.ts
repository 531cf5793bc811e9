import { moment } from '../deployment/gates.ts'
import { oneLine } from '../logs/one-line.ts'
import { asJson } from './as-json.ts'
import { askForJson, type ServerChoice } from './client.ts'
import { deploymentId } from './deployment-id.ts'

export interface ApproveOptions {
  readonly server: ServerChoice
  /** A name or an id. */
  readonly deployment: string | undefined
  readonly undo: boolean
  readonly json: boolean
}

interface About {
  readonly by: string
  readonly deployment: { readonly name: string; readonly sha: string }
}
type Answer =
  | (About & { readonly outcome: 'approved'; readonly until: string; readonly waits_for: string | null })
  | (About & { readonly outcome: 'taken_back' })

export async function runApprove({ server, deployment, undo, json }: ApproveOptions): Promise<number> {
  const id = await deploymentId(deployment ?? '', server)
  const path = `/api/deployments/${id}/approve`
  const answer = (await askForJson(server, { method: 'POST', path, body: undo ? { undo } : {} })) as Answer
  process.stdout.write(json ? asJson(answer) : told(answer))
  return 0
}

function told(answer: Answer): string {
  const { by, deployment } = answer
  const what = `${deployment.name} (${deployment.sha.slice(0, 7)})`
  if (answer.outcome === 'taken_back') return `${oneLine(`${by} has taken the approval of ${what} back.`)}\n`
  const still = answer.waits_for === null ? '' : ` It still waits: ${answer.waits_for}.`
  return `${oneLine(`${what} is approved by ${by} until ${moment(Date.parse(answer.until))}.${still}`)}\n`
}
