import { sql, type Transaction } from 'kysely'

import type { Deployment } from '../deployment/deployment.ts'
import { createDeployment, type Batch, type End, type InBatch } from './batch.ts'
import { bind, byNonce } from './binding.ts'
import { bundled, deleteBodies, insertBodies, type BodyPlace } from './bodies.ts'
import { claimAlong } from './claims.ts'
import { BY_THEMSELVES, deploymentOf, TAKEN_BACK } from './rows.ts'
import type { Engine } from './database.ts'
import { holdGates } from './gates-lock.ts'
import type { Tables } from './schema.ts'
import type { Accepted, AcceptedAndClaimed, Claimed, Claiming, Intake, NewDeployment } from './store.ts'

type Trx = Transaction<Tables>

/** Makes `Store.acceptAndClaim`, and without a claim `Store.accept`: the deliveries and what they lead to, in one transaction. */
export const createAccept =
  (engine: Engine, inBatch: InBatch) =>
  async (intakes: readonly Intake[], claiming?: Claiming): Promise<AcceptedAndClaimed> => {
    const bundles = await bundled(intakes.map(({ delivery }) => delivery.body))
    let claimed: Claimed = NOTHING
    let isClaiming = false
    const claim = async (trx: Trx, answers: readonly Accepted[]): Promise<void> => {
      claimed = NOTHING // the transaction may be tried again
      if (claiming === undefined || !answers.some(mayBegin)) return
      isClaiming = true
      claimed = await claimAlong(trx, claiming)
      isClaiming = false
    }
    const accept = async (batch: Batch): Promise<readonly Accepted[]> => {
      const { trx, statements } = batch
      if (intakes.some(movesGates)) await holdGates(engine, trx, 'change')
      const places = await insertBodies(bundles, (content) => statements.insertBodies(trx, [{ content }]))
      const ids = await insertDeliveries(batch, intakes, places)
      if (ids.size === 0) await deleteBodies(trx, places) // all of them are known
      const answers: Accepted[] = []
      for (const intake of intakes) {
        const id = ids.get(intake.delivery.key)
        ids.delete(intake.delivery.key) // the same delivery twice in one batch: the second is a repetition
        answers.push(id === undefined ? await acceptAgain(batch, intake) : await acceptNew(batch, intake, id))
      }
      return answers
    }
    const accepted = await inBatch(accept, claim).catch((thrown: unknown) => {
      if (!isClaiming) throw thrown
      return inBatch(accept) // the claim took the deliveries with it, for which there may be room alone
    })
    return { accepted, claimed }
  }

const NOTHING: Claimed = { deployment: undefined, held: [] }

const mayBegin = ({ deployments }: Accepted): boolean =>
  deployments.some(({ state, hold }) => state === 'queued' && hold === undefined)

/** It may lock, or let through what GitHub has made of our own. */
const movesGates = ({ deployments }: Intake): boolean =>
  deployments.some(
    ({ errand, nonce, githubId }) =>
      errand?.kind === 'lock' || (nonce !== undefined && githubId !== undefined),
  )

async function insertDeliveries(
  { trx, statements }: Batch,
  intakes: readonly Intake[],
  places: readonly BodyPlace[],
): Promise<Map<string, number>> {
  const rows = intakes.map(({ delivery, verdict, reason, detail, concerns, repository }, index) => ({
    key: delivery.key,
    guid: delivery.guid,
    event: delivery.event,
    action: delivery.action ?? null,
    received_at: delivery.receivedAt,
    headers: JSON.stringify(delivery.headers),
    ...(places[index] as BodyPlace),
    verdict,
    reason: reason ?? null,
    detail: detail ?? null,
    concerns: concerns === undefined ? null : JSON.stringify(concerns),
    repository: repository ?? null,
  }))
  const fresh = await statements.insertDeliveries(trx, rows)
  return new Map(fresh.map(({ key, id }) => [key, id]))
}

async function acceptNew(batch: Batch, intake: Intake, deliveryId: number): Promise<Accepted> {
  const { verdict, reason, detail } = intake
  if (intake.deployments.length === 0) return { verdict, reason, detail, deployments: [] }
  const { deployments, isRepeated } = await leadTo(batch, intake, deliveryId)
  if (!isRepeated) return { verdict, reason, detail, deployments }
  await noteRepeated(batch.trx, deliveryId, deployments)
  return repeated(deployments)
}

const repeated = (deployments: readonly Deployment[]): Accepted => ({
  verdict: 'repeated',
  reason: undefined,
  detail: undefined,
  deployments,
})

/** Creates what is not there yet; `isRepeated` when all of it was. */
async function leadTo(
  batch: Batch,
  intake: Intake,
  deliveryId: number,
): Promise<{ readonly deployments: readonly Deployment[]; readonly isRepeated: boolean }> {
  const at = intake.delivery.receivedAt
  const deployments: Deployment[] = []
  let isRepeated = true
  for (const given of intake.deployments) {
    const match = await matchOf(batch, given, at)
    if (match.kind === 'forgotten') continue
    isRepeated &&= match.kind === 'known'
    if (match.kind === 'known') deployments.push(match.deployment)
    else {
      const end = match.kind === 'twin' ? twinEnd(match.deployment) : failureOf(given)
      deployments.push(await createDeployment(batch, given, { deliveryId, at, end }))
    }
  }
  return { deployments, isRepeated }
}

/** Verdicts that led to nothing: when the same delivery comes again it is decided anew. */
const OPEN: ReadonlySet<string> = new Set(['ignored', 'refused'])

