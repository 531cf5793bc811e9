import { sql, type Kysely, type Selectable, type Transaction } from 'kysely'

import type { Deployment } from '../deployment/deployment.ts'
import type { EndReason } from '../deployment/reasons.ts'
import { ERRAND_TASKS } from '../deployment/errand.ts'
import { bind, byNonce } from './binding.ts'
import { bundled, deleteBodies, insertBodies, type BodyPlace } from './bodies.ts'
import { runErrand } from './errands.ts'
import { eventRow, reportRows } from './moves.ts'
import { BY_THEMSELVES, columnsOf, deploymentOf, holdColumns } from './rows.ts'
import type { Tables } from './schema.ts'
import { createSharedRows, type SharedRows } from './shared-rows.ts'
import type { Forgotten } from './forgotten.ts'
import { supersedeOlder } from './superseding.ts'
import { compiledInsert, compiledOnce } from './statements.ts'
import type { Accepted, Intake, NewDeployment } from './store.ts'
import { inTransaction } from './transaction.ts'

type Trx = Transaction<Tables>
type Statements = ReturnType<typeof statementsFor>

/** What the deliveries of one transaction have in common. */
interface Batch {
  readonly trx: Trx
  readonly statements: Statements
  readonly shared: SharedRows
  /** Events and reports, written together at the end. */
  readonly events: ReturnType<typeof eventRow>[]
  readonly reports: ReturnType<typeof reportRows>[number][]
  isForgotten(githubId: number): Promise<boolean>
}

/** Makes `Store.accept`: the deliveries and what they lead to, in one transaction. */
export function createAccept(
  database: Kysely<Tables>,
  forgotten: Forgotten,
): (intakes: readonly Intake[]) => Promise<readonly Accepted[]> {
  const statements = statementsFor(database)
  return async (intakes) => {
    const bundles = await bundled(intakes.map(({ delivery }) => delivery.body))
    return inTransaction(database, async (trx) => {
      const batch: Batch = {
        trx,
        statements,
        shared: createSharedRows(trx),
        events: [],
        reports: [],
        isForgotten: (githubId) => forgotten.has(trx, githubId),
      }
      const places = await insertBodies(bundles, (content) => statements.insertBodies(trx, [{ content }]))
      const ids = await insertDeliveries(batch, intakes, places)
      if (ids.size === 0) await deleteBodies(trx, places) // all of them are known
      const answers: Accepted[] = []
      for (const intake of intakes) {
        const id = ids.get(intake.delivery.key)
        ids.delete(intake.delivery.key) // the same delivery twice in one batch: the second is a repetition
        answers.push(id === undefined ? await acceptAgain(batch, intake) : await acceptNew(batch, intake, id))
      }
      await batch.shared.write()
      await flush(batch)
      return answers
    })
  }
}

/** What every delivery needs. Building and compiling these anew would take as long as running them. */
const statementsFor = (database: Kysely<Tables>) => ({
  insertBodies: compiledInsert<'bodies', { id: number }>((rows) =>
    database.insertInto('bodies').values(rows).returning('id'),
  ),
  insertDeliveries: compiledInsert<'deliveries', { id: number; key: string }>((rows) =>
    database
      .insertInto('deliveries')
      .values(rows)
      .onConflict((conflict) => conflict.column('key').doNothing())
      .returning(['id', 'key']),
  ),
  insertDeployments: compiledInsert<'deployments', { id: number }>((rows) =>
    database.insertInto('deployments').values(rows).returning('id'),
  ),
  insertEvents: compiledInsert<'events', unknown>((rows) => database.insertInto('events').values(rows)),
  insertReports: compiledInsert<'reports', unknown>((rows) => database.insertInto('reports').values(rows)),
  byGithubId: compiledOnce(() => database.selectFrom('deployments').selectAll().where('github_id', '=', 0)),
})

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

