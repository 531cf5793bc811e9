import type { FastifyInstance } from 'fastify'

const REMEMBER_MS = 2_000

export interface HealthParts {
  /** Proves that something can be recorded; rejects when not. */
  probe(): Promise<void>
  isStopping(): boolean
}

/** `/healthz`: the process answers. `/readyz`: it can record deliveries, and is not about to stop. */
export function serveHealth(server: FastifyInstance, { probe, isStopping }: HealthParts): void {
  let last: { at: number; ready: Promise<boolean> } | undefined
  server.get('/healthz', () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    // A probe writes, so that many askers cost no more than one.
    const now = performance.now()
    if (last === undefined || now - last.at > REMEMBER_MS)
      last = {
        at: now,
        ready: probe().then(
          () => true,
          () => false,
        ),
      }
    if (isStopping()) return reply.code(503).send({ status: 'stopping' })
    return (await last.ready) ? { status: 'ready' } : reply.code(503).send({ status: 'cannot_record' })
  })
}