// GitHub's "Redeliver" after the configuration was mended: what was ignored then may be wanted now.
async function acceptAgain(batch: Batch, intake: Intake): Promise<Accepted> {
  const { trx } = batch
  const earlier = await trx
    .selectFrom('deliveries')
    .select(['id', 'verdict'])
    .where('key', '=', intake.delivery.key)
    .executeTakeFirstOrThrow()
  const { verdict, reason, detail, replay } = intake
  if (replay !== undefined) await noteReplay(trx, earlier.id, intake)
  const wasOpen = OPEN.has(earlier.verdict)
  if (!OPEN.has(verdict) && (wasOpen || replay !== undefined)) {
    const { deployments, isRepeated } = await leadTo(batch, intake, earlier.id)
    if (isRepeated && wasOpen) await noteRepeated(trx, earlier.id, deployments)
    if (isRepeated) return repeated(deployments)
    await decideAnew(trx, earlier.id, intake)
    return { verdict, reason, detail, deployments }
  }
  if (wasOpen && replay !== undefined) {
    await decideAnew(trx, earlier.id, intake)
    return { verdict, reason, detail, deployments: [] }
  }
  if (wasOpen) return { ...repeated([]), reason, detail } // which may be another one today
  const rows = await trx
    .selectFrom('deployments')
    .selectAll()
    .where('delivery_id', '=', earlier.id)
    .orderBy('id')
    .execute()
  return repeated(rows.map(deploymentOf))
}

const noteRepeated = (trx: Trx, id: number, deployments: readonly Deployment[]): Promise<unknown> =>
  trx
    .updateTable('deliveries')
    .set({
      verdict: 'repeated',
      reason: null,
      detail: null,
      concerns: JSON.stringify(deployments.map((one) => one.id)),
    })
    .where('id', '=', id)
    .execute()

const noteReplay = (trx: Trx, id: number, { replay, delivery }: Intake): Promise<unknown> =>
  trx
    .updateTable('deliveries')
    .set({ replayed_at: delivery.receivedAt, replayed_by: replay?.by ?? null })
    .where('id', '=', id)
    .execute()

const decideAnew = (trx: Trx, id: number, { verdict, reason, detail }: Intake): Promise<unknown> =>
  trx
    .updateTable('deliveries')
    .set({ verdict, reason: reason ?? null, detail: detail ?? null })
    .where('id', '=', id)
    .execute()

const failureOf = ({ failure }: NewDeployment): End | undefined => failure && { state: 'failed', ...failure }

const twinEnd = (twin: Deployment): End => ({
  state: 'cancelled',
  reason: 'superseded',
  detail: `GitHub made this deployment twice; it goes as #${twin.number}.`,
})

type Match =
  | { readonly kind: 'known'; readonly deployment: Deployment }
  /** Ours, which GitHub made once more: of two requests both were carried out. */
  | { readonly kind: 'twin'; readonly deployment: Deployment }
  /** It was here, and is not kept any more. */
  | { readonly kind: 'forgotten' }
  | { readonly kind: 'new' }

/**
 * The deployment that is meant, where we have it already: GitHub's by its id, or by the nonce that we gave it,
 * which binds the two; one of our own by its environment and commit, since a commit goes there by itself only once.
 */
async function matchOf(batch: Batch, given: NewDeployment, at: number): Promise<Match> {
  const { githubId, nonce } = given
  const known = githubId === undefined ? await byCommit(batch, given) : await byGithubId(batch, githubId)
  if (known !== undefined) return { kind: 'known', deployment: known }
  if (githubId !== undefined && (await batch.isForgotten(githubId))) return { kind: 'forgotten' }
  if (githubId === undefined || nonce === undefined) return { kind: 'new' }
  const ours = await byNonce(batch.trx, nonce)
  if (ours === undefined || !isSamePlace(ours, given)) return { kind: 'new' }
  const { apiUrl, creator, creatorAvatar } = given
  const made = { githubId, apiUrl, creator, creatorAvatar }
  const bound = await bind(batch.trx, ours.id, made, { at, reports: given.reports })
  if (bound !== undefined) return { kind: 'known', deployment: bound }
  const isTwin = ours.creator === creator && at - (ours.finishedAt ?? at) < TWIN_MS
  return isTwin ? { kind: 'twin', deployment: ours } : { kind: 'new' }
}

/** Later than that, or under another name, somebody means it who copied the payload of an earlier deployment. */
const TWIN_MS = 10 * 60_000

/** A payload can be copied; what it claims to be must also be what it is. */
const isSamePlace = (ours: Deployment, given: NewDeployment): boolean =>
  ours.configuredAs === given.configuredAs &&
  ours.environment.toLowerCase() === given.environment.toLowerCase() &&
  ours.sha === given.sha &&
  ours.task === given.task

/** The same words as of the unique index. An id of 0 is none: it tells no repository from another. */
async function byCommit({ trx }: Batch, given: NewDeployment): Promise<Deployment | undefined> {
  const { repositoryGithubId: githubId } = given
  const row = await trx
    .selectFrom('deployments')
    .innerJoin('environments', 'environments.id', 'deployments.environment_id')
    .innerJoin('repositories', 'repositories.id', 'environments.repository_id')
    .selectAll('deployments')
    .where((where) =>
      where.or([
        where('repositories.configured_as', '=', given.configuredAs),
        ...(githubId === 0 ? [] : [where('repositories.github_id', '=', githubId)]),
      ]),
    )
    .where('environments.name_key', '=', given.environment.toLowerCase())
    .where('deployments.sha', '=', given.sha)
    .where('deployments.origin', 'in', BY_THEMSELVES)
    .where(sql<boolean>`not (${TAKEN_BACK})`)
    .executeTakeFirst()
  return row && deploymentOf(row)
}

async function byGithubId({ trx, statements }: Batch, githubId: number): Promise<Deployment | undefined> {
  const [row] = await statements.byGithubId(trx, githubId)
  return row && deploymentOf(row)
}
