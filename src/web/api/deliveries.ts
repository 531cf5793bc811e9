import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import { nameOf } from '../../deployment/deployment.ts'
import { problem } from '../../errors.ts'
import { VERDICTS, type Delivery, type Inbox, type NewDelivery } from '../../store/store.ts'
import { id, personOf, read } from './request.ts'

export interface DeliveriesParts {
  readonly inbox: Inbox
  /** Decides anew about a delivery; answers what the webhook would have been answered. */
  replay(delivery: NewDelivery, by: string): Promise<object>
  readonly clock: () => number
}

const Filter = z.strictObject({
  limit: z.coerce.number({ error: '1 to 1000' }).int().min(1).max(1000).default(20),
  before: id.optional(),
  verdict: z.enum(VERDICTS, { error: VERDICTS.join(', ') }).optional(),
  event: z
    .string()
    .regex(/^[a-z_]{1,64}$/, { error: 'the name of an event, such as deployment' })
    .optional(),
})

/** A number of ours, or the GUID that GitHub shows. */
const Which = z.object({ which: z.string().regex(/^[\w-]{1,100}$/, { error: 'a number or a GUID' }) })

/** The inbox: what GitHub has sent, and what became of it. */
export function serveDeliveries(routes: FastifyInstance, { inbox, replay, clock }: DeliveriesParts): void {
  routes.get('/deliveries', async (request) => {
    const deliveries = await inbox.list(read(Filter, request.query))
    return { deliveries: deliveries.map(shown) }
  })

  routes.get('/deliveries/:which', async (request) => {
    const delivery = await find(read(Which, request.params).which)
    return { ...shown(delivery), headers: delivery.headers }
  })

  routes.get('/deliveries/:which/body', async (request, reply) => {
    const delivery = await find(read(Which, request.params).which)
    void reply.header('content-type', 'application/octet-stream')
    return bodyOf(delivery)
  })

  routes.post('/deliveries/:which/replay', async (request) => {
    const by = personOf(request)
    const found = await find(read(Which, request.params).which)
    return replay({ ...(await recordedAs(found, inbox)), receivedAt: clock() }, by)
  })

  const find = (which: string): Promise<Delivery> => findDelivery(inbox, which)
  const bodyOf = (found: Delivery): Promise<Buffer> => bodyFrom(inbox, found)
}

/** By our number, or GitHub's GUID; throws `delivery_unknown`. */
export async function findDelivery(inbox: Inbox, which: string): Promise<Delivery> {
  const isId = /^\d{1,15}$/.test(which)
  const delivery = await inbox.find(isId ? { id: Number(which) } : { guid: which })
  if (delivery === undefined) throw problem('delivery_unknown', { id: which })
  return delivery
}

/** As it came, with its body; throws `delivery_unknown` where that is not kept any more. */
export async function recordedAs(found: Delivery, inbox: Inbox): Promise<NewDelivery> {
  const { key, guid, event, action, headers, receivedAt } = found
  return { key, guid, event, action, headers, receivedAt, body: await bodyFrom(inbox, found) }
}

async function bodyFrom(inbox: Inbox, { id: number }: Delivery): Promise<Buffer> {
  const body = await inbox.body(number)
  if (body === undefined) throw problem('delivery_unknown', { id: String(number) })
  return body
}

const shown = ({ deployments, receivedAt, replayed, ...delivery }: Delivery) => ({
  id: delivery.id,
  guid: delivery.guid,
  event: delivery.event,
  action: delivery.action,
  received_at: new Date(receivedAt).toISOString(),
  verdict: delivery.verdict,
  reason: delivery.reason,
  detail: delivery.detail,
  deployments: deployments.map((one) => ({ id: one.id, name: nameOf(one), state: one.state })),
  replayed: replayed && { at: new Date(replayed.at).toISOString(), by: replayed.by },
})
