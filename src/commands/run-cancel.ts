import { oneLine } from '../logs/one-line.ts'
import { asJson } from './as-json.ts'
import { askForJson, type ServerChoice } from './client.ts'
import { deploymentId } from './deployment-id.ts'

export interface CancelOptions {
  readonly server: ServerChoice
  /** A name or an id. */
  readonly deployment: string | undefined
  readonly reason: string | undefined
  readonly json: boolean
}

interface Answer {
  readonly outcome: 'cancelled' | 'cancelling' | 'cancelling_unrecorded' | 'cancelling_already'
  readonly deployment: { readonly name: string; readonly detail?: string }
}

export async function runCancel({ server, deployment, reason, json }: CancelOptions): Promise<number> {
  const id = await deploymentId(deployment ?? '', server)
  const path = `/api/deployments/${id}/cancel`
  const body = reason === undefined ? {} : { reason }
  const answer = (await askForJson(server, { method: 'POST', path, body })) as Answer
  process.stdout.write(json ? asJson(answer) : told(answer))
  return 0
}

const WORDS = {
  cancelled: 'is cancelled. It had not begun.',
  cancelling: 'is being cancelled: it ends when the last of its processes is gone.',
  cancelling_unrecorded:
    'is being ended. That it was cancelled is recorded as soon as the database can be written.',
  cancelling_already: 'is being cancelled already.',
} as const satisfies Record<Answer['outcome'], string>

const told = ({ outcome, deployment: { name, detail } }: Answer): string =>
  `${oneLine(`${name} ${WORDS[outcome]}${detail === undefined ? '' : ` ${detail}`}`)}\n`
