import { PassThrough } from 'node:stream'

import type { FastifyInstance } from 'fastify'

import { Wanted, type PlanWanted } from './plan.ts'
import { personOf, read } from './request.ts'

export interface DryRunParts {
  /** Throws what is wrong with the wish; answers what begins it. */
  dryRun(wanted: PlanWanted & { readonly by: string }): Promise<(reader: Reader) => Promise<Outcome>>
}

type Outcome = 'succeeded' | 'failed'

interface Reader {
  show(bytes: Buffer): Promise<void>
  readonly gone: AbortSignal
}

/** Said behind the last byte: whether Ansible would have succeeded. */
export const RESULT = 'ferryman-result'

/** What a playbook would change, as it is found out; it ends when whoever asked goes away. */
export function serveDryRun(routes: FastifyInstance, { dryRun }: DryRunParts): void {
  routes.post('/dry-run', async (request, reply) => {
    const by = personOf(request)
    const { repository, environment, ref, task } = read(Wanted, request.body)
    const out = new PassThrough()
    const gone = new AbortController()
    // Whoever asked may go away while GitHub is still asked.
    reply.raw.once('close', () => {
      gone.abort()
      out.destroy()
    })
    const begin = await dryRun({ repository, environment, ref, task, by })
    if (gone.signal.aborted) return reply.hijack()
    const ended = begin({ show: (bytes) => show(bytes, out), gone: gone.signal }).finally(() => out.end())
    void reply.headers({ 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
    void reply.trailer(RESULT, () => ended)
    return reply.send(out)
  })
}

/** Answers when there is room for more; where nobody reads, there always is. */
function show(bytes: Buffer, out: PassThrough): Promise<void> {
  return new Promise((resolve) => {
    if (out.destroyed || out.write(bytes)) return resolve()
    const go = (): void => {
      out.off('drain', go)
      out.off('close', go)
      resolve()
    }
    out.once('drain', go)
    out.once('close', go)
  })
}
