import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import type { NewDelivery } from '../../store/store.ts'
import { findDelivery, recordedAs, type DeliveriesParts } from './deliveries.ts'
import { read } from './request.ts'

export interface PlanParts extends Pick<DeliveriesParts, 'inbox' | 'clock'> {
  /** What a ref would run, and where. */
  plan(wanted: PlanWanted): Promise<Plan>
  /** What a delivery would lead to. */
  planDelivery(delivery: NewDelivery): Promise<{
    readonly verdict: string
    readonly detail: string | undefined
    readonly plans: readonly Plan[]
  }>
}

interface Plan {
  readonly previousSha: string | undefined
  readonly timeoutSeconds: number
  readonly steps: readonly PlannedStep[]
}

interface PlannedStep {
  readonly timeoutSeconds: number | undefined
  readonly runAs: string | undefined
  readonly onlyIfChanged: readonly string[] | undefined
  readonly onFailure: string
}

export interface PlanWanted {
  readonly repository: string
  readonly environment: string | undefined
  readonly ref: string | undefined
  readonly task: string | undefined
}

const textUpTo = (most: number, error: string) => z.string({ error }).max(most, { error })
/** What somebody would like to see. */
export const Wanted = z.strictObject({
  repository: textUpTo(200, 'owner/name'),
  environment: textUpTo(255, 'a name').optional(),
  ref: textUpTo(250, 'a branch, a tag or a commit').optional(),
  task: textUpTo(128, 'the name of a task').optional(),
})
const Which = z.object({ which: z.string().regex(/^[\w-]{1,100}$/, { error: 'a number or a GUID' }) })

/** What would be run; nothing is. */
export function servePlan(routes: FastifyInstance, { plan, planDelivery, inbox, clock }: PlanParts): void {
  routes.get('/plan', async (request) => {
    const { repository, environment, ref, task } = read(Wanted, request.query)
    return shown(await plan({ repository, environment, ref, task }))
  })
  routes.get('/deliveries/:which/plan', async (request) => {
    const delivery = await findDelivery(inbox, read(Which, request.params).which)
    const { plans, ...answer } = await planDelivery({
      ...(await recordedAs(delivery, inbox)),
      receivedAt: clock(),
    })
    return { ...answer, plans: plans.map(shown) }
  })
}

/** A plan, as the answers show it. */
const shown = ({ previousSha, timeoutSeconds, steps, ...plan }: Plan) => ({
  ...plan,
  previous_sha: previousSha,
  timeout_seconds: timeoutSeconds,
  steps: steps.map(stepShown),
})

const stepShown = ({ timeoutSeconds, runAs, onlyIfChanged, onFailure, ...step }: PlannedStep) => ({
  ...step,
  timeout_seconds: timeoutSeconds,
  run_as: runAs,
  only_if_changed: onlyIfChanged,
  on_failure: onFailure,
})
