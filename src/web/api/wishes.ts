import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import { nameOf, type Deployment } from '../../deployment/deployment.ts'
import { FerrymanError, problem } from '../../errors.ts'
import { endOf, shown } from './deployments.ts'
import { id, keyOf, personOf, read, reasonText } from './request.ts'

export interface WishesParts {
  /** Records a deployment that a person asks for; answers it, or the one that the same wish has come to before. */
  ask(wish: Wish): Promise<{
    readonly isNew: boolean
    readonly said: string
    readonly deployment: Deployment
  }>
  /** Lets a deployment pass what stands in its way; answers what that came to. */
  force(id: number, words: { readonly by: string; readonly reason: string | undefined }): Promise<Forcing>
}

/** What a wish to force came to, and the deployment as it was then. */
type Forcing =
  | {
      readonly outcome: 'forced' | 'forced_already' | 'begun_already' | 'ended_already'
      readonly deployment: Deployment
    }
  | { readonly outcome: 'unknown' }

interface Wish {
  readonly by: string
  readonly key: string | undefined
  readonly repository: string
  readonly environment: string | undefined
  readonly ref: string | undefined
  readonly task: string | undefined
  readonly pin: boolean
  readonly force: boolean
  readonly reason: string | undefined
}

const textUpTo = (most: number) => {
  const error = `a text of at most ${most} characters`
  return z.string({ error }).max(most, { error })
}

const Wanted = z.strictObject({
  repository: z
    .string({ error: 'owner/name' })
    .max(200, { error: 'owner/name' })
    .regex(/^[^/\s]+\/[^/\s]+$/, { error: 'owner/name' }),
  environment: textUpTo(255).optional(),
  ref: textUpTo(250).optional(),
  task: textUpTo(128).optional(),
  pin: z.boolean({ error: 'true or false' }).default(false),
  force: z.boolean({ error: 'true or false' }).default(false),
  reason: reasonText.optional(),
})

const Which = z.object({ id })
const Why = z.strictObject({ reason: reasonText.optional() })

/** What people want: a deployment, and that it passes what stands in its way. */
export function serveWishes(routes: FastifyInstance, { ask, force }: WishesParts): void {
  routes.post('/deployments', async (request, reply) => {
    const by = personOf(request)
    const key = keyOf(request)
    const { environment, ref, task, reason, ...wanted } = read(Wanted, request.body)
    const { isNew, said, deployment } = await ask({ ...wanted, by, key, environment, ref, task, reason })
    void reply.code(isNew ? 202 : 200)
    return { outcome: isNew ? 'asked' : 'asked_already', said, deployment: shown(deployment) }
  })
  routes.post('/deployments/:id/force', async (request) => {
    const by = personOf(request)
    const { id } = read(Which, request.params)
    const { reason } = read(Why, request.body)
    const done = await force(id, { by, reason }).catch((cause: unknown) => {
      throw cause instanceof FerrymanError ? cause : problem('not_recorded', {}, cause)
    })
    if (done.outcome === 'unknown') throw problem('deployment_unknown', { id: String(id) })
    const { outcome, deployment } = done
    const name = nameOf(deployment)
    if (outcome === 'ended_already') throw problem('deployment_ended', { name, state: endOf(deployment) })
    if (outcome === 'begun_already') throw problem('deployment_begun', { name, state: deployment.state })
    return { outcome, deployment: shown(deployment) }
  })
}