async function createDeployment(
  batch: Batch,
  given: NewDeployment,
  { deliveryId, at, end: known }: { deliveryId: number; at: number; end: End | undefined },
): Promise<Deployment> {
  const environment = await batch.shared.numberIn(given)
  const end = known ?? (await overtakenEnd(batch, given, environment.id)) ?? (await errandEnd(batch, given))
  const row: Omit<Selectable<Tables['deployments']>, 'id'> = {
    ...columnsOf(given),
    environment_id: environment.id,
    lane_id: await batch.shared.laneId(given.lane),
    delivery_id: deliveryId,
    number: environment.number,
    was_asked: 0,
    state: end?.state ?? 'queued',
    ...holdColumns(end === undefined ? given.hold : undefined),
    approved_by: null,
    reason: end?.reason ?? null,
    detail: end?.detail ?? null,
    deployed_sha: null,
    created_at: at,
    started_at: null,
    finished_at: end === undefined ? null : at,
    changes: null,
    marked_bad_at: null,
    marked_bad_by: null,
    marked_bad_reason: null,
    end_order: null, // only what has run is put into order
  }
  const [inserted] = await batch.statements.insertDeployments(batch.trx, [row])
  if (inserted === undefined) throw new Error('The new deployment was given no id.')
  const deployment = deploymentOf({ ...row, ...inserted })
  batch.events.push(eventRow(begun(deployment), undefined, at))
  if (end !== undefined) batch.events.push(eventRow(deployment, 'queued', at))
  batch.reports.push(...reportRows(deployment, given.reports(deployment), at))
  if (given.supersedes === true && end === undefined) {
    await flush(batch) // what gives way may have come with it
    await supersedeOlder(batch.trx, deployment, { at, reports: given.reports })
  }
  return deployment
}

/** Writes down what has happened so far, in its order. */
async function flush({ trx, statements, events, reports }: Batch): Promise<void> {
  await statements.insertEvents(trx, events.splice(0))
  await statements.insertReports(trx, reports.splice(0))
}

/** What the first event of a deployment says. */
const begun = ({ id, hold }: Deployment) => ({
  id,
  state: 'queued' as const,
  reason: hold?.reason,
  detail: hold?.detail,
})

/** How a late one ends where a newer one of the same kind has come before it, unless that was taken back. */
async function overtakenEnd(
  { trx }: Batch,
  { late, githubId, task, errand }: NewDeployment,
  environmentId: number,
): Promise<End | undefined> {
  if (late === undefined || githubId === undefined) return undefined
  const newer = await trx
    .selectFrom('deployments')
    .select('number')
    .where('environment_id', '=', environmentId)
    .where('task', 'in', errand === undefined ? [task] : Object.keys(ERRAND_TASKS))
    .where('github_id', '>', githubId) // GitHub counts them up
    .where('state', '!=', sql.lit('cancelled'))
    .orderBy('github_id', 'desc')
    .limit(1)
    .executeTakeFirst()
  const detail =
    newer === undefined
      ? late.overtaken
      : `Not deployed: it came late, and #${newer.number}, which is newer, came before.`
  return detail === undefined ? undefined : { state: 'cancelled', reason: 'overtaken', detail }
}

const errandEnd = (
  { trx }: Batch,
  { errand, configuredAs, environment, actor: by }: NewDeployment,
): Promise<End> | undefined =>
  errand && runErrand(trx, errand, { place: `${configuredAs}/${environment.toLowerCase()}`, by })

/** A deployment that ends at once, without having been in line. */
interface End {
  readonly state: 'succeeded' | 'failed' | 'cancelled'
  readonly reason?: EndReason
  readonly detail: string
}

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

/** The same words as of the unique index. */
async function byCommit({ trx }: Batch, given: NewDeployment): Promise<Deployment | undefined> {
  const row = await trx
    .selectFrom('deployments')
    .innerJoin('environments', 'environments.id', 'deployments.environment_id')
    .innerJoin('repositories', 'repositories.id', 'environments.repository_id')
    .selectAll('deployments')
    .where((where) =>
      where.or([
        where('repositories.configured_as', '=', given.configuredAs),
        where('repositories.github_id', '=', given.repositoryGithubId),
      ]),
    )
    .where('environments.name_key', '=', given.environment.toLowerCase())
    .where('deployments.sha', '=', given.sha)
    .where('deployments.origin', 'in', BY_THEMSELVES)
    .where(sql<boolean>`not (${TAKEN_BACK})`)
    .executeTakeFirst()
  return row && deploymentOf(row)
}

/** Taken back, and no fault of the commit: it may come again. */
const TAKEN_BACK = sql.raw(
  `(deployments.state = 'cancelled' and coalesce(deployments.reason, '') <> 'by_person') or coalesce(deployments.reason, '') = 'config_removed'`,
)

async function byGithubId({ trx, statements }: Batch, githubId: number): Promise<Deployment | undefined> {
  const [row] = await statements.byGithubId(trx, githubId)
  return row && deploymentOf(row)
}
