import type { FastifyInstance } from 'fastify'

import { serveApprovals, type ApprovalsParts } from './approvals.ts'
import { serveDeliveries, type DeliveriesParts } from './deliveries.ts'
import { serveDeployments, type DeploymentsParts } from './deployments.ts'
import { serveDryRun, type DryRunParts } from './dry-run.ts'
import { serveLocks, type LocksParts } from './locks.ts'
import { serveMarks, type MarksParts } from './marks.ts'
import { serveOutbox, type OutboxParts } from './outbox.ts'
import { servePins, type PinsParts } from './pins.ts'
import { servePlan, type PlanParts } from './plan.ts'
import { serveQueue, type QueueParts } from './queue.ts'
import { serveWhy, type WhyParts } from './why.ts'
import { serveWishes, type WishesParts } from './wishes.ts'

/** What the routes need; app.ts supplies it. */
export type ApiParts = ApprovalsParts &
  DeliveriesParts &
  DeploymentsParts &
  DryRunParts &
  LocksParts &
  MarksParts &
  OutboxParts &
  PinsParts &
  PlanParts &
  QueueParts &
  WhyParts &
  WishesParts

/** The routes under `/api`. Who may call them is decided by the server that they are given to. */
export async function serveApi(server: FastifyInstance, parts: ApiParts): Promise<void> {
  await server.register(
    (routes, _options, done) => {
      serveApprovals(routes, parts)
      serveDeliveries(routes, parts)
      serveDeployments(routes, parts)
      serveDryRun(routes, parts)
      serveMarks(routes, parts)
      serveLocks(routes, parts)
      serveOutbox(routes, parts)
      servePins(routes, parts)
      servePlan(routes, parts)
      serveQueue(routes, parts)
      serveWhy(routes, parts)
      serveWishes(routes, parts)
      done()
    },
    { prefix: '/api' },
  )
}
