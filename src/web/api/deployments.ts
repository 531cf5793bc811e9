import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import { nameOf, readName, wordsFor, type Deployment } from '../../deployment/deployment.ts'
import { FerrymanError, problem } from '../../errors.ts'
import type { Store } from '../../store/store.ts'
import { id, personOf, read, reasonText } from './request.ts'
import { stepsShown } from './steps.ts'

export interface DeploymentsParts {
  readonly store: Pick<Store, 'deployment' | 'named'>
  /** Where its log can be read, for whoever may; undefined where the server has no public address, and published it nowhere. */
  linkOf(deployment: Deployment): string | undefined
  /** Takes a deployment back; answers what that came to. */
  cancel(id: number, wish: { readonly by: string; readonly why: string | undefined }): Promise<Cancelled>
}

/** What a wish to cancel came to, and the deployment as it was then. */
type Cancelled =
  | {
      readonly outcome:
        | 'cancelled'
        | 'cancelling'
        | 'cancelling_unrecorded'
        | 'cancelling_already'
        | 'ended_already'
      readonly deployment: Deployment
    }
  | { readonly outcome: 'unknown' }

const NAME = 'a name such as acme/shop/production#12'
const Named = z.strictObject({ name: z.string({ error: NAME }).max(500, { error: NAME }) })
const Which = z.object({ id })
const Wish = z.strictObject({ reason: reasonText.optional() })

/** Deployments: find one, and take it back. */
export function serveDeployments(routes: FastifyInstance, { store, linkOf, cancel }: DeploymentsParts): void {
  routes.get('/deployments', async (request) => {
    const { name } = read(Named, request.query)
    const wanted = readName(name)
    if (wanted === undefined) throw problem('request_wrong', { list: `name (${NAME})` })
    const deployment = await store.named(wanted)
    return { deployments: deployment === undefined ? [] : [shown(deployment)] }
  })

  routes.get('/deployments/:id', async (request) => {
    const { id } = read(Which, request.params)
    const deployment = await store.deployment(id)
    if (deployment === undefined) throw problem('deployment_unknown', { id: String(id) })
    return {
      deployment: { ...shown(deployment), ...historyOf(deployment), log_url: linkOf(deployment) ?? null },
    }
  })

  routes.post('/deployments/:id/cancel', async (request) => {
    const by = personOf(request)
    const { id } = read(Which, request.params)
    const { reason: why } = read(Wish, request.body)
    const done = await cancel(id, { by, why }).catch((cause: unknown) => {
      throw cause instanceof FerrymanError ? cause : problem('not_recorded', {}, cause)
    })
    if (done.outcome === 'unknown') throw problem('deployment_unknown', { id: String(id) })
    const { outcome, deployment } = done
    if (outcome === 'ended_already')
      throw problem('deployment_ended', { name: nameOf(deployment), state: endOf(deployment) })
    return { outcome, deployment: shown(deployment) }
  })
}

/** How one has ended, in words. */
export const endOf = ({ state, detail }: Deployment): string =>
  detail === undefined ? state : `${state}, ${detail}`

/** A deployment, as the answers show it: names in snake_case and times as text, as everywhere in them. */
export const shown = ({ hold, changes, markedBad, ...deployment }: Deployment) => ({
  id: deployment.id,
  name: nameOf(deployment),
  state: deployment.state,
  hold: hold && {
    reason: hold.reason,
    detail: hold.detail,
    since: text(hold.since),
    until: hold.until === undefined ? null : text(hold.until),
  },
  asked_because: wordsFor(deployment),
  forced: deployment.forced,
  approved_by: deployment.approvedBy,
  reason: deployment.reason,
  detail: deployment.detail,
  sha: deployment.sha,
  ref: deployment.ref,
  deployed_sha: deployment.deployedSha,
  marked_bad: markedBad && { at: text(markedBad.at), by: markedBad.by, reason: markedBad.reason },
  changes: changes && {
    from: changes.from,
    to: changes.to,
    direction: changes.direction,
    commit_count: changes.commitCount,
    lost_count: changes.lostCount,
    commits: changes.commits,
    pull_requests: changes.pullRequests,
    authors: changes.authors,
  },
  actor: deployment.actor,
})

/** Beside what it is: what was done, and when. */
const historyOf = (deployment: Deployment) => ({
  task: deployment.task,
  creator: deployment.creator,
  asked_at: text(deployment.createdAt),
  started_at: deployment.startedAt === undefined ? null : text(deployment.startedAt),
  finished_at: deployment.finishedAt === undefined ? null : text(deployment.finishedAt),
  steps: stepsShown(deployment),
})

const text = (at: number): string => new Date(at).toISOString()
