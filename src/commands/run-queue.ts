import { asJson } from './as-json.ts'
import { askForJson, type ServerChoice } from './client.ts'
import { moment, table } from './table.ts'

interface QueueOptions {
  readonly server: ServerChoice
  readonly repository: string | undefined
  readonly environment: string | undefined
  readonly json: boolean
}

interface Shown {
  readonly name: string
  readonly sha: string
  readonly ref: string
  readonly by: string
  readonly state: string
  readonly asked_at: string
  readonly started_at: string | null
  readonly position: number | null
  readonly starts_at: string | null
  readonly hold: { readonly detail: string } | null
}

interface Answer {
  readonly queue: readonly Shown[]
  /** How many wait besides. */
  readonly more: number
}

export async function runQueue({ server, repository, environment, json }: QueueOptions): Promise<number> {
  const query = new URLSearchParams({
    ...(repository === undefined ? {} : { repository }),
    ...(environment === undefined ? {} : { environment }),
  })
  const path = `/api/queue?${query.toString()}`
  const { queue, more } = (await askForJson(server, { method: 'GET', path })) as Answer
  if (json) process.stdout.write(asJson(queue))
  else if (queue.length === 0 && more === 0) process.stdout.write('Nothing runs, and nothing waits.\n')
  else
    process.stdout.write(
      table(['DEPLOYMENT', 'COMMIT', 'REF', 'BY', 'ASKED (UTC)', 'STANDS'], queue.map(rowOf)),
    )
  // Beside the list, so that a program that reads it is not disturbed.
  if (more > 0)
    process.stderr.write(
      `${more} more ${more === 1 ? 'waits' : 'wait'} and ${more === 1 ? 'is' : 'are'} not shown.\n`,
    )
  return 0
}

const rowOf = (one: Shown): string[] => [
  one.name,
  one.sha.slice(0, 7),
  one.ref,
  one.by,
  moment(one.asked_at),
  standingOf(one),
]

function standingOf({ state, started_at: begun, hold, position, starts_at: begins }: Shown): string {
  if (hold !== null) return `held: ${hold.detail}`
  if (state !== 'queued') return `${state} since ${moment(begun ?? '')}`
  const when = begins === null ? '' : `, begins about ${moment(begins)}`
  return position === 1 ? `next in its lane${when}` : `number ${position} in its lane${when}`
}
