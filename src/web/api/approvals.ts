import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import type { Deployment } from '../../deployment/deployment.ts'
import type { Approval } from '../../deployment/gates.ts'
import { FerrymanError, problem } from '../../errors.ts'
import { cut, oneLine } from '../../logs/one-line.ts'
import { shown } from './deployments.ts'
import { id, personOf, read } from './request.ts'

export interface ApprovalsParts {
  /** Lets a person agree to a deployment; throws where they may not, or it is too late. */
  approve(id: number, by: string): Promise<Approved>
  /** Takes that back; throws where there is nothing to take back, or it is too late. */
  takeApprovalBack(id: number, by: string): Promise<Deployment>
  mask(text: string): string
}

interface Approved {
  readonly deployment: Deployment
  readonly approval: Approval
  /** What else stands in its way. */
  readonly waitsFor: string | undefined
}

const Which = z.object({ id })
const Wish = z.strictObject({ undo: z.boolean({ error: 'true or false' }).optional() })
const MOST_NAME = 100

/** Approvals: given, and taken back. Nothing but a POST does either. */
export function serveApprovals(
  routes: FastifyInstance,
  { approve, takeApprovalBack, mask }: ApprovalsParts,
): void {
  routes.post('/deployments/:id/approve', async (request) => {
    const by = cut(oneLine(mask(personOf(request).trim())), MOST_NAME)
    const { id } = read(Which, request.params)
    const { undo = false } = read(Wish, request.body)
    if (undo) {
      const deployment = await recorded(takeApprovalBack(id, by))
      return { outcome: 'taken_back', by, deployment: shown(deployment) }
    }
    const { deployment, approval, waitsFor } = await recorded(approve(id, by))
    return {
      outcome: 'approved',
      by,
      until: new Date(approval.until).toISOString(),
      waits_for: waitsFor ?? null,
      deployment: shown(deployment),
    }
  })
}

const recorded = <T>(work: Promise<T>): Promise<T> =>
  work.catch((cause: unknown) => {
    throw cause instanceof FerrymanError ? cause : problem('not_recorded', {}, cause)
  })
