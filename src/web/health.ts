import type { FastifyInstance } from 'fastify'

import { onlyRead } from './server.ts'

const REMEMBER_MS = 2_000

export interface HealthParts {
  /** Proves that something can be recorded; rejects when not. */
  probe(): Promise<void>
  /** What the disks lack, so that nothing is begun, if they lack anything. */
  lack(): Promise<'disk_full' | 'disk_unwritable' | undefined>
  isStopping(): boolean
}

/** `/healthz`: the process answers. `/readyz`: it can record deliveries and work, and is not about to stop. */
export function serveHealth(server: FastifyInstance, { probe, lack, isStopping }: HealthParts): void {
  let last: { at: number; status: ReturnType<typeof look> } | undefined
  // What fits on a full disk today, such as the row of the probe, says little about the next delivery.
  const look = async () =>
    (await lack()) ??
    probe().then(
      () => 'ready' as const,
      () => 'cannot_record' as const,
    )
  for (const url of ['/healthz', '/readyz']) onlyRead(server, url)
  server.get('/healthz', () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    // A probe writes, so that many askers cost no more than one.
    const now = performance.now()
    if (last === undefined || now - last.at > REMEMBER_MS) last = { at: now, status: look() }
    if (isStopping()) return reply.code(503).send({ status: 'stopping' })
    const status = await last.status
    return reply.code(status === 'ready' ? 200 : 503).send({ status })
  })
}
