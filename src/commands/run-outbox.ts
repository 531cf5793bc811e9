import { problem } from '../errors.ts'
import { oneLine } from '../logs/one-line.ts'
import { asJson } from './as-json.ts'
import { askForJson, type ServerChoice } from './client.ts'
import { moment, table } from './table.ts'

export interface OutboxOptions {
  readonly server: ServerChoice
  readonly what: string
  /** The number of a report, or `refused`. */
  readonly which: string | undefined
  readonly limit: string | undefined
  readonly json: boolean
}

/** As the server shows one. */
interface Shown {
  readonly id: number
  readonly channel: string
  readonly deployment: { readonly name: string }
  readonly says: string
  readonly attempts: number
  readonly why: string | null
  /** Of what is owed. */
  readonly next_at?: string
  /** Of what was refused. */
  readonly refused_at?: string | null
  readonly overtaken_by?: number | null
}

interface Part {
  readonly count: number
  readonly reports: readonly Shown[]
}

interface Listed {
  readonly owed: Part
  readonly refused: Part
}

const ACTIONS = ['list', 'send']

export async function runOutbox({ server, what, which, limit, json }: OutboxOptions): Promise<number> {
  if (!ACTIONS.includes(what)) throw problem('action_unknown', { action: what, known: ACTIONS.join(', ') })
  if (what === 'list') {
    const query = limit === undefined ? '' : `?${new URLSearchParams({ limit }).toString()}`
    const answer = (await askForJson(server, { method: 'GET', path: `/api/outbox${query}` })) as Listed
    show(answer, json, listed)
  } else if (which === 'refused') {
    const answer = (await askForJson(server, { method: 'POST', path: '/api/outbox/send-refused' })) as Resent
    show(answer, json, resent)
  } else {
    if (which === undefined || !/^\d{1,15}$/.test(which))
      throw problem('request_wrong', {
        list: 'the number of a report, or `refused` for all that were refused',
      })
    const path = `/api/outbox/${which}/send`
    const answer = (await askForJson(server, { method: 'POST', path })) as Sent
    show(answer, json, sent)
  }
  return 0
}

function show<Answer>(answer: Answer, json: boolean, asText: (answer: Answer) => string): void {
  process.stdout.write(json ? asJson(answer) : asText(answer))
}

function listed({ owed, refused }: Listed): string {
  if (owed.count === 0 && refused.count === 0) return 'Nothing is owed, and nothing was refused.\n'
  const parts = []
  if (owed.count > 0)
    parts.push(
      `Owed: ${counted(owed)}, the oldest first.\n`,
      rows(owed, 'NEXT (UTC)', ({ next_at: at }) => at),
    )
  if (refused.count > 0)
    parts.push(
      `${owed.count > 0 ? '\n' : ''}Refused for good: ${counted(refused)}, the newest first.\n`,
      rows(refused, 'REFUSED (UTC)', ({ refused_at: at }) => at),
    )
  return parts.join('')
}

const counted = ({ count, reports }: Part): string =>
  reports.length < count ? `${reports.length} of ${count}` : String(count)

const rows = ({ reports }: Part, when: string, at: (report: Shown) => string | null | undefined): string =>
  table(
    ['ID', 'TO', 'DEPLOYMENT', 'SAYS', 'TRIED', when, 'WHY'],
    reports.map((report) => [
      String(report.id),
      report.channel,
      report.deployment.name,
      shortened(report.says),
      String(report.attempts),
      moment(at(report) ?? ''),
      whyOf(report),
    ]),
  )

const whyOf = ({ why, overtaken_by: newer }: Shown): string =>
  [why ?? [], typeof newer === 'number' ? `overtaken by ${newer}` : []].flat().join(', ')

const MOST_SAID = 50

const shortened = (text: string): string =>
  text.length > MOST_SAID ? `${text.slice(0, MOST_SAID - 1).trimEnd()}…` : text

interface Resent {
  readonly due: number
  readonly overtaken: number
}

const resent = ({ due, overtaken }: Resent): string =>
  due === 0
    ? `Nothing to send${overtaken === 0 ? ': nothing was refused' : `: newer words have overtaken ${overtaken}`}.\n`
    : `${due} ${due === 1 ? 'goes' : 'go'} out now${overtaken === 0 ? '' : `; newer words have overtaken ${overtaken}`}. \`ferryman outbox\` shows what becomes of it.\n`

interface Sent {
  readonly report: Shown
  readonly held_up: string | null
}

function sent({ report: { id, channel, deployment, says }, held_up: why }: Sent): string {
  const when = why === null ? 'now' : `as soon as it may (${why})`
  return `${oneLine(`${id} goes to ${channel} ${when}: ${deployment.name}, ${says}`)}\n`
}
