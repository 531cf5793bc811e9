import { oneLine } from '../logs/one-line.ts'
import { asJson } from './as-json.ts'
import { askForJson, type ServerChoice } from './client.ts'
import { deploymentId } from './deployment-id.ts'
import type { Shown } from './follow.ts'

export interface ForceOptions {
  readonly server: ServerChoice
  /** A name or an id. */
  readonly deployment: string | undefined
  readonly reason: string | undefined
  readonly json: boolean
}

interface Answer {
  readonly outcome: 'forced' | 'forced_already'
  readonly deployment: Shown
}

export async function runForce({ server, deployment, reason, json }: ForceOptions): Promise<number> {
  const id = await deploymentId(deployment ?? '', server)
  const path = `/api/deployments/${id}/force`
  const body = reason === undefined ? {} : { reason }
  const answer = (await askForJson(server, { method: 'POST', path, body })) as Answer
  process.stdout.write(json ? asJson(answer) : told(answer))
  return 0
}

const WORDS = {
  forced: 'is forced',
  forced_already: 'was forced before',
} as const satisfies Record<Answer['outcome'], string>

const told = ({ outcome, deployment: { name, forced } }: Answer): string =>
  `${oneLine(`${name} ${WORDS[outcome]} by ${forced?.by}: ${forced?.why}`)}\n`
