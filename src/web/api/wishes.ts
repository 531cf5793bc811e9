import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import type { Deployment } from '../../deployment/deployment.ts'
import { shown } from './deployments.ts'
import { keyOf, personOf, read, reasonText } from './request.ts'

export interface WishesParts {
  /** Records a deployment that a person asks for; answers it, or the one that the same wish has come to before. */
  ask(wish: Wish): Promise<{
    readonly isNew: boolean
    readonly said: string
    readonly deployment: Deployment
  }>
}

interface Wish {
  readonly by: string
  readonly key: string | undefined
  readonly repository: string
  readonly environment: string | undefined
  readonly ref: string | undefined
  readonly force: boolean
  readonly reason: string | undefined
}

const textUpTo = (most: number) => {
  const error = `a text of at most ${most} characters`
  return z.string({ error }).max(most, { error })
}

const Wanted = z.object({
  repository: z
    .string({ error: 'owner/name' })
    .max(200, { error: 'owner/name' })
    .regex(/^[^/\s]+\/[^/\s]+$/, { error: 'owner/name' }),
  environment: textUpTo(255).optional(),
  ref: textUpTo(250).optional(),
  force: z.boolean({ error: 'true or false' }).default(false),
  reason: reasonText.optional(),
})

/** What people want: a deployment. */
export function serveWishes(routes: FastifyInstance, { ask }: WishesParts): void {
  routes.post('/deployments', async (request, reply) => {
    const by = personOf(request)
    const key = keyOf(request)
    const { environment, ref, reason, ...wanted } = read(Wanted, request.body)
    const { isNew, said, deployment } = await ask({ ...wanted, by, key, environment, ref, reason })
    void reply.code(isNew ? 202 : 200)
    return { outcome: isNew ? 'asked' : 'asked_already', said, deployment: shown(deployment) }
  })
}
