import { oneLine } from '../logs/one-line.ts'
import { asJson } from './as-json.ts'
import { askForJson, type ServerChoice } from './client.ts'
import { deploymentId } from './deployment-id.ts'

export interface MarkBadOptions {
  readonly server: ServerChoice
  /** A name or an id. */
  readonly deployment: string | undefined
  readonly reason: string | undefined
  readonly undo: boolean
  readonly json: boolean
}

interface Answer {
  readonly outcome: 'marked' | 'unmarked'
  readonly deployment: { readonly name: string; readonly sha: string; readonly deployed_sha?: string }
}

export async function runMarkBad(options: MarkBadOptions): Promise<number> {
  const { server, deployment, reason, undo, json } = options
  const id = await deploymentId(deployment ?? '', server)
  const body = { ...(reason === undefined ? {} : { reason }), ...(undo ? { undo } : {}) }
  const path = `/api/deployments/${id}/mark-bad`
  const answer = (await askForJson(server, { method: 'POST', path, body })) as Answer
  process.stdout.write(json ? asJson(answer) : told(answer))
  return 0
}

const WORDS = {
  marked: 'is marked bad: :previous passes over it.',
  unmarked: 'is not marked bad.',
} as const satisfies Record<Answer['outcome'], string>

const told = ({ outcome, deployment: { name, sha, deployed_sha: deployedSha = sha } }: Answer): string =>
  `${oneLine(`${name} (${deployedSha.slice(0, 7)}) ${WORDS[outcome]}`)}\n`
