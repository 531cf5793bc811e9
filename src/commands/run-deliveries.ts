import { problem } from '../errors.ts'
import { oneLine, printable } from '../logs/one-line.ts'
import { asJson } from './as-json.ts'
import { askForJson, askServer, type ServerChoice } from './client.ts'
import { moment, table } from './table.ts'

export interface DeliveriesOptions {
  readonly server: ServerChoice
  readonly what: string
  readonly id: string | undefined
  readonly filter: Readonly<Record<string, string | undefined>>
  readonly json: boolean
}

/** As the server shows one. */
interface Shown {
  readonly id: number
  readonly guid: string
  readonly event: string
  readonly action?: string
  readonly received_at: string
  readonly verdict: string
  readonly reason?: string
  readonly detail?: string
  readonly deployments: readonly { readonly id: number; readonly name: string; readonly state: string }[]
  readonly replayed?: { readonly at: string; readonly by: string }
  readonly headers?: Readonly<Record<string, string>>
}

/** Whether a delivery may be called so. */
export const isDelivery = (text: string): boolean => /^[\w-]{1,100}$/.test(text)
export const DELIVERY = 'the number or the GUID of a delivery'

const ACTIONS = ['list', 'show', 'body', 'replay']

export async function runDeliveries({ server, what, id, filter, json }: DeliveriesOptions): Promise<number> {
  if (!ACTIONS.includes(what)) throw problem('action_unknown', { action: what, known: ACTIONS.join(', ') })
  if (what === 'list') return list(server, filter, json)
  if (id === undefined || !isDelivery(id)) throw problem('request_wrong', { list: DELIVERY })
  const path = `/api/deliveries/${id}`
  if (what === 'body') {
    const body = await askServer(server, { method: 'GET', path: `${path}/body` })
    process.stdout.write(process.stdout.isTTY ? `${printable(body.toString())}\n` : body)
    return 0
  }
  const answer =
    what === 'replay'
      ? await askForJson(server, { method: 'POST', path: `${path}/replay` })
      : await askForJson(server, { method: 'GET', path })
  if (json) process.stdout.write(asJson(answer))
  else process.stdout.write(what === 'replay' ? told(answer as Replayed) : described(answer as Shown))
  return 0
}

async function list(
  server: ServerChoice,
  filter: DeliveriesOptions['filter'],
  json: boolean,
): Promise<number> {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(filter)) if (value !== undefined) query.set(name, value)
  const path = `/api/deliveries?${query.toString()}`
  const answer = (await askForJson(server, { method: 'GET', path })) as { deliveries: readonly Shown[] }
  if (json) process.stdout.write(asJson(answer.deliveries))
  else process.stdout.write(listed(answer.deliveries))
  return 0
}

const listed = (deliveries: readonly Shown[]): string =>
  deliveries.length === 0
    ? 'No delivery. GitHub shows what it has sent under the webhook, "Recent deliveries".\n'
    : table(
        ['ID', 'RECEIVED (UTC)', 'EVENT', 'VERDICT', 'REASON', 'DEPLOYMENTS'],
        deliveries.map((one) => [
          String(one.id),
          moment(one.received_at),
          eventOf(one),
          one.verdict,
          one.reason ?? '',
          deploymentsOf(one),
        ]),
      )

const eventOf = ({ event, action }: Shown): string => (action === undefined ? event : `${event}.${action}`)

const deploymentsOf = ({ deployments }: Pick<Shown, 'deployments'>): string =>
  deployments.map(({ name, state }) => `${name} ${state}`).join(', ')

function described(one: Shown): string {
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['delivery', `${one.id}, ${one.guid}`],
    ['received', `${moment(one.received_at)} UTC`],
    ['event', eventOf(one)],
    ['verdict', one.verdict],
    ['reason', one.reason],
    ['', one.detail],
    ['led to', deploymentsOf(one) || 'nothing'],
    ['replayed', one.replayed && `${moment(one.replayed.at)} UTC by ${one.replayed.by}`],
    ...Object.entries(one.headers ?? {}).map(([name, value], index): [string, string] => [
      index === 0 ? 'headers' : '',
      `${name}: ${value}`,
    ]),
  ]
  return facts
    .flatMap(([name, value]) =>
      value === undefined ? [] : [`${name.padEnd(10)}${oneLine(value)}`.trimEnd()],
    )
    .map((line) => `${line}\n`)
    .join('')
}

interface Replayed {
  readonly verdict: string
  readonly reason?: string
  readonly detail?: string
  readonly deployments?: readonly { readonly name: string }[]
}

function told({ verdict, reason, detail, deployments = [] }: Replayed): string {
  const names = deployments.map(({ name }) => name).join(', ')
  const what = verdict === 'repeated' ? 'repeated: nothing was started' : verdict
  const facts = [what, reason, names, detail].filter((fact) => fact !== undefined && fact !== '')
  return `${oneLine(facts.join(' · '))}\n`
}
