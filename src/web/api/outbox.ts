import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import { nameOf } from '../../deployment/deployment.ts'
import { problem } from '../../errors.ts'
import type { Journal } from '../../logs/journal.ts'
import type { ListedReport, Outbox, SentOn } from '../../store/store.ts'
import { id, personOf, read } from './request.ts'

export interface OutboxParts {
  readonly outbox: Pick<Outbox, 'list' | 'sendAgain' | 'sendRefusedAgain'>
  readonly sender: {
    hurry(report: Pick<SentOn, 'channel' | 'deployment'>): void
    heldUp(report: ListedReport): HeldUp | undefined
  }
  readonly clock: () => number
  readonly journal: Journal
}

interface HeldUp {
  readonly until: number
  readonly why: string
}

const Filter = z.strictObject({
  limit: z.coerce.number({ error: '1 to 1000' }).int().min(1).max(1000).default(20),
})
const Which = z.object({ id })

/** The outbox: what GitHub and Slack are still to be told, and what they did not take. */
export function serveOutbox(routes: FastifyInstance, { outbox, sender, clock, journal }: OutboxParts): void {
  routes.get('/outbox', async (request) => {
    const { limit } = read(Filter, request.query)
    const [owed, refused] = [await outbox.list('owed', limit), await outbox.list('refused', limit)]
    return {
      owed: { count: owed.count, reports: owed.reports.map(owedShown) },
      refused: { count: refused.count, reports: refused.reports.map(refusedShown) },
    }
  })

  routes.post('/outbox/:id/send', async (request) => {
    const by = personOf(request)
    const { id } = read(Which, request.params)
    const sent = await recorded(outbox.sendAgain(id, clock()))
    if (sent.outcome === 'unknown') throw problem('report_unknown', { id: String(id) })
    if (sent.outcome === 'delivered') throw problem('report_delivered', { id: String(id) })
    if (sent.outcome === 'overtaken')
      throw problem('report_overtaken', { id: String(id), newer: String(sent.by.id), state: sent.by.state })
    journal.info('report:sent-again', { report: id, by })
    sender.hurry(sent.report)
    return { report: owedShown(sent.report), held_up: sender.heldUp(sent.report)?.why ?? null }
  })

  routes.post('/outbox/send-refused', async (request) => {
    const by = personOf(request)
    const { refused, due } = await recorded(outbox.sendRefusedAgain(clock()))
    journal.info('outbox:sent-again', { refused, due: due.length, by })
    due.forEach(sender.hurry)
    return { due: due.length, overtaken: refused - due.length }
  })

  function owedShown(report: ListedReport) {
    const now = clock()
    const held = sender.heldUp(report)
    const isHeld = held !== undefined && held.until > report.dueAt
    const nextAt = Math.max(now, isHeld ? held.until : report.dueAt)
    return {
      ...shown(report),
      next_at: new Date(nextAt).toISOString(),
      why: isHeld ? held.why : (report.lastError ?? null),
    }
  }
}

const recorded = <T>(work: Promise<T>): Promise<T> =>
  work.catch((cause: unknown) => {
    throw problem('not_recorded', {}, cause)
  })

const refusedShown = (report: ListedReport & { readonly newest: number }) => ({
  ...shown(report),
  overtaken_by: report.newest === report.id ? null : report.newest,
  refused_at: report.settledAt === undefined ? null : new Date(report.settledAt).toISOString(),
  why: report.lastError ?? null,
})

const shown = ({ id: number, channel, body, attempts, createdAt, deployment }: ListedReport) => ({
  id: number,
  channel,
  deployment: { id: deployment.id, name: nameOf(deployment) },
  says: words(body),
  attempts,
  created_at: new Date(createdAt).toISOString(),
})

const Status = z.object({ state: z.string(), description: z.string() })
const Message = z.object({ text: z.string() })

/** What it says, in a line: a status, or the text of a message. */
function words(body: unknown): string {
  const status = Status.safeParse(body)
  if (status.success) return status.data.description
  return Message.safeParse(body).data?.text ?? ''
}
